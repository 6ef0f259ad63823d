package senderkey

// A user keeps its key in a room: through leaves, kicks, invites, knocks and changes of its profile.

import (
	"errors"
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// joined is a public room of Alice that Bob has joined, with a witness.
type joined struct {
	*check.C
	alice, bob *stage.User
	witness    *stage.Peer
	room       *stage.Room
	join       federation.Event // Bob's
}

// joinWitnessed lets Bob join a room of Alice, and the witness after him.
func joinWitnessed(s *stage.Stage) joined {
	scene := joined{C: s.C, alice: s.User("alice"), bob: s.User("bob"), witness: s.Peer()}
	roomID := scene.alice.Makes(stage.Public)
	scene.bob.Joins(roomID)
	scene.room = scene.witness.Joins(roomID, scene.witness.User("witness"))
	scene.join = scene.room.Blaming("mapping/in-local-join").MemberOf(scene.bob.UserID)
	return scene
}

// A user that joins again should have the same key, or bans are easily evaded (MSC4014, Proposal 3.2; MSC1228, Proposal): when it left
// by itself, also if it forgot the room in between (client-server API), when it was kicked, and when a ban was lifted.
func init() {
	leaves := func(scene joined) {
		scene.bob.Leaves(scene.room.ID())
		scene.room.Blaming("membership/leave").AwaitsLeave(scene.bob.UserID)
	}
	for _, each := range []struct {
		name, requirement, path string
		removed                 func(scene joined)
	}{
		{"a user that joins again has the same key", "sender-key/kept-on-rejoin", "", leaves},
		{"a user that forgets the room and joins again has the same key", "sender-key/kept-on-rejoin", "forget", func(scene joined) {
			leaves(scene)
			scene.Need("client-view/unmodified-client", scene.bob.ForgetRoom(scene.Context(), scene.room.ID()))
		}},
		{"a user that joins again after a kick has the same key", "sender-key/kept-after-kick", "", func(scene joined) {
			scene.alice.Kicks(scene.room.ID(), scene.bob.UserID)
			scene.room.Blaming("membership/kick").Awaits(scenes.MemberByKey(scene.join.Sender(), "leave"))
		}},
		{"a user that joins again after a ban was lifted has the same key", "sender-key/kept-after-kick", "ban", func(scene joined) {
			scene.alice.Bans(scene.room.ID(), scene.bob.UserID)
			scene.room.Blaming("membership/ban").Awaits(scenes.MemberByKey(scene.join.Sender(), "ban"))
			scene.alice.Unbans(scene.room.ID(), scene.bob.UserID)
			scene.room.Blaming("membership/ban").Awaits(scenes.MemberByKey(scene.join.Sender(), "leave"))
		}},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{each.requirement},
			Path:     each.path,
			Body: func(c *check.C) {
				scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
				each.removed(scene)
				scene.bob.Joins(scene.room.ID())
				c.UnderTest()
				again := scene.room.Awaits(scenes.AnotherMember(scene.bob.UserID, "join", scene.join))
				assert.Equal(c, scene.join.Sender(), again.Sender(), "the key of a user that joined again")
			},
		})
	}
}

// Nor is a user who rejects an invite somebody else when it is invited again.
var _ = check.Register(check.Check{
	Name:     "a user that rejects an invite is invited again by the same key",
	Requires: []string{"sender-key/kept-on-rejoin"},
	Path:     "reject",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
		room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
		invited := func(before string) (event federation.Event, key string) { // deployed servers write no mapping into an invite
			alice.Blaming("membership/invite-local").Invites(room.ID(), bob.UserID)
			event = room.Blaming("membership/invite-local").Awaits(func(event federation.Event) error {
				if event.ID() == before {
					return errors.New("the invite before")
				}
				return scenes.OfMembership("invite")(event)
			})
			key, _ = event.StateKey()
			return event, key
		}
		first, key := invited("")
		c.Need("membership/reject-invite", bob.LeaveRoom(c.Context(), room.ID()))
		room.Blaming("membership/reject-invite").Awaits(scenes.MemberByKey(key, "leave"))
		c.UnderTest()
		_, again := invited(first.ID())
		assert.Equal(c, key, again, "the key by which a user is invited that rejected an invite")
		bob.Joins(room.ID())
		join := room.Awaits(scenes.AnotherMember(bob.UserID, "join"))
		assert.Equal(c, key, join.Sender(), "the key by which it joins")
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
		bob.LeavesRemote(room.ID())
		room.Blaming("membership/leave-remote").AwaitsLeave(bob.UserID)
		bob.Joins(room.ID(), resident.Name())
		c.UnderTest()
		again := room.Awaits(scenes.AnotherMember(bob.UserID, "join", first))
		assert.Equal(c, first.Sender(), again.Sender(), "the key of a user that left a room of another server and joined it again")
	},
})

