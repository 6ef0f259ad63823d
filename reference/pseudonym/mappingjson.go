package pseudonym

// This file reads and writes mappings as JSON, and verifies their signatures. What a mapping means is in mapping.go, and
// what becomes of one that is not verified in judge.go.

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"msc4014/reference/event"
	"msc4014/reference/identity"
)

// MappingField is the field of a member event's content that holds the mapping (MSC4014, Proposal 4).
const MappingField = "mxid_mapping"

// Mapping links a sender key to a user ID. ParseMapping makes it of JSON; nothing is said about its signatures.
type Mapping struct {
	Dialect event.Dialect // by the name of the field with the key
	Key     identity.SenderKey
	UserID  string
	Raw     []byte // the JSON, with signatures
}

// UnsignedMapping returns a mapping in canonical JSON, without validating anything. event.SignJSON signs it.
func UnsignedMapping(dialect event.Dialect, key identity.SenderKey, userID string) []byte {
	mapping := object{}
	mapping.set(dialect.MappingKeyField(), key)
	mapping.set("user_id", userID)
	canonical, err := event.CanonicalJSON(mapping.raw())
	if err != nil {
		panic("pseudonym: two strings have no canonical JSON: " + err.Error())
	}
	return canonical
}

// MappingOf returns the mapping in an event as it stands there, and whether there is anything. It reads leniently.
func MappingOf(raw []byte) (mapping []byte, ok bool) {
	o, err := parseObject(raw, "an event")
	if err != nil {
		return nil, false
	}
	mapping, ok = o.child("content")[MappingField]
	return mapping, ok
}

// ParseMapping reads a mapping. It returns an error unless that is an object with a canonical form, with a sender key in
// the field of one dialect, nothing in that of the other, and a user ID. It may have more fields: signatures cover them.
func ParseMapping(raw []byte) (Mapping, error) {
	if _, err := event.CanonicalJSON(raw); err != nil {
		return Mapping{}, fmt.Errorf("reading a mapping: %w", err)
	}
	o, err := parseObject(raw, "a mapping")
	if err != nil {
		return Mapping{}, err
	}
	m := Mapping{UserID: o.text("user_id"), Raw: slices.Clone(raw)}
	for _, dialect := range []event.Dialect{event.DialectMSC4014, event.DialectDendrite} {
		if _, ok := o[dialect.MappingKeyField()]; !ok {
			continue
		}
		if m.Dialect != "" {
			return Mapping{}, errors.New("reading a mapping: it names a key in both dialects")
		}
		m.Dialect, m.Key = dialect, identity.SenderKey(o.text(dialect.MappingKeyField()))
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
// count. The error is event.ErrNoSignature if the domain has none; else it has those of all that it has, each
// event.ErrBadSignature or an error of keys.
func VerifyMapping(m Mapping, keys func(serverName, keyID string) (ed25519.PublicKey, error)) error {
	domain, err := identity.UserIDDomain(m.UserID)
	if err != nil {
		return fmt.Errorf("verifying a mapping: %w", err)
	}
	o, err := parseObject(m.Raw, "a mapping")
	if err != nil {
		return err
	}
	signatures, err := o.objectAt("signatures")
	if err != nil {
		return fmt.Errorf("verifying the mapping of %s: %w", m.UserID, err)
	}
	byDomain, err := signatures.objectAt(domain)
	if err != nil {
		return fmt.Errorf("verifying the mapping of %s: %w", m.UserID, err)
	}
	if len(byDomain) == 0 {
		return fmt.Errorf("verifying the mapping of %s: %w by %s", m.UserID, event.ErrNoSignature, domain)
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
		return fmt.Errorf("%w: its algorithm is not known", event.ErrBadSignature)
	}
	key, err := keys(server, keyID)
	if err != nil {
		return err
	}
	return event.VerifyJSON(m.Raw, server, keyID, key)
}

// objectAt returns the object under a key, nil if nothing is there, and an error if something else is.
func (o object) objectAt(key string) (object, error) {
	raw, ok := o[key]
	if !ok {
		return nil, nil
	}
	return parseObject(raw, fmt.Sprintf("%.60q", key))
}
