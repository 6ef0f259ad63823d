package pseudonym

// This file builds and signs the events that go over federation, and verifies their signatures.

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"msc4014/helpers/pseudoid"
)

// ServerSigner is a server's signing key, published under KeyID.
type ServerSigner struct {
	Name, KeyID string
	Key         ed25519.PrivateKey
}

// Format prints only the names: the key is secret.
func (s ServerSigner) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "signing key %s of %s", s.KeyID, s.Name)
}

// Draft is an event that has no sender yet.
type Draft struct {
	Type           string
	RoomID         string
	StateKey       *string // a sender key, not a user ID: see WireStateKey
	Content        []byte  // a JSON object, as it goes over the wire: see WireContent
	Redacts        string  // the event ID, for a redaction
	PrevEvents     []string
	AuthEvents     []string
	Depth          int64
	OriginServerTS int64 // milliseconds
}

// Build returns the event that the holder of key sends, and its ID.
//
// Events have no sender, they have a sender_key, in unpadded base64 (MSC4014, Proposal 1), and are signed by that key
// in place of the server's (Proposal 2; MSC1228, Proposal). Hash and event ID are computed as in other rooms
// (Addressing 3). Outside the mapping an event contains no user ID and no server name (MSC1228, Background); whether it
// has an origin is event-format/no-origin. Some readings of signing/server-signatures add the server's own signature;
// only these need server.
func (r Rules) Build(d Draft, key pseudoid.KeyPair, server ServerSigner) (event []byte, eventID string, err error) {
	unsigned, err := r.unsigned(d, key.Public)
	if err != nil {
		return nil, "", err
	}
	event, err = r.Sign(unsigned.raw(), key)
	if err != nil {
		return nil, "", err
	}
	if r.signsAsOrigin() {
		event, err = pseudoid.SignEvent(event, r.Format(), server.Name, server.KeyID, server.Key)
		if err != nil {
			return nil, "", fmt.Errorf("signing an event by the server's key: %w", err)
		}
	}
	eventID, err = pseudoid.EventID(event, r.Format())
	return event, eventID, err
}

// unsigned returns a draft as an event of its sender, without hashes and signatures.
func (r Rules) unsigned(d Draft, sender pseudoid.SenderKey) (object, error) {
	if _, err := parseObject(d.Content, "the content of an event"); err != nil {
		return nil, err
	}
	event := object{"content": json.RawMessage(d.Content)}
	event.set("type", d.Type)
	event.set("room_id", d.RoomID)
	event.set(r.Dialect.SenderField(), sender)
	if d.StateKey != nil {
		event.set("state_key", *d.StateKey)
	}
	if d.Redacts != "" {
		event.set("redacts", d.Redacts)
	}
	event.set("prev_events", append([]string{}, d.PrevEvents...)) // never null
	event.set("auth_events", append([]string{}, d.AuthEvents...))
	event.set("depth", d.Depth)
	event.set("origin_server_ts", d.OriginServerTS)
	switch r.Readings.Origin {
	case "server-name":
		event.set("origin", r.Server)
	case "sender-key":
		event.set("origin", sender)
	}
	return event, nil
}

// Sign adds the signature of a sender key to an event, and the content hash if it has none. The key is that of the
// sender, of the invited user for an invite, or of the authorising member for a restricted join. MSC4014 does not say
// where in signatures it goes; MSC1228's examples have it under the key itself, as a bare string
// (event-format/signature-entity).
func (r Rules) Sign(event []byte, key pseudoid.KeyPair) ([]byte, error) {
	entity, keyID := string(key.Public), pseudoid.SenderKeyID
	switch r.Readings.SignatureEntity {
	case "entity-is-key-other-id":
		keyID = "ed25519:sender"
	case "server-name":
		entity = r.Server
	}
	signed, err := pseudoid.SignEvent(event, r.Format(), entity, keyID, key.Private)
	if err != nil {
		return nil, fmt.Errorf("signing an event by sender key %s: %w", key.Public, err)
	}
	if r.Readings.SignatureEntity != "bare-string" {
		return signed, nil
	}
	o, err := parseObject(signed, "the signed event")
	if err != nil {
		return nil, err
	}
	signatures := o.child("signatures")
	signatures.set(entity, signatures.child(entity).text(keyID))
	o.set("signatures", signatures)
	return pseudoid.CanonicalJSON(o.raw())
}

