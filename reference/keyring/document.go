package keyring

// This file parses and makes the documents in which servers publish their keys.

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/matrix-org/gomatrixserverlib"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// ownValidity is how long this server's key is declared valid, from the time of each response.
const ownValidity = 24 * time.Hour

// longestValidity caps the validity of other servers' keys: servers must take the lesser of valid_until_ts and 7 days
// into the future (room version 5, "Signing key validity period").
const longestValidity = 7 * 24 * time.Hour

// fetched is a document as signed by its server, with the time of the fetch in milliseconds.
type fetched struct {
	Document  json.RawMessage `json:"document"`
	FetchedAt int64           `json:"fetched_at"`
}

// document is a parsed document.
type document struct {
	raw        []byte
	validUntil int64 // in milliseconds, capped
	keys       map[string]pseudonym.PublishedKey
	current    map[string]bool // the keys in use, as opposed to old ones
}

// readDocument parses a server's document and verifies that all its keys in use signed it. An expired document is
// accepted: its keys were valid before.
func readDocument(serverName string, f fetched) (*document, error) {
	canonical, err := pdu.CanonicalJSON(f.Document) // strict: refuses duplicate keys
	if err != nil {
		return nil, fmt.Errorf("the key document of %s: %w", serverName, err)
	}
	var fields gomatrixserverlib.ServerKeys
	if err := json.Unmarshal(canonical, &fields); err != nil {
		return nil, fmt.Errorf("the key document of %s: %w", serverName, err)
	}
	if string(fields.ServerName) != serverName {
		return nil, fmt.Errorf("the key document of %s names the server %q", serverName, fields.ServerName)
	}
	d := &document{
		raw: canonical, keys: map[string]pseudonym.PublishedKey{}, current: map[string]bool{},
		validUntil: min(int64(fields.ValidUntilTS), f.FetchedAt+longestValidity.Milliseconds()),
	}
	for keyID, old := range fields.OldVerifyKeys {
		if usable(string(keyID), old.Key) {
			d.keys[string(keyID)] = pseudonym.PublishedKey{Key: ed25519.PublicKey(old.Key), ValidUntil: int64(old.ExpiredTS)}
		}
	}
	for keyID, key := range fields.VerifyKeys {
		if !usable(string(keyID), key.Key) {
			continue
		}
		public := ed25519.PublicKey(key.Key)
		if err := pdu.VerifyJSON(canonical, serverName, string(keyID), public); err != nil {
			return nil, fmt.Errorf("the key document of %s is not signed by its own key %s: %w", serverName, keyID, err)
		}
		d.keys[string(keyID)] = pseudonym.PublishedKey{Key: public, ValidUntil: d.validUntil}
		d.current[string(keyID)] = true
	}
	if len(d.current) == 0 {
		return nil, fmt.Errorf("the key document of %s has no Ed25519 key", serverName)
	}
	return d, nil
}

// keep adds the keys of an earlier document whose key IDs this one does not have.
func (d *document) keep(earlier *document) {
	for keyID, key := range earlier.keys {
		if _, there := d.keys[keyID]; !there {
			d.keys[keyID] = key
		}
	}
}

// usable reports whether a key can verify signatures. Anybody can sign for a key of small order.
func usable(keyID string, key []byte) bool {
	return strings.HasPrefix(keyID, "ed25519:") && len(key) == ed25519.PublicKeySize && !identity.SmallOrder(key)
}

// OwnDocument returns the signed document in which this server publishes its key: the response to GET
// /_matrix/key/v2/server.
func (k *Keyring) OwnDocument() ([]byte, error) {
	type verifyKey struct {
		Key string `json:"key"`
	}
	public := k.own.Key.Public().(ed25519.PublicKey)
	unsigned, err := json.Marshal(map[string]any{
		"server_name":     k.serverName,
		"valid_until_ts":  k.now().Add(ownValidity).UnixMilli(),
		"verify_keys":     map[string]verifyKey{k.own.KeyID: {identity.EncodeBase64(public)}},
		"old_verify_keys": map[string]verifyKey{}, // the key never changes
	})
	if err != nil {
		return nil, err
	}
	return pdu.SignJSON(unsigned, k.own.Name, k.own.KeyID, k.own.Key)
}

// ownPublished returns this server's key as others would see it.
func (k *Keyring) ownPublished(keyID string) (pseudonym.PublishedKey, error) {
	if keyID != k.own.KeyID {
		return pseudonym.PublishedKey{}, fmt.Errorf("%w: %s of %s", pseudonym.ErrNoSuchKey, keyID, k.serverName)
	}
	return pseudonym.PublishedKey{
		Key: k.own.Key.Public().(ed25519.PublicKey), ValidUntil: k.now().Add(ownValidity).UnixMilli(),
	}, nil
}
