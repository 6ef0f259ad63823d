package roomversion

// Rooms of other versions on the same server: MSC4014 creates a new room version and changes nothing in existing ones. These
// checks need no pseudo-ID rooms and pass on any homeserver, so that they also show that the suite's users, peers and barriers
// work.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// A peer's user joins an ordinary room, and messages go both ways.
var _ = check.Register(check.Check{
	Name:     "ordinary room: a user of a peer joins, messages both ways",
	Requires: []string{stage.OrdinaryRooms},
	Body: func(c *check.C) {
		s := stage.OpenOrdinary(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol := peer.User("carol")
		room := peer.JoinsOrdinary(alice.MakesOrdinary(stage.Public), carol)
		alice.AwaitsMembership(room.ID(), carol.ID(), "join")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
		room.ExchangesMessages(alice, carol)
		room.Untouched(alice)
	},
})

// A user joins an ordinary room that lives on a peer, messages go both ways, and the user leaves again.
var _ = check.Register(check.Check{
	Name:     "ordinary room: a user joins and leaves a room of a peer",
	Requires: []string{stage.OrdinaryRooms},
	Body: func(c *check.C) {
		s := stage.OpenOrdinary(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.MakesOrdinary(federation.RoomOptions{Creator: carol})
		alice.JoinsOrdinary(room.ID(), resident.Name())
		assert.Equal(c, "join", room.Membership(alice.UserID), "the membership that the peer was sent")
		alice.AwaitsMembership(room.ID(), carol.ID(), "join")
		room.ExchangesMessages(alice, carol)
		room.Untouched(alice)

		c.Must(alice.LeaveRoom(c.Context(), room.ID()))
		room.AwaitsLeave(alice.UserID)
		room.Untouched()
	},
})

// A peer's user leaves an ordinary room by make_leave and send_leave, another by an event in a transaction; nothing is
// sent to the peer after its last member left.
var _ = check.Register(check.Check{
	Name:     "ordinary room: members of a peer leave",
	Requires: []string{stage.OrdinaryRooms},
	Body: func(c *check.C) {
		s := stage.OpenOrdinary(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		room := peer.JoinsOrdinary(alice.MakesOrdinary(stage.Public), carol)
		room.JoinsByEvent(dan)
		alice.AwaitsMembership(room.ID(), dan.ID(), "join")
		elsewhere := peer.JoinsOrdinary(alice.MakesOrdinary(stage.Public), carol)

		_, answer, err := room.SendsLeave(dan)
		c.Must(err)
		c.Must(accepted(answer))
		alice.AwaitsMembership(room.ID(), dan.ID(), "leave")
		c.Control(room.Receives(alice.Says(room.ID(), "said while one member is left")))

		leave := room.Leaves(carol)
		alice.AwaitsMembership(room.ID(), carol.ID(), "leave")
		alice.SeesMembers(room.ID(), alice.UserID)
		alice.Says(room.ID(), "said when no member is left")
		elsewhere.AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere after that"))
		room.ReceivedNothingAfter(leave)
		room.Untouched(alice)
	},
})
