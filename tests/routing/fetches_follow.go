package routing

// Who may request the history of a room after a member has moved to another server.

import (
	"errors"
	"fmt"

	"msc4014/helpers/check"
)

// The current location of a user decides who may request history (MSC1228, Handling the mxid mapping, Implementation): after a
// newer mapping the new server may have what was sent since, and the old one may not. The room's history is for joined members,
// and neither server has another one.
func init() {
	for _, each := range fetches {
		check.Register(check.Check{
			Name:     fmt.Sprintf("who may ask for /%s follows a newer mapping", each.name),
			Requires: []string{"routing/backfill-follows-user"},
			Path:     each.name,
			Body: func(c *check.C) {
				s := openClosedRoom(c)
				roomID, mover, after := s.room.ID(), s.inside.User("carol"), s.Peer()
				witness := s.Peer()
				stays := witness.Joins(roomID, witness.User("witness"))
				s.alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, witness.User("witness").ID(), "join")
				c.Control(each.served(s.Stage, s.inside, s.room, s.said))
				if ids, _ := each.from(s.Stage, s.Peer(), s.room, s.said); len(ids) > 0 {
					c.Need("routing/backfill-authorised", errors.New("a server that never had a member in the room may ask, too"))
				}

				moved := after.User("moved")
				move := s.room.Made(s.room.MemberTemplate(mover, "join").WithMappingOf(moved))
				movesTo(after, s.room, move)
				stays.Apply(move)
				s.alice.Blaming("mapping/latest-wins").AwaitsMembership(roomID, moved.ID(), "join")
				s.alice.Says(roomID, "said after the move")
				said := s.alice.Says(roomID, "said after that")
				stays.Blaming("routing/reaches-members").AwaitsEvent(said)
				if err := each.served(s.Stage, after, stays, said); err != nil {
					c.Errorf("the server that a member has moved to may not ask for what was sent since: %v", err)
				}
				each.denied(s.Stage, s.inside, s.room, said, "the server that its last member has moved away from")
			},
		})
	}
}
