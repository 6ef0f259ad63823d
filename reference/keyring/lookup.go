package keyring

// This file looks up a server's key by its ID.

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// mappingTimeout limits how long the judgement of a mapping waits for keys: a join waits for it ("with a shortish
// timeout", MSC1228, Implementation).
const mappingTimeout = 2 * time.Second

// published returns a key, preferably valid until validAt (milliseconds): if the known one is not, the server is asked
// again. The key may still have expired, if it is an old one or nothing newer is available: callers must check
// ValidUntil. The error is pseudonym.ErrNoSuchKey if the server answered and has no such key.
func (k *Keyring) published(ctx context.Context, serverName, keyID string, validAt int64) (pseudonym.PublishedKey, error) {
	if serverName == k.serverName {
		return k.ownPublished(keyID)
	}
	known, failed := k.document(ctx, serverName, func(d *document) bool { return d.hasUntil(keyID, validAt) })
	if known != nil {
		if key, ok := known.keys[keyID]; ok {
			return key, nil
		}
	}
	if failed != nil {
		return pseudonym.PublishedKey{}, fmt.Errorf("key %s of %s is unavailable: %w", keyID, serverName, failed)
	}
	return pseudonym.PublishedKey{}, fmt.Errorf("%w: %s of %s", pseudonym.ErrNoSuchKey, keyID, serverName)
}

// hasUntil reports whether a document has a key that is valid until a time, or an old key, whose expiry is final.
func (d *document) hasUntil(keyID string, validAt int64) bool {
	key, ok := d.keys[keyID]
	return ok && (key.ValidUntil >= validAt || !d.current[keyID])
}

// valid returns a key that is valid at validAt.
func (k *Keyring) valid(ctx context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error) {
	key, err := k.published(ctx, serverName, keyID, validAt)
	if err != nil {
		return nil, err
	}
	if key.ValidUntil < validAt {
		return nil, fmt.Errorf("key %s of %s was valid until %s, not at %s", keyID, serverName, at(key.ValidUntil), at(validAt))
	}
	return key.Key, nil
}

func at(milliseconds int64) string { return time.UnixMilli(milliseconds).UTC().Format(time.RFC3339) }

// KeySource returns the keyring as a key source for judging mappings. Its lookups time out after two seconds.
func (k *Keyring) KeySource() pseudonym.KeySource { return mappingKeys{k} }

type mappingKeys struct{ k *Keyring }

// ServerKey implements pseudonym.KeySource.
func (m mappingKeys) ServerKey(serverName, keyID string) (pseudonym.PublishedKey, error) {
	ctx, cancel := m.k.within(m.k.lifetime, mappingTimeout)
	defer cancel()
	return m.k.published(ctx, serverName, keyID, m.k.now().UnixMilli())
}

// ServerKeys returns the keyring as a key source for checking events of ordinary rooms.
func (k *Keyring) ServerKeys() rules.ServerKeys { return eventKeys{k} }

type eventKeys struct{ k *Keyring }

// ServerKey implements rules.ServerKeys.
func (e eventKeys) ServerKey(ctx context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error) {
	return e.k.valid(ctx, serverName, keyID, validAt)
}
