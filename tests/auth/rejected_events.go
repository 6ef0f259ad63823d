package auth

// Chapter auth, events that the authorisation rules refuse when sender keys stand in the place of user IDs.

import (
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/blueprints"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

func init() {
	// A sender_key is always a public key, and events have no sender (MSC4014, Proposal 1): a user ID in its place is
	// refused, whoever signed the event.
	anything := []delivery.Kind{delivery.Message, delivery.MemberState, delivery.Join}
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "auth/mxid-sender-rejected", Name: "an event as ordinary rooms have it", Kinds: anything,
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(p.Dan)
				field := template.Format().SenderField()
				return template.Alter(bySender(field, template.User().ID(), "sender")).SignedBy(p.Origin.Signer())
			},
		},
		{
			Requires: "auth/mxid-sender-rejected", Name: "an event with a user ID for its sender key", Kinds: anything,
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(p.Dan)
				field := template.Format().SenderField()
				return template.Alter(bySender(field, template.User().ID(), field))
			},
		},
	})

	// Who joins is who sends the join: its state key is the sender, here the sender key (authorisation rules, m.room.member;
	// MSC1228, Proposal: the key is used where user IDs stand).
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "auth/member-key-must-match", Name: "a join of another key than the sender's",
			Kinds: []delivery.Kind{delivery.Join}, Deadly: []string{"state"},
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				template, pair := honest(p.Dan), p.Dan.KeyIn(p.Room.ID())
				return template.Alter(federation.SetField(template.Format().SenderField(), pair.Public)).
					SignedBy(federation.SenderKeySigner(pair), federation.SenderKeySigner(template.Key()))
			},
		},
		{
			Requires: "auth/member-key-must-match", Name: "a join whose state key is the user ID",
			Kinds: []delivery.Kind{delivery.Join}, Deadly: []string{"state"},
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(p.Dan)
				return template.Alter(federation.SetField("state_key", template.User().ID()))
			},
		},
	})

	// Power levels are held by keys (MSC1228, Proposal): what a key without power does is refused, whomever it claims to be.
	law := []delivery.Kind{delivery.PrivilegedState}
	byCarol := func(p delivery.Scene, honest delivery.Honestly) federation.Template { return honest(p.Carol) }
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "auth/power-by-key", Name: "state by a key without power", Kinds: law, Honest: byCarol,
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template { return honest(p.Dan) },
		},
		{
			Requires: "auth/power-by-key", Name: "state by a key without power, mapped to a powerful user in the event",
			Kinds: law, Honest: byCarol,
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				return honest(p.Dan).WithMappingOf(p.Carol)
			},
		},
		{
			Requires: "auth/power-by-key", Name: "state by a key without power that names a powerful user as its sender",
			Kinds: law, Honest: byCarol,
			Paths: []string{"send", "get_missing_events", "state"}, // who enters a room knows no user in it before
			Alter: func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(p.Dan).Alter(federation.SetField("verified_sender_mxid", p.Carol.ID()))
				if template.Format().SenderField() != "sender" {
					template = template.Alter(federation.SetField("sender", p.Carol.ID()))
				}
				return template
			},
		},
	})

	// join_authorised_via_users_server is a sender key now, and the join must be signed by the same key as this field
	// (MSC4014, Additional notes). The control is a join that carol authorised.
	restricted := func(requirement, name string, alter delivery.Builder, furtherWays ...string) delivery.Forgery {
		return delivery.Forgery{
			Requires: requirement, Name: name, Kinds: []delivery.Kind{delivery.Join},
			Paths: append([]string{"send", "send_join"}, furtherWays...), Deadly: furtherWays,
			Prepare: restricts, Undo: opens, Honest: authorisedByCarol, Needs: "auth/restricted-authoriser-is-key", Alter: alter,
		}
	}
	keyOf := func(p delivery.Scene, user *federation.User) federation.Signer {
		return federation.SenderKeySigner(user.KeyIn(p.Room.ID()))
	}
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that nobody authorised",
			func(_ delivery.Scene, honest delivery.Honestly) federation.Template { return honest(nil) }),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that its authoriser did not sign",
			func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				return authorised(honest(nil), p.Carol.SenderIn(p.Room.Room))
			}, "get_missing_events", "state"),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that another member signed",
			func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				return authorised(honest(nil), p.Carol.SenderIn(p.Room.Room)).AlsoSignedBy(keyOf(p, p.Dan))
			}),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that the authoriser's server signed",
			func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				return authorised(honest(nil), p.Carol.SenderIn(p.Room.Room)).AlsoSignedBy(p.Origin.Signer())
			}),
		restricted("auth/restricted-authoriser-is-key", "a restricted join that is authorised by a user ID",
			func(p delivery.Scene, honest delivery.Honestly) federation.Template {
				return authorised(honest(nil), p.Carol.ID()).AlsoSignedBy(keyOf(p, p.Carol), p.Origin.Signer())
			}),
		restricted("auth/restricted-authoriser-is-key", "a restricted join that is authorised by a key of nobody in the room",
			func(_ delivery.Scene, honest delivery.Honestly) federation.Template {
				nobody := pseudoid.GenerateKeyPair()
				return authorised(honest(nil), string(nobody.Public)).AlsoSignedBy(federation.SenderKeySigner(nobody))
			}),
	})
}

// authorisedByCarol is a join as it must be in a room that is restricted.
func authorisedByCarol(p delivery.Scene, honest delivery.Honestly) federation.Template {
	return authorised(honest(nil), p.Carol.SenderIn(p.Room.Room)).AlsoSignedBy(federation.SenderKeySigner(p.Carol.KeyIn(p.Room.ID())))
}

// bySender puts a user ID where an event names its sender, under the name that the field is to have, and into the state key
// of a member event.
func bySender(field, userID, named string) federation.Change {
	return func(event []byte) ([]byte, error) {
		event, err := sjson.DeleteBytes(event, field)
		if err != nil {
			return nil, err
		}
		if gjson.GetBytes(event, "type").String() == "m.room.member" {
			if event, err = sjson.SetBytes(event, "state_key", userID); err != nil {
				return nil, err
			}
		}
		return sjson.SetBytes(event, named, userID)
	}
}

// authorised makes a join one that somebody authorises, with that member among its auth events.
func authorised(join federation.Template, by string) federation.Template {
	return join.Naming("join_authorised_via_users_server", by)
}

// restricts makes the room one that only members of another room may enter, or whom a member lets in.
func restricts(p delivery.Scene) {
	elsewhere := map[string]string{"type": "m.room_membership", "room_id": "!elsewhere:" + p.Origin.Name()}
	setsJoinRule(p, map[string]any{"join_rule": "restricted", "allow": []any{elsewhere}})
}

// opens lets everybody into the room again.
func opens(p delivery.Scene) { setsJoinRule(p, map[string]any{"join_rule": "public"}) }

func setsJoinRule(p delivery.Scene, content map[string]any) {
	p.Room.Delivers(p.Room.Builds(federation.Proto{
		Type: "m.room.join_rules", StateKey: federation.StateKey(""), Sender: p.Carol, Content: content,
	}))
	p.Barrier()
}
