package senderkey

// Chapter sender-key: one key for each user and room, and the same one for as long as possible. A peer in the room, the
// witness, sees the keys; kept-across-restart and bans are in files of their own.

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
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

// keyOf is the key of a user in a room as the peer was given it: that of the join that maps it to the user. It need not be
// in the room's state any more: where users share a key, only the last one's join is.
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
		keys := map[string]string{}
		for userID, requirement := range map[string]string{
			alice.UserID: "mapping/in-creator-join", bob.UserID: "mapping/in-local-join", dan.UserID: "mapping/in-local-join",
		} {
			key := keyOf(c, room, requirement, userID)
			if other, taken := keys[key]; taken {
				c.Errorf("two users of one server have the same key in a room: %s and %s have %s", other, userID, key)
			}
			keys[key] = userID
		}
	},
})

// The key belongs to a user in a room, so it is none of the keys that the server signs with as itself (MSC4014, Proposal
// 3).
var _ = check.Register(check.Check{
	Name:     "a sender key is no published server key",
	Requires: []string{"sender-key/not-the-server-key"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID)
		room := witness.Joins(roomID, witness.User("witness"))
		published := publishedKeys(c, witness, s.ServerName(1))
		for userID, requirement := range map[string]string{alice.UserID: "mapping/in-creator-join", bob.UserID: "mapping/in-local-join"} {
			assert.NotContains(c, published, keyOf(c, room, requirement, userID), "the keys that the server publishes")
		}
	},
})

// publishedKeys are the keys, present and old, that a server publishes.
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

// joined is a public room of alice's that bob has joined, with a witness.
type joined struct {
	alice, bob *stage.User
	witness    *stage.Peer
	room       *stage.Room
	join       federation.Event // bob's
}

// joinWitnessed plays the beginning of most checks of this chapter.
func joinWitnessed(s *stage.Stage) joined {
	scene := joined{alice: s.User("alice"), bob: s.User("bob"), witness: s.Peer()}
	roomID := scene.alice.Makes(stage.Public)
	scene.bob.Joins(roomID)
	scene.room = scene.witness.Joins(roomID, scene.witness.User("witness"))
	scene.join = scene.room.Blaming("mapping/in-local-join").MemberOf(scene.bob.UserID)
	return scene
}

// A user that leaves and joins again should have the same key, or bans are easily evaded (MSC4014, Proposal 3.2; MSC1228,
// Proposal).
var _ = check.Register(check.Check{
	Name:     "a user that joins again has the same key",
	Requires: []string{"sender-key/kept-on-rejoin"},
	Body: func(c *check.C) {
		scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
		scene.bob.Leaves(scene.room.ID())
		scene.room.Blaming("membership/leave").AwaitsLeave(scene.bob.UserID)
		scene.bob.Joins(scene.room.ID())
		again := scene.room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(scene.bob.UserID, "join", scene.join))
		assert.Equal(c, scene.join.Sender(), again.Sender(), "the key of a user that left and joined again")
	},
})

// The same in a room that lives on another server, which the user's server leaves with it.
var _ = check.Register(check.Check{
	Name:     "a user that joins a room of a peer again has the same key",
	Requires: []string{"sender-key/kept-on-rejoin"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		bob, resident := s.User("bob"), s.Peer()
		room := resident.Makes(federation.RoomOptions{Creator: resident.User("carol")})
		bob.Joins(room.ID(), resident.Name())
		first := room.Blaming("mapping/in-remote-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		bob.Leaves(room.ID())
		room.Blaming("membership/leave").AwaitsLeave(bob.UserID)
		bob.Joins(room.ID(), resident.Name())
		again := room.Blaming("mapping/in-remote-join").Awaits(scenes.AnotherMember(bob.UserID, "join", first))
		assert.Equal(c, first.Sender(), again.Sender(), "the key of a user that left a room of another server and joined it again")
	},
})

// Nor does a kick give a new one (MSC4014, Proposal 3.2).
var _ = check.Register(check.Check{
	Name:     "a user that joins again after a kick has the same key",
	Requires: []string{"sender-key/kept-after-kick"},
	Body: func(c *check.C) {
		scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
		scene.alice.Kicks(scene.room.ID(), scene.bob.UserID)
		scene.room.Blaming("membership/kick").Awaits(scenes.MemberByKey(scene.join.Sender(), "leave"))
		scene.bob.Joins(scene.room.ID())
		again := scene.room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(scene.bob.UserID, "join", scene.join))
		assert.Equal(c, scene.join.Sender(), again.Sender(), "the key of a user that was kicked and joined again")
	},
})

