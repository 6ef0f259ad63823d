package mapping

// Joins with a false mapping. Each is delivered along all paths that carry it; control and lie are made from one template and
// differ in what the lie alters.

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// lie is one way in which the mapping of a join is false.
type lie struct {
	requirement string
	name        string
	alter       alteration
	// about is who is claimed besides the members of Origin's room.
	about person
	// claimed is the user ID that the liar must not be shown as; nil: its own.
	claimed func(s scene) string
	// member says that the claimed user is a member of the room.
	member bool
	// verified says that the liar is a member of the room already, by a true mapping: it changes its profile.
	verified bool
	// refused: the text demands that the event itself is refused, by send and send_join.
	refused bool
	// paths are those that the lie is delivered along; nil: all that carry it.
	paths []string
	// deadly are the paths along which deployed servers crash of it.
	deadly []string
}

// pushed are the paths along which every form of a lie is delivered. Along the others one form of each is delivered.
var pushed = []string{"send", "send_join"}

// eventPaths are those along which the event itself is judged, and not another by which its user is met. Along the latter a server that
// takes a mapping unjudged is seen by one form of a claim.
var eventPaths = append(pushed, "the state of send_join", "backfill", "get_missing_events", "state")

// residentPaths are those along which a lie about a member whom the server knows already is delivered.
var residentPaths = append(pushed, "get_missing_events", "state")

// A mapping counts only with a valid signature of the user ID's domain over a mapping that names this very key, and cannot be
// spoofed by any random server (MSC4014, Proposal 4 and 4.1); MSC1228 (Implementation) rejects an event whose mapping signature
// is wrong.
var joinLies = []lie{
	{
		requirement: "mapping/missing-not-honoured", name: "a join without a mapping",
		alter: func(honest federation.Template, _ scene) federation.Template { return honest.WithoutMapping() },
	},
	{
		requirement: "mapping/unsigned-not-honoured", name: "a mapping without signatures",
		alter: func(honest federation.Template, _ scene) federation.Template {
			return honest.AlterMappingAfterSigning(federation.DeleteField("signatures"))
		},
	},
	{
		requirement: "mapping/unsigned-not-honoured", name: "a mapping with empty signatures", paths: pushed,
		alter: func(honest federation.Template, _ scene) federation.Template {
			return honest.AlterMappingAfterSigning(federation.SetField("signatures", map[string]any{}))
		},
	},
	{
		requirement: "mapping/bad-signature-rejected", name: "a mapping whose signature does not verify", refused: true,
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.MappingSignedBy(forged(s.Origin.Signer()))
		},
		paths: eventPaths,
	},
	{
		requirement: "mapping/foreign-signature-not-honoured", name: "a mapping signed by another server than the user's",
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.Claiming(s.bob.ID())
		},
		about: bob, claimed: idOfBob,
	},
	{
		requirement: "mapping/unknown-key-id-not-honoured", name: "a mapping signed under a key ID that is not published",
		alter: func(honest federation.Template, s scene) federation.Template {
			signer := forged(s.Origin.Signer())
			signer.KeyID = "ed25519:unpublished"
			return honest.MappingSignedBy(signer)
		},
		paths: eventPaths,
	},
	{
		requirement: "mapping/other-key-not-honoured", name: "a mapping that names the key of another member",
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.NamingKey(s.Carol.KeyIn(honest.RoomID()).Public)
		},
		deadly: []string{"send", "get_missing_events"},
	},
	{
		// The key of the last lie was one of the liar's own server. This one is not.
		requirement: "mapping/no-hijack", name: "a mapping that names the key of a user of the server",
		paths: residentPaths,
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.NamingKey(pseudoid.SenderKey(s.Room.SenderOf(s.Alice.UserID)))
		},
		deadly: []string{"send", "get_missing_events"},
	},
	{
		requirement: "mapping/no-hijack", name: "a join in the name of another member's key",
		paths: residentPaths, // a room that is entered would have no join of that member's own
		alter: func(honest federation.Template, s scene) federation.Template {
			victim := s.Carol.KeyIn(honest.RoomID()).Public
			return honest.NamingKey(victim).Alter(federation.SetField("state_key", victim))
		},
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a claim of a user of the server",
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.Claiming(s.zoe.UserID)
		},
		about: zoe, claimed: idOfZoe,
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a claim of a user of the server who is in the room", paths: pushed,
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.Claiming(s.Alice.UserID)
		},
		claimed: func(s scene) string { return s.Alice.UserID }, member: true,
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a claim of a user of the server, signed in its name", paths: pushed,
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.Claiming(s.zoe.UserID).MappingSignedBy(forged(s.serversSigner()))
		},
		about: zoe, claimed: idOfZoe,
	},
	{
		requirement: "mapping/no-claim-of-third-user", name: "a claim of a third server's user, signed in its name",
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.Claiming(s.bob.ID()).MappingSignedBy(forged(s.victim.Signer()))
		},
		about: bob, claimed: idOfBob, paths: eventPaths,
	},
	{
		// The liar's server publishes this key under the same ID, in its own name.
		requirement: "mapping/no-claim-of-third-user", name: "a claim of a third server's user, signed in its name with the liar's published key",
		alter: func(honest federation.Template, s scene) federation.Template {
			signer := s.victim.Signer()
			signer.Key = s.Origin.Signer().Key
			return honest.Claiming(s.bob.ID()).MappingSignedBy(signer)
		},
		about: bob, claimed: idOfBob, paths: []string{"send"},
	},
	{
		requirement: "mapping/no-claim-of-third-user", name: "a claim of a third server's user who is in the room", paths: pushed,
		alter: func(honest federation.Template, s scene) federation.Template {
			return honest.Claiming(s.bob.ID())
		},
		about: memberBob, claimed: idOfBob, member: true,
	},
	{
		requirement: "mapping/foreign-signature-not-honoured", name: "a member's later join that claims another server's user",
		alter: func(honest federation.Template, s scene) federation.Template { return honest.Claiming(s.bob.ID()) },
		about: bob, claimed: idOfBob, verified: true, paths: laterPaths,
	},
	{
		requirement: "mapping/no-claim-of-local-user", name: "a member's later join that claims a user of the server",
		alter: func(honest federation.Template, s scene) federation.Template { return honest.Claiming(s.zoe.UserID) },
		about: zoe, claimed: idOfZoe, verified: true, paths: laterPaths,
	},
	{
		requirement: "mapping/no-claim-of-third-user", name: "a member's later join that claims another member",
		alter: func(honest federation.Template, s scene) federation.Template { return honest.Claiming(s.bob.ID()) },
		about: memberBob, claimed: idOfBob, member: true, verified: true, paths: []string{"send"},
	},
}

