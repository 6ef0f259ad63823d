package routing

// EDUs go to the same servers as events (MSC4014, hard requirement 1: clients work without changes, so what they send each
// other besides events arrives).

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

func init() {
	for _, each := range []scenes.EDU{scenes.Receipts, scenes.Typing, scenes.Presence, scenes.ToDevice, scenes.DeviceLists} {
		check.Register(check.Check{
			Name:     each.Name + " reach the servers in the room, and no other",
			Requires: []string{"routing/edus"},
			Path:     each.EduType,
			Body:     func(c *check.C) { reachesServers(c, each) },
		})
	}
}

// reachesServers lets Alice cause an EDU of the kind in a room that two peers are in and a third has left, and then Dan in a
// room that the third is in. Each server must receive the EDUs of its own rooms, and the third not Alice's.
func reachesServers(c *check.C, kind scenes.EDU) {
	blueprint := blueprints.OneServer
	if kind.EduType == scenes.Presence.EduType {
		blueprint = blueprints.PresentServer
	}
	s := stage.Open(c, blueprint)
	alice, dan := s.User("alice"), s.User("dan")
	here, there, gone := s.Peer(), s.Peer(), s.Peer()
	roomID := alice.Makes(stage.Public)
	carol, erin, frank := here.User("carol"), there.User("erin"), gone.User("frank")
	gone.Joins(roomID, frank).Leaves(frank)
	alice.Blaming("membership/leave-remote").AwaitsMembership(roomID, frank.ID(), "leave")
	here.Joins(roomID, carol)
	there.Joins(roomID, erin)
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, erin.ID(), "join")
	elsewhere := dan.Makes(stage.Public)
	gone.Joins(elsewhere, frank)
	dan.Blaming("membership/remote-joins-us").AwaitsMembership(elsewhere, frank.ID(), "join")

	byAlice := arrivesAt(c, kind, scenes.Occasion{User: alice, RoomID: roomID, Remotes: []*federation.User{carol, erin}}, here, there)
	// The barrier is of the same kind: servers keep events and EDUs in queues of their own.
	arrivesAt(c, kind, scenes.Occasion{User: dan, RoomID: elsewhere, Remotes: []*federation.User{frank}}, gone)
	if kind.HasArrived(gone, byAlice) {
		c.Errorf("a server without a member in the room was sent %s of a user in it", kind.EduType)
	}
}

// arrivesAt lets a user cause an EDU, ensures that peers receive it, and returns its matcher. A server may begin to send events
// to the server of a new member a little after it shows the member: a message has arrived before the EDU is caused.
func arrivesAt(c *check.C, kind scenes.EDU, occasion scenes.Occasion, peers ...*stage.Peer) match.Matcher {
	occasion.EventID = occasion.User.Says(occasion.RoomID, "said to be read")
	occasion.Word = "written by " + occasion.User.UserID
	for _, peer := range peers {
		c.Need("routing/reaches-members", peer.Receives(occasion.EventID))
	}
	caused, err := kind.Happens(c.Context(), occasion)
	c.Must(err)
	for _, peer := range peers {
		c.Must(kind.Arrives(peer, caused))
	}
	return caused
}
