package pdu

// This file signs and verifies events (server-server API, "Signing Events").

import (
	"crypto/ed25519"
	"fmt"
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
	hashes, err := o.childOrEmpty("hashes")
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
