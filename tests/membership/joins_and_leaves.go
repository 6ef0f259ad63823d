package membership

// Chapter membership: entering and leaving rooms, locally and over federation, in both directions. All of it stands on
// the first hard requirement of MSC4014: clients work without any change to their code, so joining and leaving by user
// ID, alias and room ID are what they are in any room.

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// A local user joins a room of its own server, and each sees the other by user ID.
var _ = check.Register(check.Check{
	Name:     "a local user joins a room",
	Requires: []string{"membership/join-local"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		room := alice.Makes(stage.Public)
		bob.Joins(room)
		alice.AwaitsMembership(room, bob.UserID, "join")
		bob.AwaitsMembership(room, bob.UserID, "join")
		seeAndHearEachOther(room, alice, bob)
	},
})

// seeAndHearEachOther looks at a room from the side of each of its two members.
func seeAndHearEachOther(room string, alice, bob *stage.User) {
	alice.SeesMembers(room, alice.UserID, bob.UserID)
	bob.SeesMembers(room, alice.UserID, bob.UserID)
	alice.Hears(room, bob)
	bob.Hears(room, alice)
}

// A local user joins a room that lives on a remote server.
var _ = check.Register(check.Check{
	Name:     "a user joins a room of a peer",
	Requires: []string{"membership/join-remote"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		alice.Joins(room.ID(), resident.Name())
		joinedRemotely(room, alice, carol)
	},
})

// joinedRemotely looks at a room of a peer that a user of the server under test has joined, from both sides.
func joinedRemotely(room *stage.Room, alice *stage.User, carol *federation.User) {
	room.AwaitsMember(alice.UserID, "join")
	alice.AwaitsMembership(room.ID(), carol.ID(), "join")
	alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
	room.ExchangesMessages(alice, carol)
}

// And joins it again when it has left: no part of what is behind it may stand in the way.
var _ = check.Register(check.Check{
	Name:     "a user joins a room of a peer again after it left",
	Requires: []string{"membership/join-remote"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		alice.Joins(room.ID(), resident.Name())
		room.AwaitsMember(alice.UserID, "join")
		alice.Leaves(room.ID())
		room.Blaming("membership/leave").AwaitsLeave(alice.UserID)
		alice.Joins(room.ID(), resident.Name())
		room.ExchangesMessages(alice, carol)
	},
})

// The same between two servers under test, seen by the clients of both.
var _ = check.Register(check.Check{
	Name:       "a user joins a room of another server",
	Requires:   []string{"membership/join-remote"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.OpenSharedRoom(c)
		s.Alice.AwaitsMembership(s.RoomID, s.Bob.UserID, "join")
		s.Bob.AwaitsMembership(s.RoomID, s.Alice.UserID, "join")
		seeAndHearEachOther(s.RoomID, s.Alice, s.Bob)
	},
})

// A user joins by an alias of its own server.
var _ = check.Register(check.Check{
	Name:     "a user joins by a local alias",
	Requires: []string{"membership/join-by-alias"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		room := alice.Makes(stage.Public)
		alias := "#" + strings.TrimPrefix(alice.UserID, "@") // a user's own name is free as an alias
		c.Must(alice.CreateAlias(c.Context(), alias, room))
		joined, err := bob.JoinRoom(c.Context(), alias)
		c.Must(err)
		assert.Equal(c, room, joined, "the room that an alias leads into")
		alice.AwaitsMembership(room, bob.UserID, "join")
		alice.Hears(room, bob)
	},
})

// A user joins by an alias in a remote server's directory.
var _ = check.Register(check.Check{
	Name:     "a user joins by an alias of a peer",
	Requires: []string{"membership/join-by-alias"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol, AliasName: "meeting"})
		joined, err := alice.JoinRoom(c.Context(), "#meeting:"+resident.Name())
		c.Must(err)
		assert.Equal(c, room.ID(), joined, "the room that an alias leads into")
		joinedRemotely(room, alice, carol)
	},
})

