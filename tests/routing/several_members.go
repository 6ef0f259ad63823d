package routing

// Servers with several members in a room.

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// An event reaches every server with a joined member (MSC1228, Handling the mxid mapping): also where another member of the server
// leaves, is removed or changes its profile, whether it joined before the one that stays or after.
func init() {
	for _, each := range []struct {
		what, path string
		happens    func(alice *stage.User, room *stage.Room, user *federation.User) (membership string)
	}{
		{"changes its profile", "send", func(_ *stage.User, room *stage.Room, user *federation.User) string {
			user.SetProfile("another name", "")
			room.JoinsByEvent(user)
			return "join"
		}},
		{"leaves", "send", func(_ *stage.User, room *stage.Room, user *federation.User) string {
			room.Leaves(user)
			return "leave"
		}},
		{"is kicked", "client", func(alice *stage.User, room *stage.Room, user *federation.User) string {
			alice.Kicks(room.ID(), user.ID())
			return "leave"
		}},
		{"is banned", "client", func(alice *stage.User, room *stage.Room, user *federation.User) string {
			alice.Bans(room.ID(), user.ID())
			return "ban"
		}},
	} {
		check.Register(check.Check{
			Name:     "a message reaches a server when one of its two members " + each.what,
			Requires: []string{"routing/reaches-members"},
			Path:     each.path,
			Body: func(c *check.C) {
				s := stage.Open(c, blueprints.OneServer)
				alice := s.User("alice")
				roomID := alice.Makes(stage.Public)
				for _, changes := range []string{"first", "second"} {
					peer := s.Peer()
					room := peer.Joins(roomID, peer.User("first"))
					peer.Joins(roomID, peer.User("second"))
					alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, peer.User("second").ID(), "join")
					room.AwaitsEvent(alice.Says(roomID, "said to both members"))

					user := peer.User(changes)
					membership := each.happens(alice, room, user)
					c.UnderTest()
					if membership == "join" {
						barrier := room.Says(user, "said after the change")
						alice.AwaitsEvent(roomID, barrier.ID())
					} else {
						alice.AwaitsMembership(roomID, user.ID(), membership)
					}
					room.AwaitsEvent(alice.Says(roomID, "said to the server of one who is still joined"))
				}
			},
		})
	}
}