func (r Rules) signsAsOrigin() bool {
	return r.Readings.ServerSignatures == "origin-only" || r.Readings.ServerSignatures == "origin-and-resident"
}

// SignAsResident adds the resident server's signature to a join that it received, if the reading of
// signing/server-signatures asks for one.
func (r Rules) SignAsResident(event []byte, server ServerSigner) ([]byte, error) {
	if r.Readings.ServerSignatures != "resident-on-joins" && r.Readings.ServerSignatures != "origin-and-resident" {
		return event, nil
	}
	return pseudoid.SignEvent(event, r.Format(), server.Name, server.KeyID, server.Key)
}

// CheckSender verifies that an event is signed by its own sender key.
//
// The signature and the key come together in the event, so this is always possible without network requests (MSC4014,
// Proposal 2): it needs no server keys, and a server's signature proves nothing here. Since the text does not say under
// which entity the signature goes, any is accepted. A key that is not in unpadded base64, a key of small order, under
// which any signature verifies, and a malleated signature are refused, so that one member cannot appear as two.
func (r Rules) CheckSender(event []byte) error {
	return r.CheckSignedBy(event, r.Sender(event))
}

// CheckSignedBy verifies that a sender key signed an event, under any entity and key ID.
func (r Rules) CheckSignedBy(event []byte, key pseudoid.SenderKey) error {
	public, err := pseudoid.ParseSenderKey(string(key))
	if err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	if pseudoid.SmallOrder(public) && !r.Takes("small-order-accepted") {
		return fmt.Errorf("verifying an event: sender key %s is of small order, anything verifies under it", key)
	}
	o, err := parseObject(event, "the event to verify")
	if err != nil {
		return err
	}
	found := o.child("signatures")
	for _, signature := range signaturesIn(found) {
		if r.Takes("signature-accepted") {
			signature = reduced(signature)
		}
		o.set("signatures", object{"any": object{"ed25519:any": signature}.raw()})
		if pseudoid.VerifyEventSignature(o.raw(), r.Format(), "any", "ed25519:any", public) == nil {
			return r.strict(event)
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("verifying an event by sender key %s: %w: it has no signatures", key, pseudoid.ErrNoSignature)
	}
	return fmt.Errorf("verifying an event by sender key %s: %w: none of its signatures is by that key", key, pseudoid.ErrBadSignature)
}

// Takes reports whether the reading of signing/rejects-noncanonical accepts events with this oddity.
func (r Rules) Takes(oddity Reading) bool {
	return r.Readings.NonCanonical == oddity || r.Readings.NonCanonical == "several-accepted"
}

// groupOrder is the order L of the base point (RFC 8032, 5.1).
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// reduced returns a signature, as JSON, with its second half reduced modulo the order of the base point, which turns a
// malleated signature back into the original.
func reduced(signature json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(signature, &text) != nil {
		return signature
	}
	raw, err := pseudoid.DecodeBase64(text)
	if err != nil || len(raw) != ed25519.SignatureSize {
		return signature
	}
	half := slices.Clone(raw[32:]) // little-endian
	slices.Reverse(half)
	new(big.Int).Mod(new(big.Int).SetBytes(half), groupOrder).FillBytes(half)
	slices.Reverse(half)
	return json.RawMessage(strconv.Quote(pseudoid.EncodeBase64(slices.Concat(raw[:32], half))))
}

// strict refuses an event that parsers may read differently, such as one with a duplicate key.
func (r Rules) strict(event []byte) error {
	if _, err := pseudoid.CanonicalJSON(event); err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	return nil
}

// signaturesIn returns all signatures, including bare ones.
func signaturesIn(signatures object) []json.RawMessage {
	var all []json.RawMessage
	for entity, raw := range signatures {
		if _, bare := signatures.optional(entity); bare {
			all = append(all, raw)
		}
		for _, signature := range signatures.child(entity) {
			all = append(all, signature)
		}
	}
	return all
}
