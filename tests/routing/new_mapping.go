package routing

// Events follow a member whose newer mapping names another server.

import (
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// movesTo delivers the join that moves a member to another server, from that server: whether the one before may deliver a join of a
// user who is not its own is open (mapping/delivered-by-third-server). room is that of the server before.
func movesTo(server *stage.Peer, room *stage.Room, join federation.Event) {
	room.Apply(join)
	server.SendsEvents(join)
}

// A newer verified mapping of the same key moves the member to another server: events go there from then on, and no more to
// the server before.
var _ = check.Register(check.Check{
	Name:     "events follow a newer mapping",
	Requires: []string{"routing/follows-new-mapping"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, roomID, before, after := s.Alice, s.Room.ID(), s.Peer(), s.Peer()
		mover := before.User("mover")
		room := before.Joins(roomID, mover)
		elsewhere := before.Joins(alice.Makes(stage.Public), mover)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, mover.ID(), "join")
		elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere before that"))
		c.Control(room.Receives(alice.Says(roomID, "said before the move")))

		moved := after.User("moved")
		join := room.Made(room.MemberTemplate(mover, "join").WithMappingOf(moved))
		movesTo(after, room, join)
		alice.Blaming("mapping/latest-wins").AwaitsMembership(roomID, moved.ID(), "join")
		c.UnderTest()
		c.Must(after.Receives(alice.Says(roomID, "said after the move")))
		elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere after that"))
		room.ReceivedNothingAfter(join)
	},
})
