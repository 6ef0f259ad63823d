package mapping

// Which member events of a server carry mxid_mapping, and what it holds.

import (
	"errors"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Member events carry mxid_mapping (MSC4014, Proposal 4): here the join of who creates the room.
var _ = check.Register(check.Check{
	Name:     "the creator's join carries its mapping",
	Requires: []string{"mapping/in-creator-join"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		scenes.AssertMaps(c, scenes.CreatorsJoin(c, s.Room), s.Alice.UserID)
	},
})

// Here the join of another user of the same server (MSC4014, Proposal 4).
var _ = check.Register(check.Check{
	Name:     "a local user's join carries its mapping",
	Requires: []string{"mapping/in-local-join"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		bob := s.User("bob")
		creator := scenes.CreatorsJoin(c, s.Room).Sender()
		bob.Joins(s.Room.ID())
		scenes.AssertMaps(c, s.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(s.Room, creator, "join")), bob.UserID)
	},
})

// Here the join by which a user of the server enters a room that another server has (MSC4014, Proposal 4).
var _ = check.Register(check.Check{
	Name:     "a join over federation carries its mapping",
	Requires: []string{"mapping/in-remote-join"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		host := resident.User("host")
		room := resident.Makes(federation.RoomOptions{Creator: host})
		_, err := alice.JoinRoom(c.Context(), room.ID(), resident.Name())
		c.Need("membership/join-remote", err)
		scenes.AssertMaps(c, room.Blaming("membership/join-remote").Awaits(scenes.NewMember(room, "", "join")), alice.UserID)
	},
})

// An invite carries the invited user's mapping once the invited server has completed it (MSC1228, Proposal and Sending
// invites): here the server is that of inviter and invited alike.
var _ = check.Register(check.Check{
	Name:     "a local invite carries the invited user's mapping",
	Requires: []string{"mapping/in-invite"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		bob := s.User("bob")
		scenes.AssertMaps(c, localInvite(s, bob), bob.UserID)
	},
})

// localInvite lets Alice invite a user of her server, and returns the invite as the peer receives it.
func localInvite(s stage.Residence, user *stage.User) federation.Event {
	creator := scenes.CreatorsJoin(s.C, s.Room).Sender()
	s.Alice.Blaming("membership/invite-local").Invites(s.Room.ID(), user.UserID)
	return s.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(s.Room, creator, "invite"))
}

// And here the server completes the partial invite of another (MSC1228, Sending invites).
var _ = check.Register(check.Check{
	Name:     "an invite that the server completes carries the invited user's mapping",
	Requires: []string{"mapping/in-invite"},
	Deadly:   true,
	Body: func(c *check.C) { // deployed servers crash of an invite to a room that they are not in
		s := stage.Open(c, blueprints.OneServer)
		alice, inviting := s.User("alice"), s.Peer()
		host := inviting.User("host")
		room := inviting.Makes(federation.RoomOptions{Creator: host, JoinRule: "invite"})
		ctx, cancel := inviting.Within()
		defer cancel()
		event, answer, err := room.Invite(ctx, s.ServerName(1), host, alice.UserID)
		if err == nil && !answer.OK() {
			err = errors.New("the server answered the partial invite with " + answer.String())
		}
		c.Need("membership/invite-from-remote", err)
		scenes.AssertMaps(c, event, alice.UserID)
	},
})

// A later join event of the same member carries it too (MSC4014, Proposal 4: member events have the field).
var _ = check.Register(check.Check{
	Name:     "a profile change carries the mapping",
	Requires: []string{"mapping/in-profile-change"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		scenes.AssertMaps(c, profileChange(s), s.Alice.UserID)
	},
})

// profileChange lets Alice change her display name, and returns her member event as the peer receives it.
func profileChange(s stage.Residence) federation.Event {
	const name = "Alice of the mapping"
	s.Alice.SetsDisplayName(name)
	return s.Room.Blaming("membership/profile-propagates").Awaits(func(event federation.Event) error {
		if event.Type() == "m.room.member" && event.Get("content.displayname").String() == name {
			return nil
		}
		return errors.New("another event")
	})
}

// The mapping has the member sender_key (MSC4014, Proposal 4; Changes 3 renames MSC1228's user_room_key to it).
var _ = check.Register(check.Check{
	Name:     "the mapping names the key as sender_key",
	Requires: []string{"mapping/names-key"},
	Body: func(c *check.C) {
		join := scenes.CreatorsJoin(c, stage.OpenResident(c).Room)
		mapping := scenes.MappingIn(c, join)
		if mapping.Dialect != pseudoid.DialectMSC4014 {
			c.Errorf("the mapping has %q where the text says %q",
				mapping.Dialect.MappingKeyField(), pseudoid.DialectMSC4014.MappingKeyField())
		}
		assert.Equal(c, join.Sender(), string(mapping.Key), "the key that the mapping names")
	},
})

