package pseudonym

// This file gives a user its key in a room.

import (
	"fmt"

	"msc4014/helpers/pseudoid"
)

// KeyStore keeps the keys of the own users, room by room, for good: nothing ever removes one.
type KeyStore interface {
	// Load returns the key of a user in a room, and whether there is one.
	Load(roomID, userID string) (pseudoid.KeyPair, bool, error)
	// Save keeps a key for a user in a room, unless there is one already, and returns the key that is kept. It must be
	// atomic, and durable once it returns: an event signed by a key that is lost leaves its member locked out.
	Save(roomID, userID string, key pseudoid.KeyPair) (kept pseudoid.KeyPair, err error)
}

// SenderKey returns the key of an own user in a room and makes it when it is first needed, be it for a join, a knock, an
// invite or power given in advance.
//
// The key is scoped to one user in one room, so it is made for the pair and shared with nothing: one key for a user
// everywhere would tell that "some user" is in all these rooms (MSC4014, Proposal 3.1). Its private part stays on the
// user's server, and it is no server key (Proposal 1.2). It should not change (Proposal 3.2), and whoever leaves and
// comes back uses the same one, which makes bans harder to evade (MSC1228, Proposal): leaving, being kicked or banned,
// and forgetting the room therefore do nothing here.
func SenderKey(store KeyStore, roomID, userID string) (pseudoid.KeyPair, error) {
	key, ok, err := store.Load(roomID, userID)
	if err != nil {
		return pseudoid.KeyPair{}, fmt.Errorf("loading the sender key of %s in %s: %w", userID, roomID, err)
	}
	if ok {
		return key, nil
	}
	// Two requests may get here at once: the store decides whose key it is.
	key, err = store.Save(roomID, userID, pseudoid.GenerateKeyPair())
	if err != nil {
		return pseudoid.KeyPair{}, fmt.Errorf("keeping the sender key of %s in %s: %w", userID, roomID, err)
	}
	return key, nil
}
