package routing

// A server requests events that it has missed from the servers behind the mappings (MSC4014, hard requirement 1: clients see a
// room without gaps, as ever).

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Here an event before one that came.
var _ = check.Register(check.Check{
	Name:     "a gap before an event is filled",
	Requires: []string{"routing/missing-events"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		carol := s.Witness.User("witness")
		s.Room.Blaming("mapping/in-creator-join").MemberOf(s.Alice.UserID) // whose server may ask the peer
		before := s.Room.Says(carol, "said before the gap")
		s.Alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), before.ID())
		var missed []federation.Event
		for range 3 {
			missed = append(missed, s.Room.AppliesText(carol, "said, and not sent"))
		}
		after := s.Room.Says(carol, "said after the gap")
		for _, event := range append(missed, after) {
			shown := s.Alice.AwaitsEvent(s.Room.ID(), event.ID())
			assert.Equal(c, carol.ID(), shown.Get("sender").String(), "the sender of an event in a gap")
		}
	},
})

// The server that sent the event after the gap does not give the others: another server that a mapping names does.
var _ = check.Register(check.Check{
	Name:     "a gap before an event of a server that does not give it is filled by another",
	Requires: []string{"routing/missing-events"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		carol, other := s.Witness.User("witness"), s.Peer()
		dan := other.User("dan")
		others := other.Joins(s.Room.ID(), dan)
		s.Alice.Blaming("membership/remote-joins-us").AwaitsMembership(s.Room.ID(), dan.ID(), "join")
		s.Room.Blaming("routing/reaches-members").AwaitsMember(dan.ID(), "join")
		before := s.Room.Says(carol, "said before the gap")
		others.Apply(before)
		s.Alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), before.ID())
		missed := s.Room.AppliesText(carol, "said, and not sent")
		others.Apply(missed)
		s.Witness.PlayDead(federation.DeadUnavailable, federation.GetMissingEvents, federation.GetEvent, federation.Backfill,
			federation.GetState, federation.GetStateIDs, federation.GetEventAuth)
		after := s.Room.AppliesText(carol, "said after the gap")
		others.Apply(after)
		_, err := s.Room.Pushes(after)
		c.Need("resilience/stays-up", err)
		for _, event := range []federation.Event{missed, after} {
			shown := s.Alice.AwaitsEvent(s.Room.ID(), event.ID())
			assert.Equal(c, carol.ID(), shown.Get("sender").String(), "the sender of an event in a gap")
		}
	},
})

// And here the history of a room just joined, which the server that it was joined through does not serve: another that a
// mapping names does.
var _ = check.Register(check.Check{
	Name:     "history comes from a server that a mapping names",
	Requires: []string{"routing/missing-events"},
	Path:     "backfill",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident, other := s.User("alice"), s.Peer(), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		said := room.AppliesText(carol, "said before")
		others := other.JoinsVia(resident.Name(), room.ID(), other.User("dan"))
		for _, event := range room.Events() {
			others.Apply(event)
		}
		alice.Joins(room.ID(), resident.Name())
		others.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")
		others.Blaming("membership/join-remote").MemberOf(alice.UserID) // whose server may ask the peer
		alice.Blaming("membership/join-remote").AwaitsMembership(room.ID(), other.User("dan").ID(), "join")
		resident.PlayDead(federation.DeadUnavailable, federation.Backfill, federation.GetMissingEvents, federation.GetEvent)
		shown, err := alice.PagesBackTo(room.ID(), said.ID())
		c.Must(err)
		assert.Equal(c, carol.ID(), shown.Get("sender").String(), "the sender of an event of the room's history")
	},
})