// The completed invite names the key that the invited user will have in the room (MSC1228, Sending invites).
var _ = check.Register(check.Check{
	Name:     "the key of the invite joins",
	Requires: []string{"sender-key/kept-from-invite-to-join"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
		room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
		alice.Sets(room.ID(), "m.room.join_rules", "", map[string]any{"join_rule": "invite"})
		alice.Blaming("membership/invite-local").Invites(room.ID(), bob.UserID)
		invite := room.Blaming("membership/invite-local").Awaits(membershipOnly("invite"))
		_, err := bob.JoinRoom(c.Context(), room.ID())
		c.Need("membership/accept-invite", err)
		join := room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		invited, _ := invite.StateKey()
		assert.Equal(c, invited, join.Sender(), "the key that joins, against the state key of the invite")
	},
})

// The same when another server invites: the invited server names the key as it completes the invite. It is in the room
// already, by another user: deployed servers die of an invite whose sender they do not know (mapping/in-invite).
var _ = check.Register(check.Check{
	Name:     "the key of an invite by a peer joins",
	Requires: []string{"sender-key/kept-from-invite-to-join"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		bob, dan, resident := s.User("bob"), s.User("dan"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		dan.Joins(room.ID(), resident.Name())
		room.Blaming("mapping/in-remote-join").Awaits(scenes.AnotherMember(dan.UserID, "join"))
		room.Delivers(room.Builds(federation.Proto{
			Type: "m.room.join_rules", StateKey: federation.StateKey(""), Sender: carol, Content: map[string]string{"join_rule": "invite"},
		}))

		ctx, cancel := resident.Within()
		defer cancel()
		invite, answer, err := room.Invite(ctx, s.ServerName(1), carol, bob.UserID)
		if err == nil && invite.IsZero() {
			err = fmt.Errorf("the server does not complete the invite of a peer: %s", answer)
		}
		c.Need("membership/invite-from-remote", err)
		key := carol.KeyIn(room.ID())
		signed, err := pseudoid.SignEvent(invite.JSON(), invite.Format(), string(key.Public), federation.SenderKeyID, key.Private)
		if err != nil {
			c.SuiteError(err)
		}
		room.Delivers(federation.NewEvent(signed, invite.Format())) // with the inviter's signature beside the invited user's
		dan.Blaming("membership/invite-from-remote").AwaitsEvent(room.ID(), invite.ID())
		_, err = bob.JoinRoom(c.Context(), room.ID(), resident.Name())
		c.Need("membership/accept-invite", err)
		join := room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		invited, _ := invite.StateKey()
		assert.Equal(c, invited, join.Sender(), "the key that joins, against the state key that the server gave the invite")
	},
})

// And the key that knocked is the one that joins (MSC4014, Proposal 3.2).
var _ = check.Register(check.Check{
	Name:     "the key of the knock joins",
	Requires: []string{"sender-key/kept-from-knock-to-join"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
		room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
		alice.Sets(room.ID(), "m.room.join_rules", "", map[string]any{"join_rule": "knock"})
		bob.Knocks(room.ID())
		knock := room.Blaming("membership/knock").Awaits(membershipOnly("knock"))
		alice.Blaming("membership/knock").Invites(room.ID(), bob.UserID)
		_, err := bob.JoinRoom(c.Context(), room.ID())
		c.Need("membership/knock", err)
		join := room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		assert.Equal(c, knock.Sender(), join.Sender(), "the key that joins, against the key that knocked")
	},
})

// membershipOnly matches a member event by its membership, for rooms where there is one of it.
func membershipOnly(membership string) func(federation.Event) error {
	return func(event federation.Event) error {
		if event.Type() == "m.room.member" && event.Membership() == membership {
			return nil
		}
		return errors.New("another event")
	}
}

// A new display name or avatar is no new identity (MSC4014, Proposal 3.2).
var _ = check.Register(check.Check{
	Name:     "a new display name and avatar keep the key",
	Requires: []string{"sender-key/kept-on-profile-change"},
	Body: func(c *check.C) {
		const displayName, avatar = "Robert", "mxc://example.org/robert"
		scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
		for field, value := range map[string]string{"displayname": displayName, "avatar_url": avatar} {
			if field == "displayname" {
				scene.bob.SetsDisplayName(value)
			} else {
				scene.bob.SetsAvatar(value)
			}
			changed := scene.room.Blaming("membership/profile-propagates").Awaits(func(event federation.Event) error {
				if event.Type() == "m.room.member" && event.Get("content."+field).String() == value {
					return nil
				}
				return errors.New("another event")
			})
			assert.Equal(c, scene.join.Sender(), changed.Sender(), "the key of a member whose %s is new", field)
		}
	},
})
