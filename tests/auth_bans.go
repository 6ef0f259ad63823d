package main

// Chapter auth, bans and power of keys: a banned key stays banned however it is spelled, and power does not go from one
// key of a user to another.

import (
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

const inURLs = "in the URL-safe alphabet"

// spellings are ways to write a key that are not the one way; how it is, is sender-key/ban-not-evaded.
var spellings = []struct {
	name    string
	spelled func(pseudoid.SenderKey) pseudoid.SenderKey
}{
	{"with padding", padded},
	{inURLs, urlSafe},
}

// The key stands where the user ID stands in other rooms (MSC1228, Proposal), bans included: nothing that a banned key sends
// is taken. A key is spelled in one way (MSC4014, Proposal 1: as other binary data of events is), so no other way of
// writing the same 32 bytes is a way around the ban.
func init() {
	asItIs := func(key pseudoid.SenderKey) pseudoid.SenderKey { return key }
	check.Register(check.Check{
		Name:     "a message of a banned key",
		Requires: []string{"auth/ban-by-key"},
		Path:     "send",
		Body:     func(c *check.C) { banHolds(c, bySend, asItIs, messageUnder) },
	})
	for _, spelling := range spellings {
		for way, deliver := range map[string]deliverJoin{"send": bySend, "send_join": bySendJoin} {
			check.Register(check.Check{
				Name:     "a join of a banned key, spelled " + spelling.name + ", by " + way,
				Requires: []string{"auth/ban-by-key"},
				Path:     way,
				Deadly:   spelling.name == inURLs && way == "send",
				Body:     func(c *check.C) { banHolds(c, deliver, spelling.spelled, underDansKey) },
			})
		}
	}
}

// banHolds lets dan, under a key that the two alphabets spell differently, say something, be banned, and try again under a
// spelling of that key.
func banHolds(c *check.C, deliver deliverJoin, spelled func(pseudoid.SenderKey) pseudoid.SenderKey,
	made func(scene outlaw, key pseudoid.KeyPair) federation.Template,
) {
	scene := enters(stage.Open(c, blueprints.OneServer))
	scene.dan.UseKey(scene.room.ID(), keyWithSigns())
	pair := scene.dan.KeyIn(scene.room.ID())
	scene.isLetIn(deliver)
	said := scene.room.Says(scene.dan, "said before the ban")
	_, err := scene.alice.Sees(scene.room.ID(), said.ID())
	c.Control(err)
	scene.isBanned()

	pair.Public = spelled(pair.Public)
	evasion, err := made(scene, pair).Build()
	require.NoError(c, err, "an event under the banned key")
	answer, broken := scene.tries(deliver, evasion)
	c.Need("resilience/stays-up", broken)
	c.Notef("the server answered the event of the banned key with %s", answer)
	staysBanned(c, scene.alice.Refused(scene.room.ID(), evasion), scene.dan.ID())
	later := scene.stage.Peer()
	later.Joins(scene.room.ID(), later.User("witness")).NotServed(evasion)
}

// messageUnder is a message by dan under a key.
func messageUnder(scene outlaw, key pseudoid.KeyPair) federation.Template {
	template, err := scene.room.Template(messageBy(scene.dan, "said in spite of the ban"))
	require.NoError(scene.stage.C, err)
	return template.Alter(federation.SetField(template.Format().SenderField(), key.Public)).SignedBy(federation.SenderKeySigner(key))
}

// underDansKey is dan's join under a key.
func underDansKey(scene outlaw, key pseudoid.KeyPair) federation.Template {
	return scene.room.MemberTemplate(scene.dan, "join").WithKey(key)
}

// Power is held by the key (MSC1228, Proposal), and a second key of the same user, mapped as it should be, is another key:
// whatever a server makes of it (sender-key/rotation), it has no power. Deployed servers break when a user has two keys.
var _ = check.Register(check.Check{
	Name:     "state by a second key of a powerful user",
	Requires: []string{"auth/power-by-key"},
	Path:     "send",
	Deadly:   true,
	Body: func(c *check.C) {
		p := players{Stage: stage.Open(c, blueprints.OneServer)}
		p.alice, p.mallory = p.User("alice"), p.Peer()
		p.carol, p.dan = p.mallory.User("carol"), p.mallory.User("dan")
		p.room = p.makesRoom()
		p.alice.Joins(p.room.ID(), p.mallory.Name())
		law := func() federation.Event { return p.room.Builds(lawBy(p.carol)) }
		first := law()
		p.room.Delivers(first)
		_, err := p.alice.Sees(p.room.ID(), first.ID())
		c.Control(err)

		barrier := p.room.Builds(messageBy(p.dan, "said beside it"))
		p.carol.NewKey(p.room.ID())
		p.room.Delivers(p.room.Applies(p.room.MemberTemplate(p.carol, "join")))
		second := law()
		_, err = p.room.Pushes(second)
		c.Need("resilience/stays-up", err)
		p.room.Delivers(barrier)
		_, err = p.alice.Sees(p.room.ID(), barrier.ID())
		c.Need("resilience/stays-up", err)
		p.alice.Refused(p.room.ID(), second)
		p.room.NotServed(second)
	},
})

// lawBy is state that takes power.
func lawBy(user *federation.User) federation.Proto {
	content := map[string]string{"note": "written with power"}
	return federation.Proto{Type: lawType, StateKey: federation.StateKey(""), Sender: user, Content: content}
}
