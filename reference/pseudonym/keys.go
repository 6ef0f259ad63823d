package pseudonym

import (
	"fmt"

	"msc4014/reference/identity"
)

// KeyStore keeps the keys of local users by room, for good: nothing ever removes one.
type KeyStore interface {
	Load(roomID, userID string) (identity.KeyPair, bool, error)
	// Save stores a key for a user in a room, unless there is one already, and returns the stored key. It must be
	// atomic, and durable once it returns: if a key that has signed an event is lost, its member is locked out.
	Save(roomID, userID string, key identity.KeyPair) (kept identity.KeyPair, err error)
}

// SenderKey returns the key of a local user in a room. It makes the key when it is first needed: for a join, a knock,
// an invite, or power levels set in advance.
//
// The key is scoped to one user in one room: using one key for a user everywhere would reveal that "some user" is in
// all these rooms (MSC4014, Proposal 3.1). Its private part stays on the user's server, and it is not a server key
// (Proposal 1.2). It should not change (Proposal 3.2), and a user that leaves and comes back uses the same one, which
// makes bans harder to evade (MSC1228, Proposal). Leaving, being kicked or banned, and forgetting the room therefore do
// not touch it.
func SenderKey(store KeyStore, roomID, userID string) (identity.KeyPair, error) {
	key, ok, err := store.Load(roomID, userID)
	if err != nil {
		return identity.KeyPair{}, fmt.Errorf("loading the sender key of %s in %s: %w", userID, roomID, err)
	}
	if ok {
		return key, nil
	}
	// Two requests may get here at once: the store decides which key is kept.
	key, err = store.Save(roomID, userID, identity.GenerateKeyPair())
	if err != nil {
		return identity.KeyPair{}, fmt.Errorf("storing the sender key of %s in %s: %w", userID, roomID, err)
	}
	return key, nil
}
