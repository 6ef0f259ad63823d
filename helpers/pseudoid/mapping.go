// This file makes, signs and verifies mxid_mapping: the link of a sender key to a user ID, signed by the user's server
// (MSC4014, "Proposal").

package pseudoid

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MappingField is the field of a member event's content that holds the mapping.
const MappingField = "mxid_mapping"

// Mapping is a parsed mxid_mapping. Dialect tells by which field its key was named, Raw is the JSON that it was parsed
// from. That it is parsed does not mean that it is signed: VerifyMapping tells.
type Mapping struct {
	Dialect Dialect
	Key     SenderKey
	UserID  string
	Raw     []byte
}

// NewMapping returns an unsigned mapping in canonical JSON. Neither key nor userID is looked at.
func NewMapping(d Dialect, key SenderKey, userID string) []byte {
	return objectValue(
		member{d.MappingKeyField(), stringValue(strings.ToValidUTF8(string(key), "\uFFFD"))},
		member{"user_id", stringValue(strings.ToValidUTF8(userID, "\uFFFD"))},
	).canonical()
}

// SignMapping returns the mapping, in canonical JSON, with a signature by a server's key.
func SignMapping(mapping []byte, serverName, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	signed, err := SignJSON(mapping, serverName, keyID, key)
	if err != nil {
		return nil, fmt.Errorf("signing a mapping: %w", err)
	}
	return signed, nil
}

// ParseMapping reads a mapping strictly: it must be a JSON object that CanonicalJSON accepts, name a valid sender key
// by exactly one of the dialects' fields, and a valid user ID. Further fields are let pass: signatures cover them.
func ParseMapping(raw []byte) (Mapping, error) {
	v, err := parseObject(raw, "a mapping")
	if err != nil {
		return Mapping{}, err
	}
	var mapping Mapping
	for _, d := range []Dialect{DialectMSC4014, DialectDendrite} {
		key, ok := v.get(d.MappingKeyField())
		if !ok {
			continue
		}
		if mapping.Dialect != "" {
			return Mapping{}, fmt.Errorf("reading a mapping: it has both %q and %q", mapping.Dialect.MappingKeyField(), d.MappingKeyField())
		}
		if key.kind != kindString {
			return Mapping{}, fmt.Errorf("reading a mapping: its %q is %s, not a string", d.MappingKeyField(), key.describe())
		}
		if _, err := ParseSenderKey(key.text); err != nil {
			return Mapping{}, fmt.Errorf("reading a mapping: its %q: %w", d.MappingKeyField(), err)
		}
		mapping.Dialect, mapping.Key = d, SenderKey(key.text)
	}
	if mapping.Dialect == "" {
		return Mapping{}, fmt.Errorf("reading a mapping: it has neither %q nor %q",
			DialectMSC4014.MappingKeyField(), DialectDendrite.MappingKeyField())
	}
	userID, ok := v.get("user_id")
	if !ok || userID.kind != kindString {
		return Mapping{}, errors.New(`reading a mapping: its "user_id" is missing or no string`)
	}
	if err := ValidUserID(userID.text); err != nil {
		return Mapping{}, fmt.Errorf("reading a mapping: %w", err)
	}
	mapping.UserID = userID.text
	mapping.Raw = append([]byte(nil), raw...)
	return mapping, nil
}

// VerifyMapping checks that the mapping has a valid signature by the server of its user ID. keys returns the key which
// that server publishes under a key ID, or an error if it publishes none or cannot be asked. One valid signature is
// enough; those of other servers prove nothing and are not looked at. The error is ErrNoSignature if the server did
// not sign, and otherwise tells of each of its signatures why it does not count (ErrBadSignature, or what keys said).
func VerifyMapping(m Mapping, keys func(serverName, keyID string) (ed25519.PublicKey, error)) error {
	v, err := parseObject(m.Raw, "a mapping")
	if err != nil {
		return err
	}
	server, err := UserIDDomain(m.UserID)
	if err != nil {
		return fmt.Errorf("verifying a mapping: %w", err)
	}
	signatures, err := memberObject(v, "signatures")
	if err != nil {
		return fmt.Errorf("verifying the mapping of %s: %w", m.UserID, err)
	}
	ofServer, err := memberObject(signatures, server)
	if err != nil {
		return fmt.Errorf("verifying the mapping of %s: among the signatures, %w", m.UserID, err)
	}
	message := signedBytes(v)
	var failures []error
	for _, signature := range ofServer.members {
		err := verifyMappingSignature(message, server, signature, keys)
		if err == nil {
			return nil
		}
		failures = append(failures, fmt.Errorf("verifying the mapping of %s by key %s of %s: %w", m.UserID, quote(signature.key), server, err))
	}
	if len(failures) == 0 {
		return fmt.Errorf("verifying the mapping of %s: %w: %s did not sign it", m.UserID, ErrNoSignature, server)
	}
	return errors.Join(failures...)
}

// verifyMappingSignature checks one of a server's signatures, a member of its object of signatures.
func verifyMappingSignature(message []byte, server string, signature member, keys func(serverName, keyID string) (ed25519.PublicKey, error)) error {
	if !strings.HasPrefix(signature.key, "ed25519:") {
		return fmt.Errorf("%w: its key ID is not of the algorithm ed25519", ErrBadSignature)
	}
	key, err := keys(server, signature.key)
	if err != nil {
		return err
	}
	return verifyText(message, signature.value, key)
}

// MappingOf returns content.mxid_mapping of an event as it stands, and whether there is one. It reads, and does not
// judge: ParseMapping does.
func MappingOf(event []byte) (raw []byte, ok bool) {
	var content json.RawMessage
	if content, ok = topLevel(event)["content"]; !ok {
		return nil, false
	}
	mapping, ok := topLevel(content)[MappingField]
	return mapping, ok
}
