package federation

// Users of a peer, and their sender keys: one for each room.

import (
	"strings"
	"sync"

	"msc4014/helpers/pseudoid"
)

// User is a user of a peer. Its methods are safe for use by several goroutines.
type User struct {
	peer      *Peer
	localpart string

	mu          sync.Mutex
	keys        map[string]pseudoid.KeyPair // by room ID
	displayName string
	avatarURL   string
}

// User returns the peer's user with that localpart, the same one each time.
func (p *Peer) User(localpart string) *User {
	p.mu.Lock()
	defer p.mu.Unlock()
	user := p.users[localpart]
	if user == nil {
		user = &User{peer: p, localpart: localpart, keys: map[string]pseudoid.KeyPair{}}
		p.users[localpart] = user
	}
	return user
}

// userByID returns the peer's user of that ID, nil if nobody asked for it before.
func (p *Peer) userByID(userID string) *User {
	localpart, domain, ok := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	if !ok || domain != p.name {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.users[localpart]
}

// ID returns the user ID.
func (u *User) ID() string { return "@" + u.localpart + ":" + u.peer.name }

// Peer returns the user's server.
func (u *User) Peer() *Peer { return u.peer }

// KeyIn returns the user's sender key pair in a room, made when it is asked for first.
func (u *User) KeyIn(roomID string) pseudoid.KeyPair {
	u.mu.Lock()
	defer u.mu.Unlock()
	pair, ok := u.keys[roomID]
	if !ok {
		pair = pseudoid.GenerateKeyPair()
		u.keys[roomID] = pair
		u.peer.sw.MarkKey(pair.Public)
	}
	return pair
}

// NewKey replaces the user's sender key pair in a room by a fresh one and returns it.
func (u *User) NewKey(roomID string) pseudoid.KeyPair {
	pair := pseudoid.GenerateKeyPair()
	u.UseKey(roomID, pair)
	return pair
}

// UseKey makes the user write under this sender key in a room from now on.
func (u *User) UseKey(roomID string, pair pseudoid.KeyPair) {
	u.peer.sw.MarkKey(pair.Public)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys[roomID] = pair
}

// SenderIn returns what stands in the sender field of the user's events: its sender key in pseudonymous rooms, its
// user ID in others.
func (u *User) SenderIn(room *Room) string {
	if room.format.Pseudonymous {
		return string(u.KeyIn(room.id).Public)
	}
	return u.ID()
}

// SetProfile sets what the user's member events and profile queries tell; empty strings mean none.
func (u *User) SetProfile(displayName, avatarURL string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.displayName, u.avatarURL = displayName, avatarURL
}

func (u *User) profile() map[string]any {
	u.mu.Lock()
	defer u.mu.Unlock()
	profile := map[string]any{}
	if u.displayName != "" {
		profile["displayname"] = u.displayName
	}
	if u.avatarURL != "" {
		profile["avatar_url"] = u.avatarURL
	}
	return profile
}

// holder returns which of the peer's users holds a sender key, nil if none does. Old keys are not remembered.
func (p *Peer) holder(roomID, sender string) *User {
	p.mu.Lock()
	users := make([]*User, 0, len(p.users))
	for _, user := range p.users {
		users = append(users, user)
	}
	p.mu.Unlock()
	for _, user := range users {
		if user.ID() == sender {
			return user
		}
		user.mu.Lock()
		pair, ok := user.keys[roomID]
		user.mu.Unlock()
		if ok && string(pair.Public) == sender {
			return user
		}
	}
	return nil
}
