package routing

// When the last member of a server is gone, no more events of the room go there, except the one by which it went (MSC1228,
// Handling the mxid mapping: events go to the servers behind the mappings of the members).

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// departure is a way in which the membership of a user of a peer ends.
type departure struct {
	requirement, name, path string
	// ends ends the membership, and returns the event that did, as the user's server knows it.
	ends func(s *departing, user *federation.User) federation.Event
}

// departing is a room of Alice with two members of one peer, whose memberships end one after the other, and a moderator of
// another peer.
type departing struct {
	alice            *stage.User
	room, moderators *stage.Room
	moderator        *federation.User
}

var departures = []departure{
	{"routing/stops-on-leave", "left", "send", func(s *departing, user *federation.User) federation.Event {
		return s.room.Leaves(user)
	}},
	{"routing/stops-on-kick", "was kicked by a local user", "client", func(s *departing, user *federation.User) federation.Event {
		s.alice.Kicks(s.room.ID(), user.ID())
		return s.room.Awaits(scenes.MemberByKey(user.SenderIn(s.room.Room), "leave"))
	}},
	{"routing/stops-on-kick", "was kicked by a user of another peer", "send", func(s *departing, user *federation.User) federation.Event {
		return s.removes(user, "leave")
	}},
	{"routing/stops-on-ban", "was banned by a local user", "client", func(s *departing, user *federation.User) federation.Event {
		s.alice.Bans(s.room.ID(), user.ID())
		return s.room.Awaits(scenes.MemberByKey(user.SenderIn(s.room.Room), "ban"))
	}},
	{"routing/stops-on-ban", "was banned by a user of another peer", "send", func(s *departing, user *federation.User) federation.Event {
		return s.removes(user, "ban")
	}},
}

// removes lets the moderator kick or ban a user, and its server send that to all others.
func (s *departing) removes(user *federation.User, membership string) federation.Event {
	removal := s.moderators.Builds(federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(user.SenderIn(s.room.Room)), Sender: s.moderator,
		Content: map[string]string{"membership": membership},
	})
	s.moderators.Tells(removal)
	return removal
}

func init() {
	for _, each := range departures {
		check.Register(check.Check{
			Name:     "nothing is sent to a server whose last member " + each.name,
			Requires: []string{each.requirement},
			Path:     each.path,
			Body:     func(c *check.C) { each.judge(stage.Open(c, blueprints.OneServer)) },
		})
	}
}

// judge ends the membership of the one user, after which the server is still in the room, and then of the other.
func (d departure) judge(opened *stage.Stage) {
	s := &departing{alice: opened.User("alice")}
	alice, peer, others := s.alice, opened.Peer(), opened.Peer()
	carol, dan := peer.User("carol"), peer.User("dan")
	s.room = peer.Joins(alice.Makes(stage.Public), carol)
	roomID := s.room.ID()
	peer.Joins(roomID, dan)
	s.moderator = others.User("moderator")
	s.moderators = others.Joins(roomID, s.moderator)
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, s.moderator.ID(), "join")
	power := alice.Blaming("client-view/power-levels-write").GivesPower(roomID, map[string]int{s.moderator.ID(): 50})
	s.moderators.Blaming("routing/reaches-members").AwaitsEvent(power)
	s.room.Blaming("routing/reaches-members").AwaitsEvent(power)
	// Events for the peer are queued in order: messages of this room arrive after those of the other.
	elsewhere := peer.Joins(alice.Makes(stage.Public), carol)
	elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere before that"))

	ends := func(user *federation.User) federation.Event {
		ended := d.ends(s, user)
		alice.Blaming("membership/leave-remote").AwaitsEvent(roomID, ended.ID())
		return ended
	}
	ends(dan)
	opened.C.Control(s.room.Receives(alice.Says(roomID, "said while one member is left")))

	last := ends(carol)
	opened.C.UnderTest()
	s.moderators.AwaitsEvent(alice.Says(roomID, "said when no member is left"))
	alice.Sets(roomID, "m.room.topic", "", map[string]any{"topic": "set when no member is left"})
	elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere after that"))
	s.room.ReceivedNothingAfter(last)
}
