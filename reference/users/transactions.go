package users

// This file makes requests with a transaction ID idempotent (client-server API, "Transaction identifiers").

import (
	"sync"

	"msc4014/reference/store"
)

// Once performs a request of a device unless it was done before, and returns the resulting event ID. endpoint is the
// path without the transaction ID: transaction IDs are scoped to it. Requests of one device are serialised, so that a
// repeated request waits for the first.
func (u *Users) Once(h Holder, endpoint, transactionID string, do func() (eventID string, err error)) (string, error) {
	turn := u.turn(h)
	turn.Lock()
	defer turn.Unlock()
	key := transactionKey(h, endpoint, transactionID)
	if done, found := u.transaction.Get(key); found {
		return done, nil
	}
	eventID, err := do()
	if err != nil {
		return "", err
	}
	if _, done := u.transaction.Get(key); done {
		return eventID, nil
	}
	return eventID, u.Store.Update(func(tx *store.Tx) error {
		u.Done(tx, h, endpoint, transactionID, eventID)
		return nil
	})
}

// Done records a request as done. It should be called in the same Update as the request's effect, otherwise a server
// that is killed in between repeats it. Once calls it if do did not.
func (u *Users) Done(tx *store.Tx, h Holder, endpoint, transactionID, eventID string) {
	u.transaction.Put(tx, transactionKey(h, endpoint, transactionID), eventID)
}

func transactionKey(h Holder, endpoint, transactionID string) string {
	return store.Key(h.UserID, h.DeviceID, endpoint, transactionID)
}

// turn returns the lock of a device's requests.
func (u *Users) turn(h Holder) *sync.Mutex {
	u.lock.Lock()
	defer u.lock.Unlock()
	turn, found := u.sending[h]
	if !found {
		turn = &sync.Mutex{}
		u.sending[h] = turn
	}
	return turn
}
