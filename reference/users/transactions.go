package users

// This file makes requests with a transaction ID happen once: client-server API, "Transaction identifiers".

import (
	"sync"

	"msc4014/reference/store"
)

// Once does a request of a device unless it was done before, and returns the event ID that it came to. endpoint tells
// requests apart whose transaction IDs may be the same: the path without it. Requests of one device are done one after
// the other, so that a request sent again waits for the first.
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

// Done has a request be done, in the same Update as what it does: else a server that is killed between the two does it
// again. Once sees to it where what it calls does not.
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
