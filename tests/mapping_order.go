package main

// Which of several mappings of one key counts: the newest verified one, by current room state (MSC1228, Handling the mxid
// mapping, Implementation, and its footnote 2).

import (
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
)

// joinsAs is a join of dan, by dan's key, with a mapping of that key to another user of mallory or of another peer.
func (p cast) joinsAs(user *federation.User) federation.Template {
	return p.room.MemberTemplate(p.dan, "join").WithMappingOf(user)
}

// danIs sees to it that clients know dan's key as one user, in what dan says now and among the members.
func (p cast) danIs(requirement string, user *federation.User, said federation.Event) {
	shown := p.alice.Blaming(requirement).AwaitsEvent(p.room.ID(), said.ID())
	assert.Equal(p.C, user.ID(), shown.Get("sender").String(), "the sender of what dan's key says")
	p.alice.Blaming(requirement).SeesMembers(p.room.ID(), p.alice.UserID, p.carol.ID(), user.ID())
}

// A newer verified mapping takes the place of the older one (MSC1228, Implementation).
var _ = check.Register(check.Check{
	Name:     "a newer mapping of a key",
	Requires: []string{"mapping/latest-wins"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openCast(c, nobody, false)
		daniel := p.mallory.User("daniel")
		p.room.Delivers(p.room.Made(p.joinsAs(daniel)))
		p.danIs("mapping/latest-wins", daniel, p.room.Says(p.dan, "said under the newer name"))
	},
})

// The same when the server meets both in a room that it enters: the older one is in the auth chain of the newer.
var _ = check.Register(check.Check{
	Name:     "a newer mapping of a key in a room that is entered",
	Requires: []string{"mapping/latest-wins"},
	Path:     "the state of send_join",
	Body: func(c *check.C) {
		p := openCast(c, nobody, true)
		p.room = p.makesRoom()
		daniel := p.mallory.User("daniel")
		p.room.Applies(p.joinsAs(daniel))
		p.alice.Joins(p.room.ID(), p.mallory.Name())
		p.danIs("mapping/latest-wins", daniel, p.room.Says(p.dan, "said under the newer name"))
	},
})

// Of old events that arrive late the mapping is ignored, if there is one already (MSC1228, Implementation): here they are
// what was before the server came, and a client looks back.
var _ = check.Register(check.Check{
	Name:     "an older mapping of a key, by backfill",
	Requires: []string{"mapping/older-does-not-replace"},
	Path:     "backfill",
	Body: func(c *check.C) {
		p := openCast(c, nobody, true)
		p.room = p.makesRoom()
		daniel := p.mallory.User("daniel")
		p.room.Applies(p.message(p.dan, "said under the older name"))
		p.room.Applies(p.joinsAs(daniel))
		p.alice.Joins(p.room.ID(), p.mallory.Name())
		p.barrier()
		p.alice.Views(p.room.ID())
		p.asked(0, federation.Backfill)
		p.danIs("mapping/older-does-not-replace", daniel, p.room.Says(p.dan, "said after looking back"))
	},
})

// Here it is an event beside the newer one, which comes to light when a gap is filled.
var _ = check.Register(check.Check{
	Name:     "an older mapping of a key, by get_missing_events",
	Requires: []string{"mapping/older-does-not-replace"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		p := openCast(c, nobody, false)
		said := p.room.Made(p.message(p.dan, "said after the gap was filled"))
		join, _ := p.room.StateEvent("m.room.member", p.dan.SenderIn(p.room.Room))
		older := p.room.Made(p.joinsAs(p.mallory.User("daniel")).
			Alter(federation.SetField("prev_events", join.PrevEvents())).
			Alter(federation.SetField("auth_events", join.AuthEvents())).
			Alter(federation.SetField("depth", join.Depth())).
			Alter(federation.SetField("origin_server_ts", time.Now().Add(-time.Hour).UnixMilli())))
		p.breaks = "mapping/older-does-not-replace"
		p.afterGap(older, federation.GetMissingEvents)
		p.room.Delivers(said)
		p.danIs("mapping/older-does-not-replace", p.dan, said)
	},
})

// A newer mapping whose server's keys cannot be had leaves the verified one in place until it is verified (MSC1228,
// Implementation).
var _ = check.Register(check.Check{
	Name:     "a newer mapping that cannot be verified",
	Requires: []string{"mapping/pending-keeps-verified"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openCast(c, nobody, false)
		_, err := p.alice.SeesMembership(p.room.ID(), p.dan.ID(), "join")
		c.Control(err)
		silent := p.Peer()
		refuse := func(*federation.Request, func() federation.Answer) federation.Answer { return federation.Refused() }
		silent.Handle(federation.Any, refuse)
		said := p.message(p.dan, "said while the newer mapping waits")
		pending := p.room.Made(p.joinsAs(silent.User("daniel")))
		after := p.room.Made(said)
		answer, err := p.room.Pushes(pending)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered the join with %s", answer.Answer)
		p.breaks = "mapping/pending-keeps-verified"
		p.room.Delivers(after)
		p.danIs("mapping/pending-keeps-verified", p.dan, after)
		p.alice.NotHonoured(p.room.ID(), after, silent.User("daniel").ID())
	},
})
