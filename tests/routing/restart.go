package routing

// Who is in a room outlives a restart: events and the rest go to the same servers, and the same may ask (MSC4014, hard
// requirement 1).

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

func init() {
	for _, each := range blueprints.Outages {
		check.Register(check.Check{
			Name:     "events go to the same servers after " + each.Name,
			Requires: []string{"routing/after-restart"},
			Slow:     blueprints.RestartTime,
			Body:     func(c *check.C) { routeAfter(c, each) },
		})
	}
}

// routeAfter makes a room with four peers: one with a member, one whose only member's event was redacted, one whose member
// left, and one from which a newer mapping moved the member to a fifth. The server goes away and comes back.
func routeAfter(c *check.C, outage blueprints.Outage) {
	s := stage.Open(c, blueprints.PrivateServer)
	alice := s.User("alice")
	roomID := alice.Makes(stage.Public, stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "joined"}))
	plain, redacted, left, old, fresh := s.Peer(), s.Peer(), s.Peer(), s.Peer(), s.Peer()
	member := func(peer *stage.Peer) *stage.Room {
		room := peer.Joins(roomID, peer.User("member"))
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, peer.User("member").ID(), "join")
		return room
	}
	// What is queued for those who are gone arrives before what is said in another room.
	elsewhere := alice.Makes(stage.Public)
	var barriers []*stage.Room
	for _, peer := range []*stage.Peer{left, old} {
		barriers = append(barriers, peer.Joins(elsewhere, peer.User("member")))
	}
	gone := member(left)
	departure := gone.Leaves(left.User("member"))
	alice.Blaming("membership/leave-remote").AwaitsMembership(roomID, left.User("member").ID(), "leave")
	mover := member(old)
	move, err := mover.MemberTemplate(old.User("member"), "join").WithMappingOf(fresh.User("moved")).Build()
	if err != nil {
		c.SuiteError(err)
	}
	mover.Delivers(move)
	alice.Blaming("mapping/latest-wins").AwaitsMembership(roomID, fresh.User("moved").ID(), "join")
	forgiven := member(redacted)
	join, _ := forgiven.StateEvent("m.room.member", redacted.User("member").SenderIn(forgiven.Room))
	alice.Blaming("redaction/others-by-power").Redacts(roomID, join.ID())
	room := member(plain)
	inRoom := []*stage.Peer{plain, redacted, fresh}
	before := alice.Says(roomID, "said before the outage")
	for _, peer := range inRoom {
		c.Need("routing/reaches-members", peer.Receives(before))
	}

	s.Restart(1, outage.Kill)

	after := alice.Says(roomID, "said after the outage")
	types, err := scenes.Typing.Happens(c.Context(), scenes.Occasion{User: alice, RoomID: roomID})
	c.Need("routing/edus", err)
	for _, peer := range inRoom {
		c.Must(peer.Receives(after))
		c.Must(scenes.Typing.Arrives(peer, types))
	}
	c.Control(room.Receives(after))
	last := alice.Says(elsewhere, "said elsewhere after that")
	for _, barrier := range barriers {
		barrier.AwaitsEvent(last)
	}
	gone.ReceivedNothingAfter(departure)
	mover.ReceivedNothingAfter(move)
	for _, each := range fetches {
		if err := each.served(s, plain, room, after); err != nil {
			c.Errorf("the server of a member got nothing after the outage: %v", err)
		}
	}
}
