package routing

// Events reach every server with a joined member.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/stage"
)

// An event reaches every server with a joined member.
var _ = check.Register(check.Check{
	Name:     "a message reaches all servers in the room",
	Requires: []string{"routing/reaches-members"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		roomID := alice.Makes(stage.Public)
		var rooms []*stage.Room
		for i := range 3 {
			peer := s.Peer()
			rooms = append(rooms, peer.Joins(roomID, peer.User(fmt.Sprintf("member%d", i+1))))
		}
		said := alice.Says(roomID, "said to three servers")
		for _, room := range rooms {
			room.AwaitsEvent(said)
		}
	},
})

// The same with two servers under test: what either writes reaches the other and a peer.
var _ = check.Register(check.Check{
	Name:       "messages of two servers reach all servers in the room",
	Requires:   []string{"routing/reaches-members"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.TwoServers)
		alice, bob, peer := s.UserAt(1, "alice"), s.UserAt(2, "bob"), s.Peer()
		carol, roomID := peer.User("carol"), alice.Makes(stage.Public)
		room := peer.Joins(roomID, carol)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, carol.ID(), "join")
		// hs2 knows of the third server by the room's state: whether hs1 may deliver its join later is mapping/delivered-by-third-server.
		bob.Joins(roomID, s.ServerName(1))
		bob.Blaming("membership/join-remote").AwaitsMembership(roomID, bob.UserID, "join")
		room.AwaitsMember(bob.UserID, "join")

		bob.Hears(roomID, alice)
		alice.Hears(roomID, bob)
		room.Hears(alice)
		room.Hears(bob)
	},
})
