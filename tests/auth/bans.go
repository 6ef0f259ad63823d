package auth

// Chapter auth, bans and power of keys: a banned key stays banned however it is spelled, and power does not go from one
// key of a user to another.

import (
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

const inURLs = "in the URL-safe alphabet"

// spellings are ways to write a key that are not the one way; how it is, is sender-key/ban-not-evaded.
var spellings = []struct {
	name    string
	spelled func(pseudoid.SenderKey) pseudoid.SenderKey
}{
	{"with padding", scenes.Padded},
	{inURLs, scenes.UrlSafe},
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
		Body:     func(c *check.C) { banHolds(c, delivery.Send, asItIs, messageUnder) },
	})
	for _, spelling := range spellings {
		for _, path := range []delivery.Path{delivery.Send, delivery.SendJoin} {
			check.Register(check.Check{
				Name:     "a join of a banned key, spelled " + spelling.name + ", by " + path.Name,
				Requires: []string{"auth/ban-by-key"},
				Path:     path.Name,
				Deadly:   spelling.name == inURLs && path.Name == delivery.Send.Name,
				Body:     func(c *check.C) { banHolds(c, path, spelling.spelled, underDansKey) },
			})
		}
	}
}

// banHolds lets dan, under a key that the two alphabets spell differently, say something, be banned, and try again under a
// spelling of that key.
func banHolds(c *check.C, path delivery.Path, spelled func(pseudoid.SenderKey) pseudoid.SenderKey,
	made func(scene scenes.Ban, key pseudoid.KeyPair) federation.Template,
) {
	scene := scenes.OpenBan(stage.Open(c, blueprints.OneServer))
	scene.Dan.UseKey(scene.Room.ID(), scenes.KeyWithSigns())
	pair := scene.Dan.KeyIn(scene.Room.ID())
	scene.LetIn(path)
	said := scene.Room.Says(scene.Dan, "said before the ban")
	err := scene.Alice.SeesEvent(scene.Room.ID(), said.ID())
	c.Control(err)
	scene.Bans()

	pair.Public = spelled(pair.Public)
	evasion, err := made(scene, pair).Build()
	require.NoError(c, err, "an event under the banned key")
	answer, broken := scene.Evades(path, evasion)
	c.Need("resilience/stays-up", broken)
	c.Notef("the server answered the event of the banned key with %s", answer)
	scenes.StaysBanned(c, scene.Alice.Refused(scene.Room.ID(), evasion), scene.Dan.ID())
	later := scene.Stage.Peer()
	later.Joins(scene.Room.ID(), later.User("witness")).NotServed(evasion)
}

// messageUnder is a message by dan under a key.
func messageUnder(scene scenes.Ban, key pseudoid.KeyPair) federation.Template {
	template, err := scene.Room.Template(federation.TextMessage(scene.Dan, "said in spite of the ban"))
	require.NoError(scene.Stage.C, err)
	return template.Alter(federation.SetField(template.Format().SenderField(), key.Public)).SignedBy(federation.SenderKeySigner(key))
}

// underDansKey is dan's join under a key.
func underDansKey(scene scenes.Ban, key pseudoid.KeyPair) federation.Template {
	return scene.Room.MemberTemplate(scene.Dan, "join").WithKey(key)
}

// Power is held by the key (MSC1228, Proposal), and a second key of the same user, mapped as it should be, is another key:
// whatever a server makes of it (sender-key/rotation), it has no power. Deployed servers break when a user has two keys.
var _ = check.Register(check.Check{
	Name:     "state by a second key of a powerful user",
	Requires: []string{"auth/power-by-key"},
	Path:     "send",
	Deadly:   true,
	Body: func(c *check.C) {
		p := delivery.Open(stage.Open(c, blueprints.OneServer))
		p.Room = p.MakesRoom()
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		law := func() federation.Event { return p.Room.Builds(lawBy(p.Carol)) }
		first := law()
		p.Room.Delivers(first)
		err := p.Alice.SeesEvent(p.Room.ID(), first.ID())
		c.Control(err)

		barrier := p.Room.Builds(federation.TextMessage(p.Dan, "said beside it"))
		p.Carol.NewKey(p.Room.ID())
		p.Room.Delivers(p.Room.Applies(p.Room.MemberTemplate(p.Carol, "join")))
		second := law()
		_, err = p.Room.Pushes(second)
		c.Need("resilience/stays-up", err)
		p.Room.Delivers(barrier)
		err = p.Alice.SeesEvent(p.Room.ID(), barrier.ID())
		c.Need("resilience/stays-up", err)
		p.Alice.Refused(p.Room.ID(), second)
		p.Room.NotServed(second)
	},
})

// lawBy is state that takes power.
func lawBy(user *federation.User) federation.Proto {
	content := map[string]string{"note": "written with power"}
	return federation.Proto{Type: delivery.PrivilegedStateType, StateKey: federation.StateKey(""), Sender: user, Content: content}
}
