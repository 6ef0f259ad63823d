package rooms

// This file verifies mappings: when a member event arrives, and again later if the keys were unavailable.

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// The wait before a verification is retried, which doubles each time.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// ownKeys has the server's own keys, and gets those of others from another source.
type ownKeys struct {
	rooms  *Rooms
	others pseudonym.KeySource
}

// ServerKey returns a key of this server, or of another server by way of others.
func (o ownKeys) ServerKey(serverName, keyID string) (pseudonym.PublishedKey, error) {
	own := o.rooms.Server
	if serverName != own.Name {
		return o.others.ServerKey(serverName, keyID)
	}
	if keyID != own.KeyID {
		return pseudonym.PublishedKey{}, pseudonym.ErrNoSuchKey
	}
	public, _ := own.Key.Public().(ed25519.PublicKey)
	return pseudonym.PublishedKey{Key: public, ValidUntil: now() + time.Hour.Milliseconds()}, nil
}

// KeyAsker requests the keys of a server out of turn. Config.MappingKeys has the result from then on.
type KeyAsker interface {
	// AskAgain requests a server's keys, however recently it was asked.
	AskAgain(ctx context.Context, serverName string) error
	// AskNotary requests the keys of a server from a notary; believed says whether to accept them.
	AskNotary(ctx context.Context, notary, serverName string, believed bool) error
}

// noKeys is a key source without keys, for judging without network requests.
type noKeys struct{}

func (noKeys) ServerKey(string, string) (pseudonym.PublishedKey, error) {
	return pseudonym.PublishedKey{}, errNotAsked
}

var errNotAsked = errors.New("no server may be asked for its keys")

// judge judges the mapping of a member event of a pseudonymous room; it may request the keys of the user's server. For
// other events it returns nil.
func (r *Room) judge(event *pdu.Event) *pseudonym.Judgement {
	return r.judgeBy(event, ownKeys{r.rooms, r.rooms.MappingKeys})
}

// judgeBrought judges the mapping of a member event that a server delivered. Whether another server is asked as a
// notary if the user's own does not give its keys is unverified/notary; here it is the delivering server.
func (r *Room) judgeBrought(ctx context.Context, origin string, event *pdu.Event) *pseudonym.Judgement {
	j := r.judge(event)
	reading := r.rooms.Pseudonym.Readings.Notary
	if j == nil || !j.Retry() || reading == "not-asked" {
		return j
	}
	domain, err := identity.UserIDDomain(j.Mapping.UserID)
	if err != nil {
		return j
	}
	if err := r.rooms.KeyAsker.AskNotary(ctx, origin, domain, reading == "taken"); err != nil {
		r.rooms.Log.Info("no notary has the keys of a member's server", "room", r.id, "server", domain, "error", err)
	}
	return r.judge(event)
}

// judgeOwn judges the mapping in an event that this server wrote, without network requests: a local user's mapping is
// signed by this server, and a remote user's was verified before.
func (r *Room) judgeOwn(event *pdu.Event) *pseudonym.Judgement {
	return r.judgeBy(event, ownKeys{r.rooms, noKeys{}})
}

func (r *Room) judgeBy(event *pdu.Event, keys pseudonym.KeySource) *pseudonym.Judgement {
	if !r.format.Pseudonymous || event.Type() != memberType {
		return nil
	}
	if key, _ := event.StateKey(); r.rooms.Pseudonym.AnyMemberKey() {
		if _, err := identity.ParseSenderKey(key); err != nil {
			return nil // a state key that is not a sender key has no mapping
		}
	}
	j := r.rooms.Pseudonym.Judge(event, keys)
	if r.rooms.mappedElsewhere(j, r.id) {
		j = r.rooms.Pseudonym.Replayed(j)
	}
	return &j
}

// mappedElsewhere reports whether a mapping was seen in another room before.
func (rs *Rooms) mappedElsewhere(j pseudonym.Judgement, roomID string) bool {
	first, seen := rs.tables.seen.Get(store.Key(string(j.Mapping.Key), j.Mapping.UserID))
	return seen && first != roomID
}