// And user_id, which is the member's real user ID (MSC4014, Proposal 4).
var _ = check.Register(check.Check{
	Name:     "the mapping names the user",
	Requires: []string{"mapping/names-user"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		join := scenes.CreatorsJoin(c, s.Room)
		assert.Equal(c, s.Alice.UserID, scenes.MappingIn(c, join).UserID, "the mapping's user_id")
	},
})

// And a signature of the user ID's domain, by a key that the domain publishes (MSC4014, Proposal 4), in joins and in each later member
// event that carries it: whoever gets one alone must be able to verify it. An invite has that of the invited user, whose server is the same
// here (MSC1228, Sending invites).
var _ = check.Register(check.Check{
	Name:     "the mapping is signed by the user's server",
	Requires: []string{"mapping/signed-by-users-server"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		creators := scenes.CreatorsJoin(c, s.Room)
		s.User("bob").Joins(s.Room.ID())
		locals := s.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(s.Room, creators.Sender(), "join"))

		published := scenes.KeysAskedBy(s.Witness)
		assert.NoError(c, pseudoid.VerifyMapping(scenes.MappingIn(c, creators), published), "the mapping of the creator's join")
		assert.NoError(c, pseudoid.VerifyMapping(scenes.MappingIn(c, locals), published), "the mapping of a local user's join")
		for _, later := range []struct {
			what  string
			event federation.Event
		}{{"a profile change", profileChange(s)}, {"an invite of a local user", localInvite(s, s.User("carol"))}} {
			if _, carried := pseudoid.MappingOf(later.event.JSON()); !carried {
				// That is for mapping/in-profile-change and mapping/in-invite.
				c.NotJudged("the mapping of "+later.what, "the event carries no mxid_mapping")
				continue
			}
			assert.NoError(c, pseudoid.VerifyMapping(scenes.MappingIn(c, later.event), published), "the mapping of "+later.what)
		}
	},
})

// MSC4014 (Proposal 4) has the mapping in member events, MSC1228 (Proposal) in invite and join events: whether a server's own
// leaves, kicks, bans and knocks have it.
var _ = check.Register(check.Check{
	Name:     "the mapping in leaves, kicks, bans and knocks",
	Requires: []string{"mapping/in-leave-ban-knock"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		room, roomID := s.Room, s.Room.ID()
		bob, kicked, banned := s.User("bob"), s.User("kicked"), s.User("banned")
		for _, user := range []*stage.User{bob, kicked, banned} {
			user.Joins(roomID)
			room.Blaming("mapping/in-local-join").AwaitsMember(user.UserID, "join")
		}
		var with, without []string
		add := func(what string, event federation.Event) {
			if _, carried := pseudoid.MappingOf(event.JSON()); carried {
				with = append(with, what)
			} else {
				without = append(without, what)
			}
		}
		bob.Leaves(roomID)
		add("leave", room.Blaming("membership/leave").Awaits(scenes.MemberByKey(room.SenderOf(bob.UserID), "leave")))
		s.Alice.Kicks(roomID, kicked.UserID)
		add("kick", room.Blaming("membership/kick").Awaits(scenes.MemberByKey(room.SenderOf(kicked.UserID), "leave")))
		s.Alice.Bans(roomID, banned.UserID)
		add("ban", room.Blaming("membership/ban").Awaits(scenes.MemberByKey(room.SenderOf(banned.UserID), "ban")))
		if knock, knocked := knocks(s); knocked {
			add("knock", knock)
		}
		c.Observe(readCarried(with, without), "with it: %s; without it: %s", strings.Join(with, ", "), strings.Join(without, ", "))
	},
})

// knocks lets another user knock on the room, and returns the knock as the peer receives it. A server may refuse it.
func knocks(s stage.Residence) (knock federation.Event, knocked bool) {
	s.Alice.Sets(s.Room.ID(), "m.room.join_rules", "", map[string]any{"join_rule": "knock"})
	if _, err := s.User("knocker").Knock(s.C.Context(), s.Room.ID(), ""); err != nil {
		s.C.Notef("nobody could knock: %v", err)
		return federation.Event{}, false
	}
	creator := scenes.CreatorsJoin(s.C, s.Room).Sender()
	return s.Room.Blaming("membership/knock").Awaits(scenes.NewMember(s.Room, creator, "knock")), true
}

// readCarried returns the reading from the member events with and without the mapping.
func readCarried(with, without []string) string {
	own := func(what string) bool { return what == "leave" || what == "knock" }
	byOthers := func(what string) bool { return !own(what) }
	switch {
	case len(with) == 0:
		return "none"
	case len(without) == 0:
		return "all"
	case !slices.ContainsFunc(with, byOthers) && !slices.ContainsFunc(without, own):
		return "own-only"
	}
	return "some"
}
