package routing

// EDUs go to the same servers as events (MSC4014, hard requirement 1: clients work without changes, so what they send each other
// besides events arrives).

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

// reachesServers lets Alice cause an EDU of the kind in a room that two peers are in and a third has left, and then Dan in a room
// that the third is in. Each server must receive the EDUs of its own rooms, and the third not Alice's.
func reachesServers(c *check.C, kind scenes.EDU) {
	s := stage.Open(c, blueprints.OneServer)
	alice, dan := s.User("alice"), s.User("dan")
	here, there, gone := s.Peer(), s.Peer(), s.Peer()
	roomID := alice.Makes(stage.Public)
	carol, erin, frank := here.User("carol"), there.User("erin"), gone.User("frank")
	left := gone.Joins(roomID, frank)
	left.Leaves(frank)
	alice.Blaming("membership/leave-remote").AwaitsMembership(roomID, frank.ID(), "leave")
	here.Joins(roomID, carol)
	there.Joins(roomID, erin)
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, erin.ID(), "join")
	elsewhere := dan.Makes(stage.Public)
	gone.Joins(elsewhere, frank)
	dan.Blaming("membership/remote-joins-us").AwaitsMembership(elsewhere, frank.ID(), "join")

	// A server may begin to send events to the server of a new member a little after it shows the member: a message has arrived
	// before the EDU is caused.
	happens := func(user *stage.User, roomID string, to []*stage.Peer, remotes ...*federation.User) match.Matcher {
		said := user.Says(roomID, "said to be read")
		for _, peer := range to {
			c.Need("routing/reaches-members", peer.Receives(said))
		}
		caused, err := kind.Happens(c.Context(), scenes.Occasion{
			User: user, RoomID: roomID, EventID: said, Word: "written by " + user.UserID, Remotes: remotes,
		})
		c.Must(err)
		for _, peer := range to {
			c.Must(kind.Arrives(peer, caused))
		}
		return caused
	}
	byAlice := happens(alice, roomID, []*stage.Peer{here, there}, carol, erin)
	// The barrier is of the same kind: servers keep events and EDUs in queues of their own.
	happens(dan, elsewhere, []*stage.Peer{gone}, frank)
	if kind.HasArrived(gone, byAlice) {
		c.Errorf("a server without a member in the room was sent %s of a user in it", kind.EduType)
	}
}
