package auth

// A banned key stays banned, however it is spelled.

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

// spellings are ways to write a key other than unpadded base64; for the key as it is see sender-key/ban-not-evaded.
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
	unchanged := func(key pseudoid.SenderKey) pseudoid.SenderKey { return key }
	check.Register(check.Check{
		Name:     "a message of a banned key",
		Requires: []string{"auth/ban-by-key"},
		Path:     "send",
		Body:     func(c *check.C) { banHolds(c, delivery.Send, unchanged, messageUnder) },
	})
	for _, spelling := range spellings {
		for _, path := range []delivery.Path{delivery.Send, delivery.SendJoin} {
			check.Register(check.Check{
				Name:     "a join of a banned key, spelled " + spelling.name + ", by " + path.Name,
				Requires: []string{"auth/ban-by-key"},
				Path:     path.Name,
				Deadly:   spelling.name == inURLs && path.Name == delivery.Send.Name,
				Body:     func(c *check.C) { banHolds(c, path, spelling.spelled, joinUnder) },
			})
		}
	}
}

// Nor is it taken where the server comes by it later: in a gap, in the state there, or in the history of a room that it enters. The
// control is the same in a room from which another member was banned.
func init() {
	register := func(paths []string, bans func(s delivery.Scene, banned *federation.User) federation.Template) {
		banned := func(name string) delivery.Builder {
			return func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				for _, guest := range []string{"guest", "another"} {
					s.Room.Applies(s.Room.MemberTemplate(s.Origin.User(guest), "join"))
				}
				s.Room.Applies(bans(s, s.Origin.User(name)))
				return honest(s.Origin.User("guest"))
			}
		}
		delivery.Register(blueprints.OneServer, []delivery.Forgery{{
			Requires: "auth/ban-by-key", Name: "an event of a banned key", Kinds: []delivery.Kind{delivery.Message, delivery.MemberState},
			Paths: paths, Honest: banned("another"), Alter: banned("guest"),
		}})
	}
	ban := func(s delivery.Scene, banned *federation.User) federation.Template {
		return s.Template(membershipOf(s, s.Carol, banned, "ban"))
	}
	register([]string{"get_missing_events", "state"}, ban)
	// Deployed servers do not join a room with a member event in its state that has no mapping.
	register([]string{"backfill"}, func(s delivery.Scene, banned *federation.User) federation.Template {
		return ban(s, banned).WithMappingOf(banned)
	})
}

// banHolds bans Dan, who has sent a message under a key that the two alphabets spell differently, and ensures that an event
// under a spelling of that key is refused.
func banHolds(c *check.C, path delivery.Path, spelled func(pseudoid.SenderKey) pseudoid.SenderKey,
	makes func(scene scenes.Ban, key pseudoid.KeyPair) federation.Template,
) {
	scene := scenes.OpenBan(stage.Open(c, blueprints.OneServer))
	scene.Dan.UseKey(scene.Room.ID(), scenes.KeyWithSigns())
	pair := scene.Dan.KeyIn(scene.Room.ID())
	scene.LetIn(path)
	said := scene.Room.Says(scene.Dan, "said before the ban")
	c.Control(scene.Alice.SeesEvent(scene.Room.ID(), said.ID()))
	scene.Bans()

	pair.Public = spelled(pair.Public)
	evasion, err := makes(scene, pair).Build()
	require.NoError(c, err, "an event under the banned key")
	scene.IsRefused(path, evasion)
}

// messageUnder is a message by Dan under a key.
func messageUnder(scene scenes.Ban, key pseudoid.KeyPair) federation.Template {
	template, err := scene.Room.Template(federation.TextMessage(scene.Dan, "said in spite of the ban"))
	require.NoError(scene.C, err)
	return template.Alter(federation.SetField(template.Format().SenderField(), key.Public)).SignedBy(template.SignerOf(key))
}

// joinUnder is Dan's join under a key.
func joinUnder(scene scenes.Ban, key pseudoid.KeyPair) federation.Template {
	return scene.Room.MemberTemplate(scene.Dan, "join").WithKey(key)
}
