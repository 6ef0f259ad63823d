// This file computes the hashes of events and the event IDs made of them (Matrix specification, server-server API,
// "Calculating the content hash for an event" and "Calculating the reference hash for an event").

package pseudoid

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// ErrContentHash says that the hash in an event is not its content hash.
var ErrContentHash = errors.New("content hash does not match")

// ContentHash returns the content hash of an event, in unpadded standard base64: SHA-256 over the canonical JSON of
// the whole event without signatures, unsigned and hashes.
func ContentHash(event []byte) (string, error) {
	v, err := parseObject(event, "an event")
	if err != nil {
		return "", err
	}
	return contentHash(v), nil
}

func contentHash(event value) string {
	sum := sha256.Sum256(event.without("signatures", "unsigned", "hashes").canonical())
	return EncodeBase64(sum[:])
}

// CheckContentHash returns an error unless hashes.sha256 of an event is its content hash. The error is ErrContentHash if they
// differ, another one if the hash is missing, padded or URL-safe.
func CheckContentHash(event []byte) error {
	v, err := parseObject(event, "an event")
	if err != nil {
		return err
	}
	hashes, ok := v.get("hashes")
	if !ok || hashes.kind != kindObject {
		return errors.New("checking the content hash: the event's hashes are missing or not an object")
	}
	stated, ok := hashes.get("sha256")
	if !ok || stated.kind != kindString {
		return errors.New("checking the content hash: hashes.sha256 is missing or not a string")
	}
	decoded, err := DecodeBase64(stated.text)
	if err != nil {
		return fmt.Errorf("checking the content hash: hashes.sha256: %w", err)
	}
	if computed := contentHash(v); EncodeBase64(decoded) != computed {
		return fmt.Errorf("%w: the event states %s, its content has %s", ErrContentHash, quote(stated.text), computed)
	}
	return nil
}

// ReferenceHash returns the 32 bytes of an event's reference hash: SHA-256 over the canonical JSON of the redacted
// event without signatures and unsigned.
func ReferenceHash(event []byte, f Format) ([]byte, error) {
	v, err := parseObject(event, "an event")
	if err != nil {
		return nil, err
	}
	redacted, err := redact(v, f)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(redacted.without("signatures", "unsigned").canonical())
	return sum[:], nil
}

// EventID returns the ID of an event: "$" and its reference hash in unpadded URL-safe base64 (room versions 4 and later).
func EventID(event []byte, f Format) (string, error) {
	hash, err := ReferenceHash(event, f)
	if err != nil {
		return "", err
	}
	return "$" + base64.RawURLEncoding.EncodeToString(hash), nil
}