// noteMapping records the room in which the mapping of a member event was first seen.
func (r *Room) noteMapping(tx *store.Tx, event *Event) {
	mapping, present, err := event.Mapping()
	if !present || err != nil {
		return
	}
	key := store.Key(string(mapping.Key), mapping.UserID)
	if _, seen := r.rooms.tables.seen.Get(key); !seen {
		r.rooms.tables.seen.Put(tx, key, r.id)
	}
}

// verifyPending retries pending verifications until Close: "we handle it as normal (and schedule a retry for later)"
// (MSC1228, Implementation).
func (rs *Rooms) verifyPending() {
	type attempt struct {
		eventID string
		wait    time.Duration
		at      time.Time
	}
	attempts := map[string]attempt{} // by room and key
	ticker := time.NewTicker(firstRetry / 2)
	defer ticker.Stop()
	for {
		select {
		case <-rs.ctx.Done():
			return
		case <-ticker.C:
		}
		for _, room := range rs.All() {
			for _, entry := range room.directory.Pending() {
				id := store.Key(room.id, string(entry.Key))
				last := attempts[id]
				if last.eventID != entry.Pending.EventID {
					last = attempt{eventID: entry.Pending.EventID, wait: firstRetry, at: time.Now().Add(firstRetry)}
				}
				if time.Now().After(last.at) {
					last.wait = min(2*last.wait, lastRetry)
					last.at = time.Now().Add(last.wait)
					rs.working.Go(func() { room.verify(entry) })
				}
				attempts[id] = last
			}
		}
	}
}

// verify judges the pending mapping of an entry again.
func (r *Room) verify(entry pseudonym.Entry) {
	event := r.Event(entry.Pending.EventID)
	if event == nil {
		return
	}
	j := r.judge(event.Event)
	if j == nil || j.Retry() || r.rooms.ctx.Err() != nil {
		return
	}
	if err := r.settle(entry.Key, event.ID(), *j); err != nil {
		r.rooms.Log.Error("a verified mapping was not stored", "room", r.id, "key", entry.Key, "error", err)
	}
	r.applyAllDeferred()
}

// settle records the later judgement of a pending mapping.
func (r *Room) settle(key identity.SenderKey, eventID string, j pseudonym.Judgement) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms.advance(func(tx *store.Tx, position int64) error {
		r.keep(tx, r.directory.Settle(key, eventID, j, position), position)
		return nil
	})
}

// VerifyNow retries at once to verify a member that clients see by a placeholder: "all requests involving the
// unverified user ID will go through the homeserver, providing a mechanism for client-initiated retries" (MSC4014,
// Changes 6.1). It returns the user ID that requests for the placeholder are about: the member's true one if it is
// verified, or under the reading "leave" of unverified/requests-stay-home the one that it claims.
func (rs *Rooms) VerifyNow(ctx context.Context, placeholder string) (userID string, ok bool) {
	reading := rs.Pseudonym.Readings.PlaceholderRequests
	for _, room := range rs.All() {
		key, known := room.directory.Key(placeholder)
		if !known {
			continue
		}
		for _, entry := range room.directory.Pending() {
			if entry.Key != key {
				continue
			}
			switch reading {
			case "leave":
				return entry.Pending.UserID, true
			case "retry-verification":
				room.askAndVerify(ctx, entry)
			}
		}
		if userID, ok := room.directory.Verified(key); ok {
			return userID, true
		}
	}
	return "", false
}

// askAndVerify requests the keys of a member's server at once, and judges its mapping again.
func (r *Room) askAndVerify(ctx context.Context, entry pseudonym.Entry) {
	domain, err := identity.UserIDDomain(entry.Pending.UserID)
	if err == nil {
		err = r.rooms.KeyAsker.AskAgain(ctx, domain)
	}
	if err != nil {
		r.rooms.Log.Info("a member cannot be verified yet", "room", r.id, "key", entry.Key, "error", err)
		return
	}
	r.verify(entry)
}

// verifyInBackground retries the verification of a member when an event from it arrives.
func (r *Room) verifyInBackground(sender string) {
	for _, entry := range r.directory.Pending() {
		if string(entry.Key) == sender {
			r.rooms.working.Go(func() { r.verify(entry) })
		}
	}
}
