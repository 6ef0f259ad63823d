package pseudonym

// This file builds and signs the events that go over federation.

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
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

// Sign adds the server's signature to an event, and the content hash if it has none.
func (s ServerSigner) Sign(event []byte, f pdu.Format) (*pdu.Event, error) {
	signed, err := pdu.Sign(event, f, s.Name, s.KeyID, s.Key)
	if err != nil {
		return nil, fmt.Errorf("signing an event by the key of %s: %w", s.Name, err)
	}
	return pdu.Parse(signed, f)
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

// Build returns the event that the holder of key sends.
//
// Events have no sender, they have a sender_key, in unpadded base64 (MSC4014, Proposal 1), and are signed by that key
// in place of the server's (Proposal 2; MSC1228, Proposal). Hash and event ID are computed as in other rooms
// (Addressing 3). Outside the mapping an event contains no user ID and no server name (MSC1228, Background); whether it
// has an origin is event-format/no-origin. Some readings of signing/server-signatures add the server's own signature;
// only these need server.
func (r Rules) Build(d Draft, key identity.KeyPair, server ServerSigner) (*pdu.Event, error) {
	unsigned, err := r.unsigned(d, key.Public)
	if err != nil {
		return nil, err
	}
	event, err := r.Sign(unsigned.raw(), key)
	if err != nil {
		return nil, err
	}
	if r.Readings.ServerSignatures == "origin-only" || r.Readings.ServerSignatures == "origin-and-resident" {
		return server.Sign(event, r.Format())
	}
	return pdu.Parse(event, r.Format())
}

// unsigned returns a draft as an event of its sender, without hashes and signatures.
func (r Rules) unsigned(d Draft, sender identity.SenderKey) (object, error) {
	content, err := parseObject(d.Content, "the content of an event")
	if err != nil {
		return nil, err
	}
	event := object{"content": json.RawMessage(d.Content)}
	event.set("type", d.Type)
	event.set("room_id", d.RoomID)
	event.set(r.Dialect.SenderField(), sender)
	if d.StateKey != nil {
		event.set("state_key", *d.StateKey)
	}
	switch {
	case d.Redacts == "":
	case r.Format().BasedOn11(): // which moved it (MSC2174)
		content.set("redacts", d.Redacts)
		event["content"] = content.raw()
	default:
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
func (r Rules) Sign(event []byte, key identity.KeyPair) ([]byte, error) {
	entity, keyID := string(key.Public), pdu.SenderKeyID
	switch r.Readings.SignatureEntity {
	case "entity-is-key-other-id":
		keyID = "ed25519:sender"
	case "server-name":
		entity = r.Server
	}
	signed, err := pdu.Sign(event, r.Format(), entity, keyID, key.Private)
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
	return pdu.CanonicalJSON(o.raw())
}

// sign is Sign for an event that has signatures already.
func (r Rules) sign(event *pdu.Event, key identity.KeyPair) (*pdu.Event, error) {
	signed, err := r.Sign(event.JSON(), key)
	if err != nil {
		return nil, err
	}
	return pdu.Parse(signed, r.Format())
}

// SignAsResident adds the resident server's signature to a join that it received, if the reading of
// signing/server-signatures asks for one.
func (r Rules) SignAsResident(join *pdu.Event, server ServerSigner) (*pdu.Event, error) {
	if r.Readings.ServerSignatures != "resident-on-joins" && r.Readings.ServerSignatures != "origin-and-resident" {
		return join, nil
	}
	return server.Sign(join.JSON(), r.Format())
}
