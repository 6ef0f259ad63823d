// This file signs and verifies events: as any JSON object, but over the redacted event, so that a signature survives
// redaction (Matrix specification, server-server API, "Signing Events"; MSC4014: by the sender key).

package pseudoid

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// SenderKeyID is the key ID under which the deployed implementation has the signature of a sender key. The proposal
// names none.
const SenderKeyID = "ed25519:1"

// SignEvent returns the event, in canonical JSON, with a signature by key over the redacted event, under entity and
// keyID, and with hashes.sha256 if it had none. A hash that is there stays, right or wrong.
func SignEvent(event []byte, f Format, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	v, err := parseObject(event, "the event to sign")
	if err != nil {
		return nil, err
	}
	hashes, err := memberObject(v, "hashes")
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	if _, ok := hashes.get("sha256"); !ok {
		v = v.with("hashes", hashes.with("sha256", stringValue(contentHash(v))))
	}
	return signEvent(v, f, entity, keyID, key)
}

func signEvent(event value, f Format, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	redacted, err := redact(event, f)
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	signed, err := addSignature(event, entity, keyID, sign(redacted, key))
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	return signed.canonical(), nil
}

// VerifyEventSignature checks that the event has a valid signature of key under entity and keyID, over its redacted
// form. Errors are those of VerifyJSON.
func VerifyEventSignature(event []byte, f Format, entity, keyID string, key ed25519.PublicKey) error {
	v, err := parseObject(event, "the event to verify")
	if err != nil {
		return err
	}
	redacted, err := redact(v, f)
	if err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	return verify(v, redacted, entity, keyID, key)
}

// SignatureLocation says where in signatures a signature stands. KeyID is "" for MSC1228's bare form, where the
// signature itself is the entity's value.
type SignatureLocation struct{ Entity, KeyID string }

// VerifySenderSignature looks for a valid signature of the event by its own sender key and says where it stands: the
// proposal does not say, so any entity and any key ID will do. Signatures under the key itself as the entity, and there
// under "ed25519:1", come first. The error is ErrNoSignature if the event has no signature at all, ErrBadSignature if
// it has some and none of them is its sender key's.
func VerifySenderSignature(event []byte, f Format) (SignatureLocation, error) {
	v, err := parseObject(event, "the event to verify")
	if err != nil {
		return SignatureLocation{}, err
	}
	if !f.Pseudonymous {
		return SignatureLocation{}, fmt.Errorf("room version %q is an ordinary one: its events are signed by server keys, not by a sender key", f.RoomVersion)
	}
	sender, _ := v.get(f.SenderField())
	if sender.kind != kindString {
		return SignatureLocation{}, fmt.Errorf("verifying an event: its %q is missing or no string", f.SenderField())
	}
	return verifyBy(v, f, f.SenderField(), sender.text)
}

// VerifyInvitedSignature is VerifySenderSignature for the key that an invite names as its state key: the invited server
// signs the invite with it (MSC1228, Sending invites).
func VerifyInvitedSignature(invite []byte, f Format) (SignatureLocation, error) {
	v, err := parseObject(invite, "the invite to verify")
	if err != nil {
		return SignatureLocation{}, err
	}
	invited, _ := v.get("state_key")
	if invited.kind != kindString {
		return SignatureLocation{}, errors.New("verifying an invite: its state key is missing or no string")
	}
	return verifyBy(v, f, "state_key", invited.text)
}

// verifyBy looks for a valid signature of an event by the sender key that one of its fields names.
func verifyBy(v value, f Format, field, sender string) (SignatureLocation, error) {
	key, err := ParseSenderKey(sender)
	if err != nil {
		return SignatureLocation{}, fmt.Errorf("verifying an event: its %q: %w", field, err)
	}
	redacted, err := redact(v, f)
	if err != nil {
		return SignatureLocation{}, fmt.Errorf("verifying an event: %w", err)
	}
	signatures, err := memberObject(v, "signatures")
	if err != nil {
		return SignatureLocation{}, fmt.Errorf("verifying an event: %w", err)
	}
	return findSignature(signatures, redacted, sender, key)
}

// findSignature looks through all signatures for one of key over object.
func findSignature(signatures, object value, sender string, key ed25519.PublicKey) (SignatureLocation, error) {
	message := signedBytes(object)
	var tried []SignatureLocation
	try := func(entity, keyID string, signature value) bool {
		tried = append(tried, SignatureLocation{entity, keyID})
		return verifyText(message, signature, key) == nil
	}
	if own, ok := signatures.get(sender); ok {
		if signature, ok := own.get(SenderKeyID); ok && try(sender, SenderKeyID, signature) {
			return SignatureLocation{sender, SenderKeyID}, nil
		}
	}
	ofSender, ofOthers := signatures.only(sender).members, signatures.without(sender).members
	for _, entity := range append(ofSender, ofOthers...) {
		if entity.value.kind == kindString && try(entity.key, "", entity.value) {
			return SignatureLocation{entity.key, ""}, nil
		}
		for _, signature := range entity.value.members {
			if try(entity.key, signature.key, signature.value) {
				return SignatureLocation{entity.key, signature.key}, nil
			}
		}
	}
	if len(tried) == 0 {
		return SignatureLocation{}, fmt.Errorf("verifying an event of sender key %s: %w: it has no signatures", sender, ErrNoSignature)
	}
	return SignatureLocation{}, fmt.Errorf("verifying an event of sender key %s: %w: it has signatures, the first by entity %s under key ID %s, and none of them is by that key",
		sender, ErrBadSignature, quote(tried[0].Entity), quote(tried[0].KeyID))
}
