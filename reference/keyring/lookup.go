package keyring

// This file answers, which key a server has under an ID, in the forms in which others ask.

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// mappingTimeout bounds how long the judgement of a mapping waits for keys: a join waits for it ("with a shortish
// timeout", MSC1228, Implementation).
const mappingTimeout = 2 * time.Second

// published returns a key, which should be valid until validAt (milliseconds): if the one that is known is not, the
// server is asked again. It may be past its validity all the same, if it is an old one or nothing newer can be had:
// whoever asks looks at ValidUntil. The error is pseudonym.ErrNoSuchKey if the server answered and has no such key.
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
		return pseudonym.PublishedKey{}, fmt.Errorf("key %s of %s cannot be had: %w", keyID, serverName, failed)
	}
	return pseudonym.PublishedKey{}, fmt.Errorf("%w: %s of %s", pseudonym.ErrNoSuchKey, keyID, serverName)
}

// hasUntil tells whether a document has a key valid until a time, or one whose end will not change any more.
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

// KeySource returns the keyring as who judges mappings asks it. It gives up after two seconds.
func (k *Keyring) KeySource() pseudonym.KeySource { return mappingKeys{k} }

type mappingKeys struct{ k *Keyring }

// ServerKey makes this a pseudonym.KeySource.
func (m mappingKeys) ServerKey(serverName, keyID string) (pseudonym.PublishedKey, error) {
	ctx, cancel := m.k.within(m.k.lifetime, mappingTimeout)
	defer cancel()
	return m.k.published(ctx, serverName, keyID, m.k.now().UnixMilli())
}

// ServerKeys returns the keyring as who checks events of ordinary rooms asks it.
func (k *Keyring) ServerKeys() rules.ServerKeys { return eventKeys{k} }

type eventKeys struct{ k *Keyring }

// ServerKey makes this a rules.ServerKeys.
func (e eventKeys) ServerKey(ctx context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error) {
	return e.k.valid(ctx, serverName, keyID, validAt)
}
