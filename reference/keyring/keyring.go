// Package keyring has the signing keys of servers: this server's, and those of others, which it fetches and stores. It
// publishes both, as a server and as a notary (server-server API, "Retrieving server keys"), and signs and checks
// requests with them ("Request authentication").
//
// In pseudonymous rooms events are not signed by server keys. Server keys sign the mapping from a sender key to a user
// ID (MSC4014, Proposal 4.1), and every request between servers.
package keyring

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"msc4014/reference/federation/transport"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// Config has the dependencies of a Keyring.
type Config struct {
	ServerName string
	Store      *store.Store
	Transport  *transport.Transport
	Now        func() time.Time // nil means time.Now
	// AskEachTime requests keys anew for each caller for whom the known ones are not enough, instead of once for all callers within a
	// short time (routing/look-ups-bounded).
	AskEachTime bool
	// KeepReplaced keeps keys that a server does not publish any more, until the end of the process
	// (mapping/server-key-replaced).
	KeepReplaced bool
}

// Keyring holds the keys. It is safe for concurrent use.
type Keyring struct {
	serverName string
	store      *store.Store
	transport  *transport.Transport
	now        func() time.Time
	own        pseudonym.ServerSigner
	documents  *store.Map[fetched] // by server name
	eachTime   bool                // AskEachTime
	keep       bool                // KeepReplaced

	lifetime context.Context
	end      context.CancelFunc
	flights  sync.WaitGroup
	mu       sync.Mutex
	servers  map[string]*server
	closed   bool
}

// ownKey is the stored form of this server's key.
type ownKey struct {
	KeyID string `json:"key_id"`
	Seed  []byte `json:"seed"`
}

// New returns a keyring. This server's key is made once and kept in the store.
func New(c Config) (*Keyring, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	own, err := loadOwnKey(c.Store, c.ServerName)
	if err != nil {
		return nil, fmt.Errorf("the signing key of %s: %w", c.ServerName, err)
	}
	documents, err := store.NewMap[fetched](c.Store, "server_keys")
	if err != nil {
		return nil, err
	}
	lifetime, end := context.WithCancel(context.Background())
	return &Keyring{
		serverName: c.ServerName, store: c.Store, transport: c.Transport, now: c.Now, own: own, documents: documents, eachTime: c.AskEachTime, keep: c.KeepReplaced,
		lifetime: lifetime, end: end, servers: map[string]*server{},
	}, nil
}

// Close cancels fetches. The store must stay open until it returns.
func (k *Keyring) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.end()
	k.flights.Wait()
}

// Signer returns this server's signing key.
func (k *Keyring) Signer() pseudonym.ServerSigner { return k.own }

func loadOwnKey(s *store.Store, serverName string) (pseudonym.ServerSigner, error) {
	kept, err := store.NewMap[ownKey](s, "own_key")
	if err != nil {
		return pseudonym.ServerSigner{}, err
	}
	key, ok := kept.Get(serverName)
	if !ok {
		key = ownKey{KeyID: newKeyID(), Seed: randomBytes(ed25519.SeedSize)}
		if err := s.Update(func(tx *store.Tx) error { kept.Put(tx, serverName, key); return nil }); err != nil {
			return pseudonym.ServerSigner{}, err
		}
	}
	if len(key.Seed) != ed25519.SeedSize {
		return pseudonym.ServerSigner{}, errors.New("the stored key is not an Ed25519 seed")
	}
	return pseudonym.ServerSigner{Name: serverName, KeyID: key.KeyID, Key: ed25519.NewKeyFromSeed(key.Seed)}, nil
}

// newKeyID returns a key ID that the server will not use again if it loses its key, since others remember it.
func newKeyID() string { return "ed25519:ref_" + hex.EncodeToString(randomBytes(4)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: the program would crash instead
	return b
}
