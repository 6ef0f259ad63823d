package senderkey

// Keys differ between rooms, between users, and from the keys of the server.

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// A key is scoped to a user and a room: keys of one user in several rooms would tell that it is the same user (MSC4014,
// Proposal 3).
var _ = check.Register(check.Check{
	Name:     "one user has different keys in two rooms",
	Requires: []string{"sender-key/differs-between-rooms"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
		rooms := make([]*stage.Room, 2)
		for i := range rooms {
			roomID := alice.Makes(stage.Public)
			bob.Joins(roomID)
			rooms[i] = witness.Joins(roomID, witness.User("witness"))
		}
		assert.NotEqual(c, keyOf(c, rooms[0], "mapping/in-creator-join", alice.UserID),
			keyOf(c, rooms[1], "mapping/in-creator-join", alice.UserID), "the keys of one user in two rooms that it made")
		assert.NotEqual(c, keyOf(c, rooms[0], "mapping/in-local-join", bob.UserID),
			keyOf(c, rooms[1], "mapping/in-local-join", bob.UserID), "the keys of one user in two rooms that it joined")
	},
})

// keyOf returns the key of a user in a room as the peer received it: that of the join that maps it to the user. The join need
// not be in the room's state: where users share a key, only the last one's is. Without one, requirement is broken.
func keyOf(c *check.C, room *stage.Room, requirement, userID string) string {
	for _, event := range room.Events() {
		if scenes.AnotherMember(userID, "join")(event) == nil {
			return event.Sender()
		}
	}
	c.Need(requirement, fmt.Errorf("no join that the peer was given maps a key to %s", userID))
	return ""
}

// And each user of a room has a key of its own (MSC4014, Proposal 3).
var _ = check.Register(check.Check{
	Name:     "users of one server have different keys in a room",
	Requires: []string{"sender-key/differs-between-users"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, dan, witness := s.User("alice"), s.User("bob"), s.User("dan"), s.Peer()
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID)
		dan.Joins(roomID)
		room := witness.Joins(roomID, witness.User("witness"))
		owners := map[string]string{keyOf(c, room, "mapping/in-creator-join", alice.UserID): alice.UserID}
		for _, user := range []*stage.User{bob, dan} {
			key := keyOf(c, room, "mapping/in-local-join", user.UserID)
			if other, taken := owners[key]; taken {
				c.Errorf("two users of one server have the same key in a room: %s and %s have %s", other, user.UserID, key)
			}
			owners[key] = user.UserID
		}
	},
})

// The key belongs to a user in a room, so it is none of the keys that the server signs with as itself (MSC4014, Proposal
// 3).
var _ = check.Register(check.Check{
	Name:     "a sender key is not a published server key",
	Requires: []string{"sender-key/not-the-server-key"},
	Body: func(c *check.C) {
		seen := openRoomOfTwo(c)
		for _, key := range seen.keys {
			assert.NotContains(c, seen.published, key, "the keys that the server publishes")
		}
	},
})

// roomOfTwo is what a peer sees of a room that one user of the server made and another joined.
type roomOfTwo struct {
	roomID, server string
	keys           map[string]string // by user ID
	published      []string          // the server's own keys
}

func openRoomOfTwo(c *check.C) roomOfTwo {
	s := stage.Open(c, blueprints.OneServer)
	alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
	roomID := alice.Makes(stage.Public)
	bob.Joins(roomID)
	room := witness.Joins(roomID, witness.User("witness"))
	return roomOfTwo{
		roomID: roomID, server: s.ServerName(1), published: publishedKeys(c, witness, s.ServerName(1)),
		keys: map[string]string{
			alice.UserID: keyOf(c, room, "mapping/in-creator-join", alice.UserID),
			bob.UserID:   keyOf(c, room, "mapping/in-local-join", bob.UserID),
		},
	}
}

// publishedKeys returns the keys, current and old, that a server publishes.
func publishedKeys(c *check.C, asking *stage.Peer, server string) []string {
	ctx, cancel := asking.Within()
	defer cancel()
	answer, err := asking.Do(ctx, server, http.MethodGet, "/_matrix/key/v2/server", nil)
	c.Need("resilience/stays-up", err)
	var keys []string
	for _, kind := range []string{"verify_keys", "old_verify_keys"} {
		answer.Get(kind).ForEach(func(_, key gjson.Result) bool {
			keys = append(keys, strings.TrimRight(key.Get("key").String(), "="))
			return true
		})
	}
	if len(keys) == 0 {
		c.Need("mapping/signed-by-users-server", fmt.Errorf("the server publishes no key: %s", answer))
	}
	return keys
}