// A remote user joins a room of the server by make_join and send_join.
var _ = check.Register(check.Check{
	Name:     "a user of a peer joins a room",
	Requires: []string{"membership/remote-joins-us"},
	Path:     "send_join",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol := peer.User("carol")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		alice.AwaitsMembership(room.ID(), carol.ID(), "join")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
		room.MemberOf(alice.UserID)
		room.ExchangesMessages(alice, carol)
	},
})

// A second user of a server that is in the room joins by an event that its server sends in a transaction.
var _ = check.Register(check.Check{
	Name:     "another user of a peer joins a room",
	Requires: []string{"membership/remote-joins-us"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		room.JoinsByEvent(dan)
		alice.AwaitsMembership(room.ID(), dan.ID(), "join")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID(), dan.ID())
		room.ExchangesMessages(alice, dan)
	},
})

// A member leaves a room of its own server: the others see it, and it is in the room no longer.
var _ = check.Register(check.Check{
	Name:     "a local member leaves",
	Requires: []string{"membership/leave"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		room := alice.Makes(stage.Public)
		bob.Joins(room)
		alice.Blaming("membership/join-local").AwaitsMembership(room, bob.UserID, "join")
		_, err := bob.SendMessage(c.Context(), room, "said before the leave")
		c.Control(err)

		bob.Leaves(room)
		alice.AwaitsMembership(room, bob.UserID, "leave")
		alice.SeesMembers(room, alice.UserID)
		if _, err := bob.SendMessage(c.Context(), room, "said after the leave"); err == nil {
			c.Errorf("a user that left the room can still send messages to it")
		}
	},
})

// A remote member leaves by make_leave and send_leave. The leave is signed by its sender key, as every event is
// (MSC4014, Proposal 2).
var _ = check.Register(check.Check{
	Name:     "a member of a peer leaves",
	Requires: []string{"membership/leave-remote"},
	Path:     "send_leave",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		peer.Joins(room.ID(), dan)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), dan.ID(), "join")

		_, answer, err := room.SendsLeave(dan)
		c.Must(err)
		if !answer.OK() {
			// The answer does not decide: the server may have taken the leave all the same.
			barrier := room.Says(carol, "said after the leave")
			alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), barrier.ID())
			state, err := alice.StateEvent(c.Context(), room.ID(), "m.room.member", dan.ID())
			c.Need("client-view/state-by-user-id", err)
			if membership := state.Get("membership").String(); membership != "leave" {
				c.Failf("send_leave of a leave that its sender key signed was answered %s; the room still shows the user with membership %q",
					answer, membership)
			}
		}
		alice.AwaitsMembership(room.ID(), dan.ID(), "leave")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
	},
})

// A remote member leaves by an event that its server, which is in the room, sends in a transaction.
var _ = check.Register(check.Check{
	Name:     "a member of a peer leaves by an event",
	Requires: []string{"membership/leave-remote"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		peer.Joins(room.ID(), dan)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), dan.ID(), "join")

		room.Leaves(dan)
		alice.AwaitsMembership(room.ID(), dan.ID(), "leave")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
		room.ExchangesMessages(alice, carol)
	},
})

// A user of the server leaves a room that lives on a peer: the peer gets a leave by the key that joined.
var _ = check.Register(check.Check{
	Name:     "a user leaves a room of a peer",
	Requires: []string{"membership/leave-remote"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		room := resident.Makes(federation.RoomOptions{Creator: resident.User("carol")})
		alice.Joins(room.ID(), resident.Name())
		room.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")

		c.Must(alice.LeaveRoom(c.Context(), room.ID()))
		leave := room.AwaitsLeave(alice.UserID)
		assert.Equal(c, room.SenderOf(alice.UserID), leave.Sender(), "the sender of the leave")
		if rooms, err := alice.JoinedRooms(c.Context()); assert.NoError(c, err) {
			assert.NotContains(c, rooms, room.ID(), fmt.Sprintf("the rooms that %s is in", alice.UserID))
		}
	},
})
