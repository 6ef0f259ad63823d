package mapping

// Lies about who a member is: joins that claim what is not so. The ways by which they are told are in mapping_ways.go;
// checks are made from the product of the two tables, and played in mapping_told.go. Control and lie come from one
// template and differ in what the lie alters.

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// lie is one way in which a join claims what is not so.
type lie struct {
	requirement string
	name        string
	// tell alters an honest join of the liar.
	tell func(honest federation.Template, p scene) federation.Template
	// about is who is claimed besides the members of Origin's room.
	about person
	// claimed is the user ID that the liar must not be shown as; nil: its own.
	claimed func(p scene) string
	// member says that whom the lie claims is a member of the room.
	member bool
	// refused: the text demands that the event itself is refused, where it is pushed or sent by send_join.
	refused bool
	// ways are those that the lie is told along; nil: all that carry it.
	ways []string
	// deadly are the ways along which deployed servers die of it.
	deadly []string
}

// The ways along which every form of a lie is told. The others are told one form of each, and the lies of which deployed
// servers die by all of several ways are told along the first: each death costs the run a server.
var pushed = []string{"send", "send_join"}

// joinLies are told by joins. The text: a mapping counts only with a valid signature of the user ID's domain over a
// mapping that names this very key, and cannot be spoofed by any random server (MSC4014, Proposal 4 and 4.1); MSC1228
// (Implementation) rejects an event whose mapping signature is wrong.
var joinLies = []lie{
	{
		requirement: "mapping/missing-not-honoured", name: "a join without a mapping",
		tell: func(honest federation.Template, _ scene) federation.Template { return honest.WithoutMapping() },
	},
	{
		requirement: "mapping/unsigned-not-honoured", name: "a mapping without signatures",
		tell: func(honest federation.Template, _ scene) federation.Template {
			return honest.AlterMappingAfterSigning(federation.DeleteField("signatures"))
		},
	},
	{
		requirement: "mapping/unsigned-not-honoured", name: "a mapping with empty signatures", ways: pushed,
		tell: func(honest federation.Template, _ scene) federation.Template {
			return honest.AlterMappingAfterSigning(federation.SetField("signatures", map[string]any{}))
		},
	},
	{
		requirement: "mapping/bad-signature-rejected", name: "a mapping whose signature does not verify", refused: true,
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.MappingSignedBy(forged(p.Origin.Signer()))
		},
		ways: append(pushed, "the state of send_join", "get_missing_events"),
	},
	{
		requirement: "mapping/foreign-signature-not-honoured", name: "a mapping signed by another server than the user's",
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.Claiming(p.bob.ID())
		},
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unknown-key-id-not-honoured", name: "a mapping signed under a key ID that is not published",
		tell: func(honest federation.Template, p scene) federation.Template {
			signer := forged(p.Origin.Signer())
			signer.KeyID = "ed25519:unpublished"
			return honest.MappingSignedBy(signer)
		},
		ways: append(pushed, "the state of send_join", "get_missing_events"),
	},
	{
		requirement: "mapping/other-key-not-honoured", name: "a mapping that names the key of another member",
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.NamingKey(p.Carol.KeyIn(honest.RoomID()).Public)
		},
		ways:   append(pushed, "the state of send_join", "the auth chain of send_join", "backfill", delivery.CompletedInvite.Name),
		deadly: []string{"send"},
	},
	{
		// The mapping of the last lie was one that the liar's server can sign for a key of its own. This is another's.
		requirement: "mapping/no-hijack", name: "a mapping that names the key of a user of the server", ways: pushed,
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.NamingKey(pseudoid.SenderKey(p.Room.SenderOf(p.Alice.UserID)))
		},
		deadly: []string{"send"},
	},
	{
		requirement: "mapping/no-hijack", name: "a join in the name of another member's key", ways: pushed,
		tell: func(honest federation.Template, p scene) federation.Template {
			victim := p.Carol.KeyIn(honest.RoomID()).Public
			return honest.NamingKey(victim).Alter(federation.SetField("state_key", victim))
		},
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a claim of a user of the server",
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.Claiming(p.zoe.UserID)
		},
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a claim of a user of the server who is in the room", ways: pushed,
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.Claiming(p.Alice.UserID)
		},
		claimed: func(p scene) string { return p.Alice.UserID }, member: true,
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a claim of a user of the server, signed in its name", ways: pushed,
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.Claiming(p.zoe.UserID).MappingSignedBy(forged(p.serversSigner()))
		},
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/no-claim-of-third-user", name: "a claim of a third server's user, signed in its name",
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.Claiming(p.bob.ID()).MappingSignedBy(forged(p.victim.Signer()))
		},
		about: bob, claimed: bobsID, ways: append(pushed, "the state of send_join"),
	},
	{
		requirement: "mapping/no-claim-of-third-user", name: "a claim of a third server's user who is in the room", ways: pushed,
		tell: func(honest federation.Template, p scene) federation.Template {
			return honest.Claiming(p.bob.ID())
		},
		about: memberBob, claimed: bobsID, member: true,
	},
}

// forged signs in another's name, under its key ID, by a key that is not its own.
func forged(signer federation.Signer) federation.Signer {
	signer.Key = pseudoid.GenerateKeyPair().Private
	return signer
}

// serversSigner is the name and key ID by which the server under test signs mappings; the key is its secret.
func (p scene) serversSigner() federation.Signer {
	entity := p.ServerName(1)
	join := p.Room.Blaming("mapping/in-remote-join").MemberOf(p.Alice.UserID)
	signer := federation.Signer{Entity: entity}
	join.Get("content." + pseudoid.MappingField + ".signatures." + gjson.Escape(entity)).ForEach(func(keyID, _ gjson.Result) bool {
		signer.KeyID = keyID.String()
		return false
	})
	if signer.KeyID == "" {
		p.C.Blocked("mapping/signed-by-users-server", "the mapping of a user of the server has no signature by it")
	}
	return signer
}

func init() {
	for _, each := range joinLies {
		for _, along := range delivery.JoinPaths {
			if !each.carries(along) {
				continue
			}
			check.Register(check.Check{
				Name:     fmt.Sprintf("%s, by %s", each.name, along.Name),
				Requires: []string{each.requirement},
				Path:     along.Name,
				Deadly:   along.Name == delivery.State.Name || slices.Contains(each.deadly, along.Name),
				Body:     func(c *check.C) { judgeLie(c, each, along) },
			})
		}
	}
}

// namesKey tells whether the lie is about another's key.
func (l lie) namesKey() bool {
	return l.requirement == "mapping/other-key-not-honoured" || l.requirement == "mapping/no-hijack"
}

// carries reports whether the lie is delivered along a path. Deployed servers crash of whatever comes by /state: one lie alone is
// delivered so. Where the liar is known otherwise, too, only claims of another user ID can be.
func (l lie) carries(along delivery.Path) bool {
	return (l.ways == nil || slices.Contains(l.ways, along.Name)) &&
		(along.Name != delivery.State.Name || l.requirement == "mapping/foreign-signature-not-honoured") &&
		(!along.Known || l.claimed != nil || along.Name == delivery.CompletedInvite.Name && l.namesKey())
}
