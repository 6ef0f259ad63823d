package pdu

// This file has the two hashes of an event (server-server API, "Calculating the content hash for an event" and
// "Calculating the reference hash for an event").

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"msc4014/reference/identity"
)

// ErrContentHash reports that an event has another content than its sender hashed: it was redacted, or changed.
var ErrContentHash = errors.New("the content hash does not match")

// checkContentHash compares the content hash that an event states with that which it has.
func (o object) checkContentHash() error {
	stated, ok := o.child("hashes").lookupText("sha256")
	if !ok {
		return errors.New("checking the content hash: the event states none")
	}
	if _, err := identity.DecodeBase64(stated); err != nil {
		return fmt.Errorf("checking the content hash: %w", err)
	}
	if actual := o.contentHash(); stated != actual {
		return fmt.Errorf("%w: the event states %.60q, and has %q", ErrContentHash, stated, actual)
	}
	return nil
}

// contentHash returns the SHA-256 of the event without unsigned, signatures and hashes, in unpadded base64.
func (o object) contentHash() string {
	sum := sha256.Sum256(o.without("unsigned", "signatures", "hashes").canonical())
	return identity.EncodeBase64(sum[:])
}

// ID returns the ID of an event: a dollar sign and its reference hash, in unpadded URL-safe base64 (room version 4,
// "Event IDs").
func ID(event []byte, f Format) (string, error) {
	o, err := read(event, "an event")
	if err != nil {
		return "", fmt.Errorf("computing an event ID: %w", err)
	}
	redacted, err := o.redact(f)
	if err != nil {
		return "", fmt.Errorf("computing an event ID: redacting the event: %w", err)
	}
	return redacted.eventID(), nil
}

// eventID returns the ID of a redacted event. The reference hash is the SHA-256 of the event without signatures and unsigned.
func (o object) eventID() string {
	sum := sha256.Sum256(o.without("signatures", "unsigned").canonical())
	return "$" + base64.RawURLEncoding.EncodeToString(sum[:])
}
