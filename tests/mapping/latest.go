package mapping

// Which of several mappings of one key counts: the newest verified one, by current room state (MSC1228, Handling the mxid
// mapping, Implementation, and its footnote 2).

import (
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
)

// joinsAs is a join of Dan, by Dan's key, with a mapping of that key to another user of Origin or of another peer.
func (s scene) joinsAs(user *federation.User) federation.Template {
	return s.Room.MemberTemplate(s.Dan, "join").WithMappingOf(user)
}

// isDan ensures that clients are shown Dan's key as one user, as the sender of a message and among the members.
func (s scene) isDan(user *federation.User, said federation.Event) {
	shown := s.Alice.AwaitsEventBy(s.Room.ID(), said.ID(), user.ID())
	assert.Equal(s.C, user.ID(), shown.Get("sender").String(), "the sender of what dan's key says")
	s.Alice.SeesMembers(s.Room.ID(), s.Alice.UserID, s.Carol.ID(), user.ID())
}

// A newer verified mapping takes the place of the older one (MSC1228, Implementation).
var _ = check.Register(check.Check{
	Name:     "a newer mapping of a key",
	Requires: []string{"mapping/latest-wins"},
	Path:     "send",
	Body: func(c *check.C) {
		s := openScene(c, nobody, true)
		daniel := s.Origin.User("daniel")
		s.Room.Delivers(s.Room.Made(s.joinsAs(daniel)))
		s.isDan(daniel, s.Room.Says(s.Dan, "said under the newer name"))
	},
})

// The same when the server meets both in a room that it enters: the older one is in the auth chain of the newer.
var _ = check.Register(check.Check{
	Name:     "a newer mapping of a key in a room that is entered",
	Requires: []string{"mapping/latest-wins"},
	Path:     "the state of send_join",
	Body: func(c *check.C) {
		s := openScene(c, nobody, false)
		s.Room = s.MakesRoom()
		daniel := s.Origin.User("daniel")
		s.Room.Applies(s.joinsAs(daniel))
		s.AliceJoins()
		s.isDan(daniel, s.Room.Says(s.Dan, "said under the newer name"))
	},
})

// Of old events that arrive late the mapping is ignored, if there is one already (MSC1228, Implementation): here they are
// from before the server joined, and a client pages back.
var _ = check.Register(check.Check{
	Name:     "an older mapping of a key, by backfill",
	Requires: []string{"mapping/older-does-not-replace"},
	Path:     "backfill",
	Body: func(c *check.C) {
		s := openScene(c, nobody, false)
		s.Room = s.MakesRoom()
		daniel := s.Origin.User("daniel")
		s.Room.AppliesText(s.Dan, "said under the older name")
		s.Room.Applies(s.joinsAs(daniel))
		s.AliceJoins()
		s.Barrier()
		s.Alice.Browses(s.Room.ID())
		s.Asked(0, federation.Backfill)
		s.isDan(daniel, s.Room.Says(s.Dan, "said after paging back"))
	},
})

// Here it is an event concurrent with the newer one, which the server gets when it fills a gap.
var _ = check.Register(check.Check{
	Name:     "an older mapping of a key, by get_missing_events",
	Requires: []string{"mapping/older-does-not-replace"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		s := openScene(c, nobody, true)
		said := s.Room.Builds(federation.TextMessage(s.Dan, "said after the gap was filled"))
		join, _ := s.Room.StateEvent("m.room.member", s.Dan.SenderIn(s.Room.Room))
		older := s.Room.Made(s.joinsAs(s.Origin.User("daniel")).
			Alter(federation.SetField("prev_events", join.PrevEvents())).
			Alter(federation.SetField("auth_events", join.AuthEvents())).
			Alter(federation.SetField("depth", join.Depth())).
			Alter(federation.SetField("origin_server_ts", time.Now().Add(-time.Hour).UnixMilli())))
		c.UnderTest()
		s.AfterGap(older, federation.GetMissingEvents)
		s.Room.Delivers(said)
		s.isDan(s.Dan, said)
	},
})

// A newer mapping whose server's keys cannot be had leaves the verified one in place until it is verified (MSC1228,
// Implementation).
var _ = check.Register(check.Check{
	Name:     "a newer mapping that cannot be verified",
	Requires: []string{"mapping/pending-keeps-verified"},
	Path:     "send",
	Body: func(c *check.C) {
		s := openScene(c, nobody, true)
		_, err := s.Alice.SeesMembership(s.Room.ID(), s.Dan.ID(), "join")
		c.Control(err)
		silent := s.Peer()
		refuse := func(*federation.Request, func() federation.Answer) federation.Answer { return federation.Refused() }
		silent.Handle(federation.Any, refuse)
		said := s.TextMessage(s.Dan, "said before the newer mapping is verified")
		pending := s.Room.Made(s.joinsAs(silent.User("daniel")))
		after := s.Room.Made(said)
		c.UnderTest()
		answer, err := s.Room.Pushes(pending)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered the join with %s", answer.Answer)
		s.Room.Delivers(after)
		s.isDan(s.Dan, after)
		views := s.Alice.NotHonoured(s.Room.ID(), after, silent.User("daniel").ID())
		s.membersStand(views)
		s.OnlyPlaceholders(views, s.Room, []federation.Event{pending}, s.honestUsers(), silent.User("daniel").ID(), after.Sender())
	},
})
