package routing

// Who may request the history of a room: the servers behind the mappings (MSC1228, Handling the mxid mapping: they authorise
// other servers to do backfill requests). The rooms show their history to joined members only, so that nobody else may see it.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// closedRoom is a room of Alice whose history is for joined members, with a member of a peer and a message.
type closedRoom struct {
	*stage.Stage
	alice  *stage.User
	inside *stage.Peer
	room   *stage.Room
	said   string
}

func openClosedRoom(c *check.C) closedRoom {
	s := stage.Open(c, blueprints.OneServer)
	alice, inside := s.User("alice"), s.Peer()
	roomID := alice.Makes(stage.Public, stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "joined"}))
	room := inside.Joins(roomID, inside.User("carol"))
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, inside.User("carol").ID(), "join")
	room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(roomID, "said to members"))
	said := alice.Says(roomID, "said to members again")
	room.Blaming("routing/reaches-members").AwaitsEvent(said)
	return closedRoom{s, alice, inside, room, said}
}

// barrier waits until Alice is shown a new message of Carol: the server has processed what was sent before.
func (r closedRoom) barrier(text string) {
	said := r.room.Says(r.inside.User("carol"), text)
	r.alice.Blaming("membership/remote-joins-us").AwaitsEvent(r.room.ID(), said.ID())
}

func init() {
	for _, each := range fetches {
		check.Register(check.Check{
			Name:     fmt.Sprintf("members' servers may ask for /%s, and no other", each.name),
			Requires: []string{"routing/backfill-authorised"},
			Path:     each.name,
			Body: func(c *check.C) {
				s := openClosedRoom(c)
				c.Must(each.served(s.Stage, s.inside, s.room, s.said))
				c.Control(nil) // a member's server gets it
				each.denied(s.Stage, s.Peer(), s.room, s.said, "a server that never had a member in the room")
			},
		})
	}
}

// A mapping that its domain did not sign authorises nothing: the domain that it claims may request no more than before.
var _ = check.Register(check.Check{
	Name:     "a forged mapping opens a room's history to nobody",
	Requires: []string{"routing/backfill-authorised"},
	Body: func(c *check.C) {
		s := openClosedRoom(c)
		claimed := s.Peer()
		open := openTo(s.Stage, claimed, s.room, s.said) // to every server, which the checks above judge
		forged := func(honest federation.Template) federation.Template {
			return honest.Claiming(claimed.User("claimed").ID())
		}
		s.barrier("said before the join")
		c.UnderTest()
		_, answer, err := s.room.PushesJoin(s.inside.User("liar"), forged)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered the join with the forged mapping with %s", answer)
		s.barrier("said after the join")
		said := s.alice.Says(s.room.ID(), "said after the join was delivered")
		s.room.Blaming("routing/reaches-members").AwaitsEvent(said)
		for _, each := range fetches {
			c.Control(each.served(s.Stage, s.inside, s.room, said))
			if !open[each.name] {
				each.denied(s.Stage, claimed, s.room, said, "a server that a forged mapping claims")
			}
		}
	},
})