// laterPaths are those along which a server receives an event of somebody whom it knows already, by name.
var laterPaths = []string{"send", "get_missing_events"}

// forged returns a signer in the same name and with the same key ID, by another key.
func forged(signer federation.Signer) federation.Signer {
	signer.Key = pseudoid.GenerateKeyPair().Private
	return signer
}

// serversSigner is the name and key ID with which the server under test signs mappings, without the private key.
func (s scene) serversSigner() federation.Signer {
	entity := s.ServerName(1)
	join := s.Room.Blaming("mapping/in-remote-join").MemberOf(s.Alice.UserID)
	signer := federation.Signer{Entity: entity}
	join.Get("content." + pseudoid.MappingField + ".signatures." + gjson.Escape(entity)).ForEach(func(keyID, _ gjson.Result) bool {
		signer.KeyID = keyID.String()
		return false
	})
	if signer.KeyID == "" {
		s.C.Blocked("mapping/signed-by-users-server", "the mapping of a user of the server has no signature by it")
	}
	return signer
}

func init() {
	for _, each := range joinLies {
		for _, along := range delivery.JoinPaths {
			if !each.isDelivered(along) {
				continue
			}
			check.Register(check.Check{
				Name:     fmt.Sprintf("%s, by %s", each.name, along.Name),
				Requires: []string{each.requirement},
				Path:     along.Name,
				Deadly:   along.Name == delivery.State.Name || slices.Contains(each.deadly, along.Name),
				Body:     func(c *check.C) { each.judge(c, along) },
			})
		}
	}
}

// namesKey reports whether the mapping names the key of another user.
func (l lie) namesKey() bool {
	return l.requirement == "mapping/other-key-not-honoured" || l.requirement == "mapping/no-hijack"
}

// isDelivered reports whether the lie is delivered along a path. Along paths by which the server knows the liar already, only claims of
// another user ID are.
func (l lie) isDelivered(along delivery.Path) bool {
	return (l.paths == nil || slices.Contains(l.paths, along.Name)) &&
		(!along.Known || l.claimed != nil || along.Name == delivery.CompletedInvite.Name && l.namesKey())
}
