package routing

// Events do not go where a mapping points that is not proven (MSC1228, Handling the mxid mapping).

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// falseClaims are ways to claim a user of another server without that server's signature.
var falseClaims = []struct {
	name  string
	alter func(honest federation.Template, claimed string) federation.Template
}{
	{"a mapping that only the liar's server signed", func(honest federation.Template, claimed string) federation.Template {
		return honest.Claiming(claimed)
	}},
	{"a mapping that nobody signed", func(honest federation.Template, claimed string) federation.Template {
		return honest.Claiming(claimed).MappingSignedBy()
	}},
}

// joinDelivery is a way by which a peer's join is delivered to the server under test, in a room that Alice is in afterwards. It
// returns the room as the peer knows it.
type joinDelivery func(s *stage.Stage, alice *stage.User, liars *stage.Peer, alter stage.Altering) *stage.Room

// byJoining lets the liar join a room of Alice.
func byJoining(joins func(*stage.Room, *federation.User, stage.Altering) (federation.Event, string, error)) joinDelivery {
	return func(s *stage.Stage, alice *stage.User, liars *stage.Peer, alter stage.Altering) *stage.Room {
		room := liars.Joins(alice.Makes(stage.Public), liars.User("carol"))
		_, answer, err := joins(room, liars.User("liar"), alter)
		s.C.Need("resilience/stays-up", err)
		s.C.Notef("the server answered the join with %s", answer)
		return room
	}
}

var joinDeliveries = []struct {
	name     string
	delivers joinDelivery
}{
	{"send_join", byJoining((*stage.Room).SendsJoin)},
	{"send", byJoining((*stage.Room).PushesJoin)},
	{"state of a joined room", func(_ *stage.Stage, alice *stage.User, liars *stage.Peer, alter stage.Altering) *stage.Room {
		room := liars.Makes(federation.RoomOptions{Creator: liars.User("carol")})
		room.Applies(alter(room.MemberTemplate(liars.User("liar"), "join")))
		alice.Joins(room.ID(), liars.Name())
		return room
	}},
}

func init() {
	for _, claim := range falseClaims {
		for _, path := range joinDeliveries {
			check.Register(check.Check{
				Name:     "nothing is sent where " + claim.name + " points, by " + path.name,
				Requires: []string{"routing/only-verified"},
				Path:     path.name,
				Body:     func(c *check.C) { sendsNothing(c, claim.alter, path.delivers) },
			})
		}
	}
}

// sendsNothing lets a liar claim a user of a third server, and ensures that nothing is sent there. The control is the same join
// with the liar's own user ID, along the same path: its server is sent messages.
func sendsNothing(c *check.C, claims func(honest federation.Template, claimed string) federation.Template, delivers joinDelivery) {
	s := stage.Open(c, blueprints.OneServer)
	alice, liars, claimed := s.User("alice"), s.Peer(), s.Peer()
	// The claimed server is in another room of Alice: what is queued for it arrives before her messages there.
	elsewhere := claimed.Joins(alice.Makes(stage.Public), claimed.User("honest"))
	// Both kinds: servers keep events and EDUs in queues of their own.
	reachesClaimed := func(user *stage.User) {
		elsewhere.Blaming("routing/reaches-members").AwaitsEvent(user.Says(elsewhere.ID(), "said to the claimed server"))
		typing, err := scenes.Typing.Happens(c.Context(), scenes.Occasion{User: user, RoomID: elsewhere.ID()})
		c.Need("routing/edus", err)
		c.Need("routing/edus", scenes.Typing.Arrives(claimed, typing))
	}
	bob := s.User("bob") // one typing notification of alice would be like the other
	bob.Joins(elsewhere.ID())
	reachesClaimed(bob)
	others := s.Peer()
	honest := delivers(s, alice, others, func(honest federation.Template) federation.Template { return honest })
	// The join along the path is the control: another user of the same server is in the room anyway.
	_, err := alice.SeesMembership(honest.ID(), others.User("liar").ID(), "join")
	if err == nil {
		err = honest.Receives(alice.Says(honest.ID(), "said to the server of an honest member"))
	}
	c.Control(err)
	reply := honest.Says(others.User("carol"), "said by an honest member")
	alice.Blaming("membership/remote-joins-us").AwaitsEvent(honest.ID(), reply.ID())

	room := delivers(s, alice, liars, func(honest federation.Template) federation.Template {
		c.UnderTest()
		return claims(honest, claimed.User("claimed").ID())
	})
	barrier := room.Says(liars.User("carol"), "said after the lie")
	alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), barrier.ID())
	room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said to the room"))
	_, err = scenes.Typing.Happens(c.Context(), scenes.Occasion{User: alice, RoomID: room.ID()})
	c.Need("routing/edus", err)
	reachesClaimed(alice) // the barriers
	claimed.OnlyLookedUp(room.ID(), claimed.User("claimed").ID())
}

