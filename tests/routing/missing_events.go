package routing

// A server requests events that it has missed from the servers behind the mappings (MSC4014, hard requirement 1: clients see a
// room without gaps, as ever).

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
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

// The server that sent the event after the gap does not give the others: another server that a mapping names does. Whether a server asks
// more than one server is not the proposal's to say, so it is the control that it does in an ordinary room.
var _ = check.Register(check.Check{
	Name:     "a gap before an event of a server that does not give it is filled by another",
	Requires: []string{"routing/missing-events"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		ordinary, pseudonymous := leavesGap(s, true), leavesGap(s, false)
		for _, event := range []federation.Event{ordinary.missed, ordinary.after} {
			if err := ordinary.alice.SeesEvent(ordinary.roomID, event.ID()); err != nil {
				c.Unsupported("in an ordinary room the server does not ask another server for what the sender does not give either: %v", err)
			}
		}
		c.UnderTest()
		for _, event := range []federation.Event{pseudonymous.missed, pseudonymous.after} {
			shown := pseudonymous.alice.AwaitsEvent(pseudonymous.roomID, event.ID())
			assert.Equal(c, pseudonymous.sender, shown.Get("sender").String(), "the sender of an event in a gap")
		}
	},
})

// gap is a room of Alice, with an event that the server under test was not sent and one after it that it was.
type gap struct {
	alice          *stage.User
	roomID, sender string // the user ID of who sent both
	missed, after  federation.Event
}

// leavesGap makes a gap that the server which sends the event after it does not fill, and another that has a member does.
func leavesGap(s *stage.Stage, ordinary bool) gap {
	alice, sender, other := s.User("alice"), s.Peer(), s.Peer()
	carol, dan := sender.User("carol"), other.User("dan")
	joinsUs, reaches := "membership/remote-joins-us", "routing/reaches-members"
	makes, joins := alice.Makes, (*stage.Peer).Joins
	if ordinary {
		joinsUs, reaches = stage.OrdinaryRooms, stage.OrdinaryRooms
		makes, joins = alice.MakesOrdinary, (*stage.Peer).JoinsOrdinary
	}
	roomID := makes(stage.Public)
	room := joins(sender, roomID, carol)
	others := joins(other, roomID, dan)
	alice.Blaming(joinsUs).AwaitsMembership(roomID, dan.ID(), "join")
	room.Blaming(reaches).Awaits(scenes.MemberByKey(dan.SenderIn(others.Room), "join"))
	before := room.Says(carol, "said before the gap")
	others.Apply(before)
	alice.Blaming(joinsUs).AwaitsEvent(roomID, before.ID())
	missed := room.AppliesText(carol, "said, and not sent")
	others.Apply(missed)
	sender.PlayDead(federation.DeadUnavailable, federation.GetMissingEvents, federation.GetEvent, federation.Backfill,
		federation.GetState, federation.GetStateIDs, federation.GetEventAuth)
	after := room.AppliesText(carol, "said after the gap")
	others.Apply(after)
	_, err := room.Pushes(after)
	s.C.Need("resilience/stays-up", err)
	return gap{alice, roomID, carol.ID(), missed, after}
}

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
