package mapping

// Which of several mappings of one key counts: the newest verified one, by current room state (MSC1228, Handling the mxid
// mapping, Implementation, and its footnote 2).

import (
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
)

// joinsAs is a join of dan, by dan's key, with a mapping of that key to another user of Origin or of another peer.
func (p scene) joinsAs(user *federation.User) federation.Template {
	return p.Room.MemberTemplate(p.Dan, "join").WithMappingOf(user)
}

// isDan sees to it that clients know dan's key as one user, in what dan says now and among the members.
func (p scene) isDan(requirement string, user *federation.User, said federation.Event) {
	shown := p.Alice.Blaming(requirement).AwaitsEvent(p.Room.ID(), said.ID())
	assert.Equal(p.C, user.ID(), shown.Get("sender").String(), "the sender of what dan's key says")
	p.Alice.Blaming(requirement).SeesMembers(p.Room.ID(), p.Alice.UserID, p.Carol.ID(), user.ID())
}

// A newer verified mapping takes the place of the older one (MSC1228, Implementation).
var _ = check.Register(check.Check{
	Name:     "a newer mapping of a key",
	Requires: []string{"mapping/latest-wins"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openScene(c, nobody, true)
		daniel := p.Origin.User("daniel")
		p.Room.Delivers(p.Room.Made(p.joinsAs(daniel)))
		p.isDan("mapping/latest-wins", daniel, p.Room.Says(p.Dan, "said under the newer name"))
	},
})

// The same when the server meets both in a room that it enters: the older one is in the auth chain of the newer.
var _ = check.Register(check.Check{
	Name:     "a newer mapping of a key in a room that is entered",
	Requires: []string{"mapping/latest-wins"},
	Path:     "the state of send_join",
	Body: func(c *check.C) {
		p := openScene(c, nobody, false)
		p.Room = p.MakesRoom()
		daniel := p.Origin.User("daniel")
		p.Room.Applies(p.joinsAs(daniel))
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		p.isDan("mapping/latest-wins", daniel, p.Room.Says(p.Dan, "said under the newer name"))
	},
})

// Of old events that arrive late the mapping is ignored, if there is one already (MSC1228, Implementation): here they are
// what was before the server came, and a client looks back.
var _ = check.Register(check.Check{
	Name:     "an older mapping of a key, by backfill",
	Requires: []string{"mapping/older-does-not-replace"},
	Path:     "backfill",
	Body: func(c *check.C) {
		p := openScene(c, nobody, false)
		p.Room = p.MakesRoom()
		daniel := p.Origin.User("daniel")
		p.Room.Applies(p.TextMessage(p.Dan, "said under the older name"))
		p.Room.Applies(p.joinsAs(daniel))
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		p.Barrier()
		p.Alice.Views(p.Room.ID())
		p.Asked(0, federation.Backfill)
		p.isDan("mapping/older-does-not-replace", daniel, p.Room.Says(p.Dan, "said after looking back"))
	},
})

// Here it is an event beside the newer one, which comes to light when a gap is filled.
var _ = check.Register(check.Check{
	Name:     "an older mapping of a key, by get_missing_events",
	Requires: []string{"mapping/older-does-not-replace"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		p := openScene(c, nobody, true)
		said := p.Room.Made(p.TextMessage(p.Dan, "said after the gap was filled"))
		join, _ := p.Room.StateEvent("m.room.member", p.Dan.SenderIn(p.Room.Room))
		older := p.Room.Made(p.joinsAs(p.Origin.User("daniel")).
			Alter(federation.SetField("prev_events", join.PrevEvents())).
			Alter(federation.SetField("auth_events", join.AuthEvents())).
			Alter(federation.SetField("depth", join.Depth())).
			Alter(federation.SetField("origin_server_ts", time.Now().Add(-time.Hour).UnixMilli())))
		p.Breaks = "mapping/older-does-not-replace"
		p.AfterGap(older, federation.GetMissingEvents)
		p.Room.Delivers(said)
		p.isDan("mapping/older-does-not-replace", p.Dan, said)
	},
})

// A newer mapping whose server's keys cannot be had leaves the verified one in place until it is verified (MSC1228,
// Implementation).
var _ = check.Register(check.Check{
	Name:     "a newer mapping that cannot be verified",
	Requires: []string{"mapping/pending-keeps-verified"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openScene(c, nobody, true)
		_, err := p.Alice.SeesMembership(p.Room.ID(), p.Dan.ID(), "join")
		c.Control(err)
		silent := p.Peer()
		refuse := func(*federation.Request, func() federation.Answer) federation.Answer { return federation.Refused() }
		silent.Handle(federation.Any, refuse)
		said := p.TextMessage(p.Dan, "said while the newer mapping waits")
		pending := p.Room.Made(p.joinsAs(silent.User("daniel")))
		after := p.Room.Made(said)
		answer, err := p.Room.Pushes(pending)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered the join with %s", answer.Answer)
		p.Breaks = "mapping/pending-keeps-verified"
		p.Room.Delivers(after)
		p.isDan("mapping/pending-keeps-verified", p.Dan, after)
		p.Alice.NotHonoured(p.Room.ID(), after, silent.User("daniel").ID())
	},
})
