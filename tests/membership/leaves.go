package membership

// Leaves of users of the server, and of users of other servers.

import (
	"fmt"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// A member leaves a room of its own server: the others see that, its client sees it in /sync, and it can send no messages to the room
// any more.
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

		before := bob.SyncToken()
		bob.Leaves(room)
		alice.AwaitsMembership(room, bob.UserID, "leave")
		bob.AwaitsOwn(before, room, "leave")
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

		c.UnderTest()
		_, answer, err := room.SendsLeave(dan)
		c.Must(err)
		if !answer.OK() {
			// The answer does not decide: the server may have accepted the leave all the same.
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

// A user of the server leaves a room of a peer: the peer is sent a leave by the key that joined, and the user's client is told in /sync.
var _ = check.Register(check.Check{
	Name:     "a user leaves a room of a peer",
	Requires: []string{"membership/leave-remote"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		room := resident.Makes(federation.RoomOptions{Creator: resident.User("carol")})
		alice.Joins(room.ID(), resident.Name())
		room.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")

		before := alice.SyncToken()
		c.Must(alice.LeaveRoom(c.Context(), room.ID()))
		leave := room.AwaitsLeave(alice.UserID)
		assert.Equal(c, room.SenderOf(alice.UserID), leave.Sender(), "the sender of the leave")
		alice.AwaitsOwn(before, room.ID(), "leave")
		if rooms, err := alice.JoinedRooms(c.Context()); assert.NoError(c, err) {
			assert.NotContains(c, rooms, room.ID(), fmt.Sprintf("the rooms that %s is in", alice.UserID))
		}
	},
})