// A kick changes no key in a room of another server either, where it comes over federation.
var _ = check.Register(check.Check{
	Name:     "a user that joins a room of a peer again after a kick has the same key",
	Requires: []string{"sender-key/kept-after-kick"},
	Path:     "federation",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		bob, resident := s.User("bob"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		bob.Joins(room.ID(), resident.Name())
		first := room.Blaming("mapping/in-remote-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		before := bob.SyncToken()
		room.Delivers(room.Builds(federation.Proto{
			Type: "m.room.member", StateKey: federation.StateKey(first.Sender()), Sender: carol, Content: map[string]string{"membership": "leave"},
		}))
		bob.Blaming("membership/kick").AwaitsSync(before, func(synced *csapi.Response) error {
			if !synced.Get("rooms.leave." + gjson.Escape(room.ID())).Exists() {
				return errors.New("/sync does not show the room as left")
			}
			return nil
		})
		bob.Joins(room.ID(), resident.Name())
		c.UnderTest()
		again := room.Awaits(scenes.AnotherMember(bob.UserID, "join", first))
		assert.Equal(c, first.Sender(), again.Sender(), "the key of a user that was kicked out of a room of another server and joined it again")
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
		invite := room.Blaming("membership/invite-local").Awaits(scenes.OfMembership("invite"))
		_, err := bob.JoinRoom(c.Context(), room.ID())
		c.Need("membership/accept-invite", err)
		join := room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		invited, _ := invite.StateKey()
		assert.Equal(c, invited, join.Sender(), "the key that joins, against the state key of the invite")
	},
})

// The same when another server invites: the invited server names the key as it completes the invite. It is in the room
// already, by another user: deployed servers crash of an invite whose sender they do not know (mapping/in-invite).
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

		invite := invites(s, resident, room, carol, bob)
		dan.Blaming("membership/invite-from-remote").AwaitsEvent(room.ID(), invite.ID())
		_, err := bob.JoinRoom(c.Context(), room.ID(), resident.Name())
		c.Need("membership/accept-invite", err)
		join := room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		invited, _ := invite.StateKey()
		assert.Equal(c, invited, join.Sender(), "the key that joins, against the state key that the server gave the invite")
	},
})

// invites lets a user of a peer invite one of the server under test, and delivers the completed invite with the signatures of
// both.
func invites(s *stage.Stage, peer *stage.Peer, room *stage.Room, inviter *federation.User, invited *stage.User) federation.Event {
	ctx, cancel := peer.Within()
	defer cancel()
	invite, answer, err := room.Invite(ctx, s.ServerName(1), inviter, invited.UserID)
	if err == nil && invite.IsZero() {
		err = fmt.Errorf("the server does not complete the invite of a peer: %s", answer)
	}
	s.C.Need("membership/invite-from-remote", err)
	signed, err := room.SignerOf(inviter.KeyIn(room.ID())).Sign(invite.JSON(), invite.Format())
	if err != nil {
		s.C.SuiteError(err)
	}
	room.Delivers(federation.NewEvent(signed, invite.Format()))
	return invite
}

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
		knock := room.Blaming("membership/knock").Awaits(scenes.OfMembership("knock"))
		alice.Blaming("membership/knock").Invites(room.ID(), bob.UserID)
		_, err := bob.JoinRoom(c.Context(), room.ID())
		c.Need("membership/knock", err)
		join := room.Blaming("mapping/in-local-join").Awaits(scenes.AnotherMember(bob.UserID, "join"))
		assert.Equal(c, knock.Sender(), join.Sender(), "the key that joins, against the key that knocked")
	},
})

// A new display name or avatar is not a new identity (MSC4014, Proposal 3.2).
var _ = check.Register(check.Check{
	Name:     "a new display name and avatar keep the key",
	Requires: []string{"sender-key/kept-on-profile-change"},
	Body: func(c *check.C) {
		scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
		for _, change := range []struct {
			field, value string
			sets         func(string)
		}{
			{"displayname", "Robert", scene.bob.SetsDisplayName},
			{"avatar_url", "mxc://example.org/robert", scene.bob.SetsAvatar},
		} {
			change.sets(change.value)
			changed := scene.room.Blaming("membership/profile-propagates").Awaits(func(event federation.Event) error {
				if event.Type() == "m.room.member" && event.Get("content."+change.field).String() == change.value {
					return nil
				}
				return errors.New("another event")
			})
			assert.Equal(c, scene.join.Sender(), changed.Sender(), "the key of a member whose %s is new", change.field)
		}
	},
})