// pushesUnproven delivers a join of a user of a peer whose keys cannot be had: its mapping can be neither proven nor disproven.
func pushesUnproven(s *stage.Stage, room *stage.Room, server *stage.Peer) (answer string) {
	server.PlayDead(federation.DeadRefusing, federation.ServerKeys, federation.KeyQuery)
	pushed, err := room.Pushes(room.BuildsMember(server.User("unproven"), "join"))
	s.C.Need("resilience/stays-up", err)
	return pushed.Answer.String()
}

// While the keys of a domain cannot be had, a mapping to it proves nothing, and nothing but key look-ups goes there. The join comes
// by another server, as its own cannot prove who it is; whether any join may come so is open (mapping/delivered-by-third-server), and
// no control. The control is a user whose server's keys can be had, and who joins by it: messages go to servers of members.
var _ = check.Register(check.Check{
	Name:     "nothing is sent to the server of an unproven mapping",
	Requires: []string{"routing/only-verified"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, roomID, proven, unproven := s.Alice, s.Room.ID(), s.Peer(), s.Peer()
		provenRoom := proven.Joins(roomID, proven.User("proven"))
		c.Control(provenRoom.Receives(alice.Says(roomID, "said to the server of a proven mapping")))

		// A to-device message to a user of the domain goes the same way as events, and needs no keys of it.
		reachesUnproven := func(word string) {
			message, err := scenes.ToDevice.Happens(c.Context(), scenes.Occasion{
				User: alice, Word: word, Remotes: []*federation.User{unproven.User("known")},
			})
			c.Need("routing/edus", err)
			c.Need("routing/edus", scenes.ToDevice.Arrives(unproven, message))
		}
		changesDevices := func() {
			changed, err := scenes.DeviceLists.Happens(c.Context(), scenes.Occasion{User: alice})
			c.Need("routing/edus", err)
			c.Need("routing/edus", scenes.DeviceLists.Arrives(proven, changed))
		}
		reachesUnproven("said before all")
		changesDevices()
		before := s.Room.Says(s.Witness.User("witness"), "said before the join")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(roomID, before.ID())

		c.UnderTest()
		answer := pushesUnproven(s.Stage, s.Room, unproven)
		c.Notef("the server answered the join of an unproven member with %s", answer)
		barrier := s.Room.Says(s.Witness.User("witness"), "said after the joins")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(roomID, barrier.ID())
		said := alice.Says(roomID, "said while the mapping is unproven")
		s.Room.AwaitsEvent(said)
		c.Must(proven.Receives(said))
		_, err := scenes.Typing.Happens(c.Context(), scenes.Occasion{User: alice, RoomID: roomID})
		c.Need("routing/edus", err)
		changesDevices()
		reachesUnproven("said after all") // the barrier
		unproven.OnlyLookedUp(roomID, unproven.User("unproven").ID())
		unproven.ReceivedOnlyEDUs(scenes.ToDevice.EduType) // no room is shared with it
	},
})
