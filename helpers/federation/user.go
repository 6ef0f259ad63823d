package federation

// Users of a peer, and their sender keys: one for each room.

import (
	"strings"
	"sync"

	"msc4014/helpers/pseudoid"
)

// User is a user of a peer. Its methods are safe for concurrent use.
type User struct {
	peer      *Peer
	localpart string

	mu          sync.Mutex
	keys        map[string]pseudoid.KeyPair // by room ID
	displayName string
	avatarURL   string
}

// User returns the peer's user with that localpart, and creates it on the first call.
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

// userByID returns the peer's user of that ID, or nil if it does not exist.
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

// KeyIn returns the user's sender key pair in a room, and generates it on the first call.
func (u *User) KeyIn(roomID string) pseudoid.KeyPair {
	u.mu.Lock()
	defer u.mu.Unlock()
	pair, ok := u.keys[roomID]
	if !ok {
		pair = pseudoid.GenerateKeyPair()
		u.keys[roomID] = pair
		u.peer.sw.markKey(pair.Public)
	}
	return pair
}

// NewKey replaces the user's sender key pair in a room by a new one and returns that.
func (u *User) NewKey(roomID string) pseudoid.KeyPair {
	pair := pseudoid.GenerateKeyPair()
	u.UseKey(roomID, pair)
	return pair
}

// UseKey sets the user's sender key pair in a room.
func (u *User) UseKey(roomID string, pair pseudoid.KeyPair) {
	u.peer.sw.markKey(pair.Public)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys[roomID] = pair
}

// SenderIn returns the sender of the user's events: its sender key in pseudonymous rooms, its user ID in others.
func (u *User) SenderIn(room *Room) string {
	if room.format.Pseudonymous {
		return string(u.KeyIn(room.id).Public)
	}
	return u.ID()
}

// SetProfile sets the user's profile; empty strings mean none.
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

// userBySender returns the peer's user with a sender (its current sender key, or its user ID), or nil.
func (p *Peer) userBySender(roomID, sender string) *User {
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
