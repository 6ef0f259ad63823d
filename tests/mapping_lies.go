package main

// Lies about who a member is, told along the paths by which member events arrive. One table of lies, one of paths;
// checks are made from their product. Control and lie come from one template and differ in what the lie alters.

import (
	"errors"
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// lie is one way in which a member event claims what is not so.
type lie struct {
	requirement string
	name        string
	// tell alters an honest join of the liar.
	tell func(honest federation.Template, cast cast) federation.Template
	// claimed is the user ID that nobody may be shown as because of the lie.
	claimed func(cast cast) string
	// refused: the text demands that the event itself is refused, not only that the claim is not honoured.
	refused bool
	// deadly is the path along which deployed servers die of it: there it is told on a deployment of its own and costs no
	// other check its place.
	deadly string
}

// cast is who plays in a check of a lie: alice is a user of the server under test; carol, an honest user of mallory's
// server, is in alice's room; liar is another user of mallory's server; bob is a user of an honest third server.
type cast struct {
	carol, liar, bob *federation.User
	room             *stage.Room
}

func liarsOwn(cast cast) string { return cast.liar.ID() }

// lies of join events. The text: a mapping counts only with a valid signature of the user ID's domain over a mapping
// that names this very key (MSC4014, Proposal 4); MSC1228 (Implementation) rejects an event whose mapping signature is
// wrong.
var lies = []lie{
	{
		requirement: "mapping/missing-not-honoured", name: "a join without a mapping",
		tell:    func(honest federation.Template, _ cast) federation.Template { return honest.WithoutMapping() },
		claimed: liarsOwn,
	},
	{
		requirement: "mapping/unsigned-not-honoured", name: "a mapping without signatures",
		tell: func(honest federation.Template, _ cast) federation.Template {
			return honest.AlterMappingAfterSigning(federation.DeleteField("signatures"))
		},
		claimed: liarsOwn,
	},
	{
		requirement: "mapping/unsigned-not-honoured", name: "a mapping with empty signatures",
		tell: func(honest federation.Template, _ cast) federation.Template {
			return honest.AlterMappingAfterSigning(federation.SetField("signatures", map[string]any{}))
		},
		claimed: liarsOwn,
	},
	{
		requirement: "mapping/bad-signature-rejected", name: "a mapping whose signature does not verify",
		tell: func(honest federation.Template, cast cast) federation.Template {
			// Signed under the name and ID of the server's published key, by another key.
			signer := cast.liar.Peer().Signer()
			signer.Key = pseudoid.GenerateKeyPair().Private
			return honest.MappingSignedBy(signer)
		},
		claimed: liarsOwn, refused: true,
	},
	{
		requirement: "mapping/foreign-signature-not-honoured", name: "a mapping signed by another server than the user's",
		tell: func(honest federation.Template, cast cast) federation.Template {
			return honest.Claiming(cast.bob.ID())
		},
		claimed: func(cast cast) string { return cast.bob.ID() },
	},
	{
		requirement: "mapping/unknown-key-id-not-honoured", name: "a mapping signed under a key ID that is not published",
		tell: func(honest federation.Template, cast cast) federation.Template {
			signer := cast.liar.Peer().Signer()
			signer.KeyID, signer.Key = "ed25519:unpublished", pseudoid.GenerateKeyPair().Private
			return honest.MappingSignedBy(signer)
		},
		claimed: liarsOwn,
	},
	{
		requirement: "mapping/other-key-not-honoured", name: "a mapping that names the key of another member",
		tell: func(honest federation.Template, cast cast) federation.Template {
			return honest.NamingKey(cast.carol.KeyIn(cast.room.ID()).Public)
		},
		claimed: liarsOwn, deadly: "send",
	},
}

// path is one way by which a member event reaches the server under test. It delivers the event that alter makes of
// an honest join of the user, and tells what the server answered.
type path struct {
	name    string
	deliver func(cast cast, user *federation.User, alter func(federation.Template) federation.Template) (federation.Event, string, error)
}

var paths = []path{
	{"send_join", func(cast cast, user *federation.User, alter func(federation.Template) federation.Template) (federation.Event, string, error) {
		return cast.room.SendsJoin(user, alter)
	}},
	{"send", func(cast cast, user *federation.User, alter func(federation.Template) federation.Template) (federation.Event, string, error) {
		return cast.room.PushesJoin(user, alter)
	}},
}

func init() {
	for _, each := range lies {
		for _, along := range paths {
			check.Register(fmt.Sprintf("%s, by %s", each.name, along.name),
				check.Requires(each.requirement), check.Path(along.name),
				func(c *check.C) { tellLie(c, each, along) })
		}
	}
}

// tellLie plays one lie along one path: the same join, right, is accepted; the lie is told; alice's client, a server
// that joins later and the claimed domain must not see it come true.
func tellLie(c *check.C, told lie, along path) {
	blueprint := blueprints.OneServer
	if told.deadly == along.name {
		blueprint = blueprints.PrivateServer
	}
	s := stage.Open(c, blueprint)
	alice := s.User("alice")
	mallory, victim := s.Peer(), s.Peer()
	roomID := alice.Makes(stage.Public)
	cast := cast{carol: mallory.User("carol"), liar: mallory.User("liar"), bob: victim.User("bob")}
	cast.room = mallory.Joins(roomID, cast.carol)
	// The claimed domain shares another room with alice: what is queued for it arrives before what is said there.
	elsewhere := alice.Makes(stage.Public)
	victimsRoom := victim.Joins(elsewhere, cast.bob)

	honest := mallory.User("honest")
	_, answer, err := along.deliver(cast, honest, func(honest federation.Template) federation.Template { return honest })
	if err == nil {
		_, err = alice.SeesMembership(roomID, honest.ID(), "join")
	}
	c.Control(withAnswer(err, answer))

	event, answer, err := along.deliver(cast, cast.liar, func(honest federation.Template) federation.Template {
		return told.tell(honest, cast)
	})
	c.Need("resilience/stays-up", err)
	c.Notef("the server answered the lie with %s", answer)
	barrier := cast.room.Says(cast.carol, "said after the lie")
	shown := alice.AwaitsEvent("membership/remote-joins-us", roomID, barrier.ID())
	if sender := shown.Get("sender").String(); sender != cast.carol.ID() {
		c.Errorf("after the lie, the honest member %s is shown as %s", cast.carol.ID(), sender)
	}

	if told.refused {
		alice.Refused(roomID, event)
		later := s.Peer()
		later.Joins(roomID, later.User("witness")).NotServed(event)
	} else {
		alice.NotHonoured(roomID, event, told.claimed(cast))
	}
	alice.Says(roomID, "said to the room")
	last := alice.Says(elsewhere, "said to the claimed domain")
	victimsRoom.AwaitsEvent("routing/reaches-members", last)
	victim.OnlyLookedUp(roomID)
}

// withAnswer adds what the server answered to an error.
func withAnswer(err error, answer string) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, errors.New("the server answered "+answer))
}
