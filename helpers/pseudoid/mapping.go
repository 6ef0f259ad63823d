// This file builds, signs and verifies mxid_mapping: the mapping of a sender key to a user ID, signed by the user's server
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

// Mapping is a parsed mxid_mapping. Dialect is that of the field with its key, Raw is its JSON. Its signatures are not verified: use
// VerifyMapping.
type Mapping struct {
	Dialect Dialect
	Key     SenderKey
	UserID  string
	Raw     []byte
}

// NewMapping returns an unsigned mapping in canonical JSON. It does not validate key and userID.
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

// ParseMapping parses a mapping strictly: it must be a JSON object that CanonicalJSON accepts, with a valid sender key in the field
// of exactly one dialect, and a valid user ID. Further fields are allowed: signatures cover them.
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
		return Mapping{}, errors.New(`reading a mapping: its "user_id" is missing or not a string`)
	}
	if err := ValidUserID(userID.text); err != nil {
		return Mapping{}, fmt.Errorf("reading a mapping: %w", err)
	}
	mapping.UserID = userID.text
	mapping.Raw = append([]byte(nil), raw...)
	return mapping, nil
}

// VerifyMapping returns an error unless the mapping has a valid signature by the server of its user ID. keys returns the key that the
// server publishes under a key ID, or an error. One valid signature is enough; those of other servers are ignored. The error is
// ErrNoSignature if the server did not sign; otherwise it joins the errors of all its signatures (ErrBadSignature, or those of
// keys).
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
	var failures []error
	for _, signature := range ofServer.members {
		err := verifyMappingSignature(m.Raw, server, signature.key, keys)
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

// verifyMappingSignature verifies one of a server's signatures.
func verifyMappingSignature(mapping []byte, server, keyID string, keys func(serverName, keyID string) (ed25519.PublicKey, error)) error {
	if !strings.HasPrefix(keyID, "ed25519:") {
		return fmt.Errorf("%w: its key ID is not of the algorithm ed25519", ErrBadSignature)
	}
	key, err := keys(server, keyID)
	if err != nil {
		return err
	}
	return VerifyJSON(mapping, server, keyID, key)
}

// MappingOf returns the raw content.mxid_mapping of an event, and whether there is one. It does not validate it: use ParseMapping.
func MappingOf(event []byte) (raw []byte, ok bool) {
	var content json.RawMessage
	if content, ok = topLevel(event)["content"]; !ok {
		return nil, false
	}
	mapping, ok := topLevel(content)[MappingField]
	return mapping, ok
}
