package pseudonym

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
)

type memoryStore struct {
	mu   sync.Mutex
	keys map[[2]string]identity.KeyPair
	err  error
}

func (m *memoryStore) Load(roomID, userID string) (identity.KeyPair, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, ok := m.keys[[2]string{roomID, userID}]
	return key, ok, m.err
}

func (m *memoryStore) Save(roomID, userID string, key identity.KeyPair) (identity.KeyPair, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept, ok := m.keys[[2]string{roomID, userID}]; ok {
		return kept, nil
	}
	m.keys[[2]string{roomID, userID}] = key
	return key, nil
}

// sender-key/differs-between-rooms, differs-between-users, kept-on-rejoin, kept-after-kick, kept-from-invite-to-join,
// kept-from-knock-to-join, kept-on-profile-change: whatever a key is asked for, it is the pair's.
func TestSenderKey(t *testing.T) {
	store := &memoryStore{keys: map[[2]string]identity.KeyPair{}}
	get := func(roomID, userID string) identity.SenderKey {
		key, err := SenderKey(store, roomID, userID)
		require.NoError(t, err)
		return key.Public
	}
	first := get("!a:one.test", aliceID)
	assert.Equal(t, first, get("!a:one.test", aliceID))
	assert.NotEqual(t, first, get("!b:one.test", aliceID))
	assert.NotEqual(t, first, get("!a:one.test", bobID))

	store.err = errors.New("disk on fire")
	_, err := SenderKey(store, "!a:one.test", aliceID)
	assert.ErrorContains(t, err, "loading the sender key of @alice:one.test in !a:one.test: disk on fire")
}

// resilience/concurrent-joins: many first uses at once end with one key.
func TestSenderKeyIsMadeOnce(t *testing.T) {
	store := &memoryStore{keys: map[[2]string]identity.KeyPair{}}
	var wait sync.WaitGroup
	keys := make([]identity.SenderKey, 20)
	for i := range keys {
		wait.Go(func() {
			key, err := SenderKey(store, testRoom, aliceID)
			assert.NoError(t, err)
			keys[i] = key.Public
		})
	}
	wait.Wait()
	for _, key := range keys {
		assert.Equal(t, keys[0], key)
	}
}
