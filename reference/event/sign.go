package event

// This file signs and verifies events (server-server API, "Signing Events").

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"msc4014/reference/identity"
)

// SenderKeyID is the key ID under which deployed servers put the signature of a sender key. The text names none.
const SenderKeyID = "ed25519:1"

// Sign returns an event in canonical JSON with its content hash, unless it states one, and with a signature by key under
// signatures.<entity>.<keyID>. The signature covers the redacted event, so that redaction leaves it valid.
func Sign(event []byte, f Format, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	o, err := read(event, "the event to sign")
	if err != nil {
		return nil, err
	}
	hashes, err := o.optional("hashes")
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	if _, stated := hashes["sha256"]; !stated {
		o = o.with("hashes", hashes.with("sha256", quoted(o.contentHash())).canonical())
	}
	redacted, err := o.redact(f)
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	return o.signedAs(redacted, entity, keyID, key)
}

// Verify returns an error unless an event has a valid signature by key under signatures.<entity>.<keyID>, as VerifyJSON
// does.
func Verify(event []byte, f Format, entity, keyID string, key ed25519.PublicKey) error {
	o, redacted, err := readRedacted(event, f)
	if err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	return o.verify(redacted, entity, keyID, key)
}

// Location is where in signatures a signature is. KeyID is "" if the entity has the signature itself, as in the examples
// of MSC1228.
type Location struct{ Entity, KeyID string }

// VerifySender returns where an event of a pseudonymous room has a valid signature by its sender key (MSC4014, Proposal
// 2), or an error: ErrNoSignature if it has none at all, ErrBadSignature if none of them is valid. The text does not say
// where the signature goes, so it may be anywhere; those under the key itself are tried first.
func VerifySender(event []byte, f Format) (Location, error) {
	if !f.Pseudonymous {
		return Location{}, errors.New("verifying an event by its sender key: in its room, senders are no keys")
	}
	o, redacted, err := readRedacted(event, f)
	if err != nil {
		return Location{}, fmt.Errorf("verifying an event by its sender key: %w", err)
	}
	sender, _ := o.text(f.SenderField())
	key, err := identity.ParseSenderKey(sender)
	if err != nil {
		return Location{}, fmt.Errorf("verifying an event by its sender key: %w", err)
	}
	signatures, err := o.optional("signatures")
	if err != nil {
		return Location{}, fmt.Errorf("verifying an event by its sender key: %w", err)
	}
	found := signatures.located(sender)
	for _, each := range found {
		if redacted.verifySignature(each.signature, key) == nil {
			return each.Location, nil
		}
	}
	if len(found) == 0 {
		return Location{}, fmt.Errorf("verifying an event by sender key %s: %w: it has none", sender, ErrNoSignature)
	}
	return Location{}, fmt.Errorf("verifying an event by sender key %s: %w: none of its %d does", sender, ErrBadSignature, len(found))
}

// located is a signature and where it is.
type located struct {
	Location
	signature json.RawMessage
}

// located returns the signatures in signatures, those of one entity first, and among them the one under SenderKeyID.
func (o object) located(first string) (found []located) {
	for entity := range o {
		if _, bare := o.text(entity); bare {
			found = append(found, located{Location{entity, ""}, o[entity]})
		}
		for keyID, signature := range o.child(entity) {
			found = append(found, located{Location{entity, keyID}, signature})
		}
	}
	rank := func(l located) int {
		switch l.Location {
		case Location{first, SenderKeyID}:
			return 0
		case Location{first, l.KeyID}:
			return 1
		}
		return 2
	}
	slices.SortFunc(found, func(a, b located) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.KeyID, b.KeyID))
	})
	return found
}
