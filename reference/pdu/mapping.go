package pdu

// This file reads and writes mappings as JSON, and verifies their signatures. What becomes of one that is not verified is
// decided in reference/pseudonym.

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"msc4014/reference/identity"
)

// MappingField is the field of a member event's content that holds the mapping (MSC4014, Proposal 4).
const MappingField = "mxid_mapping"

// Mapping links a sender key to a user ID. ParseMapping makes it of JSON; nothing is said about its signatures.
type Mapping struct {
	Dialect Dialect // by the name of the field with the key
	Key     identity.SenderKey
	UserID  string
	Raw     []byte // the JSON, with signatures
}

// UnsignedMapping returns a mapping in canonical JSON, without validating anything. SignJSON signs it.
func UnsignedMapping(dialect Dialect, key identity.SenderKey, userID string) []byte {
	return object{dialect.MappingKeyField(): quoted(string(key)), "user_id": quoted(userID)}.canonical()
}

// ParseMapping reads a mapping. It returns an error unless that is an object with a canonical form, with a sender key in
// the field of one dialect, nothing in that of the other, and a user ID. It may have more fields: signatures cover them.
func ParseMapping(raw []byte) (Mapping, error) {
	o, err := read(raw, "a mapping")
	if err != nil {
		return Mapping{}, err
	}
	m := Mapping{Raw: slices.Clone(raw)}
	m.UserID, _ = o.lookupText("user_id")
	for _, dialect := range []Dialect{DialectMSC4014, DialectDendrite} {
		if _, ok := o[dialect.MappingKeyField()]; !ok {
			continue
		}
		if m.Dialect != "" {
			return Mapping{}, errors.New("reading a mapping: it names a key in both dialects")
		}
		key, _ := o.lookupText(dialect.MappingKeyField())
		m.Dialect, m.Key = dialect, identity.SenderKey(key)
	}
	if _, err := identity.ParseSenderKey(string(m.Key)); err != nil {
		return Mapping{}, fmt.Errorf("reading a mapping: %w", err)
	}
	if err := identity.CheckUserID(m.UserID); err != nil {
		return Mapping{}, fmt.Errorf("reading a mapping: %w", err)
	}
	return m, nil
}

// VerifyMapping returns an error unless the domain of the user ID signed the mapping (MSC4014, Proposal 4.1). keys returns
// the key that a server publishes under a key ID. One valid signature is enough, and signatures of other servers do not
// count. The error is ErrNoSignature if the domain has none; else it has those of all that it has, each
// ErrBadSignature or an error of keys.
func VerifyMapping(m Mapping, keys func(serverName, keyID string) (ed25519.PublicKey, error)) error {
	domain, err := identity.UserIDDomain(m.UserID)
	if err != nil {
		return fmt.Errorf("verifying a mapping: %w", err)
	}
	o, err := read(m.Raw, "a mapping")
	if err != nil {
		return err
	}
	signatures, err := o.childOrEmpty("signatures")
	if err != nil {
		return fmt.Errorf("verifying the mapping of %s: %w", m.UserID, err)
	}
	byDomain, err := signatures.childOrEmpty(domain)
	if err != nil {
		return fmt.Errorf("verifying the mapping of %s: %w", m.UserID, err)
	}
	if len(byDomain) == 0 {
		return fmt.Errorf("verifying the mapping of %s: %w by %s", m.UserID, ErrNoSignature, domain)
	}
	var failed []error
	for _, keyID := range slices.Sorted(maps.Keys(byDomain)) {
		err := verifyMapping(m, domain, keyID, keys)
		if err == nil {
			return nil
		}
		failed = append(failed, fmt.Errorf("verifying the mapping of %s by key %.60q: %w", m.UserID, keyID, err))
	}
	return errors.Join(failed...)
}

// verifyMapping verifies one signature of a mapping.
func verifyMapping(m Mapping, server, keyID string, keys func(serverName, keyID string) (ed25519.PublicKey, error)) error {
	if !strings.HasPrefix(keyID, "ed25519:") {
		return fmt.Errorf("%w: its algorithm is not known", ErrBadSignature)
	}
	key, err := keys(server, keyID)
	if err != nil {
		return err
	}
	return VerifyJSON(m.Raw, server, keyID, key)
}
