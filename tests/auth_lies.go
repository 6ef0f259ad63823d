package main

// Chapter auth, events that the authorisation rules refuse when sender keys stand in the place of user IDs.

import (
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

func init() {
	// A sender_key is always a public key, and events have no sender (MSC4014, Proposal 1): a user ID in its place is
	// refused, whoever signed the event.
	anything := []eventKind{aMessage, aNote, aJoin}
	register([]falseEvent{
		{
			requirement: "auth/mxid-sender-rejected", name: "an event as ordinary rooms have it", kinds: anything,
			alter: func(p players, honest honest) federation.Template {
				template := honest(p.dan)
				field := template.Format().SenderField()
				return template.Alter(bySender(field, template.User().ID(), "sender")).SignedBy(p.mallory.Signer())
			},
		},
		{
			requirement: "auth/mxid-sender-rejected", name: "an event with a user ID for its sender key", kinds: anything,
			alter: func(p players, honest honest) federation.Template {
				template := honest(p.dan)
				field := template.Format().SenderField()
				return template.Alter(bySender(field, template.User().ID(), field))
			},
		},
	})

	// Who joins is who sends the join: its state key is the sender, here the sender key (authorisation rules, m.room.member;
	// MSC1228, Proposal: the key is used where user IDs stand).
	register([]falseEvent{
		{
			requirement: "auth/member-key-must-match", name: "a join of another key than the sender's",
			kinds: []eventKind{aJoin}, deadly: []string{"state"},
			alter: func(p players, honest honest) federation.Template {
				template, pair := honest(p.dan), p.dan.KeyIn(p.room.ID())
				return template.Alter(federation.SetField(template.Format().SenderField(), pair.Public)).
					SignedBy(federation.SenderKeySigner(pair), federation.SenderKeySigner(template.Key()))
			},
		},
		{
			requirement: "auth/member-key-must-match", name: "a join whose state key is the user ID",
			kinds: []eventKind{aJoin}, deadly: []string{"state"},
			alter: func(p players, honest honest) federation.Template {
				template := honest(p.dan)
				return template.Alter(federation.SetField("state_key", template.User().ID()))
			},
		},
	})

	// Power levels are held by keys (MSC1228, Proposal): what a key without power does is refused, whomever it claims to be.
	law := []eventKind{aLaw}
	byCarol := func(p players, honest honest) federation.Template { return honest(p.carol) }
	register([]falseEvent{
		{
			requirement: "auth/power-by-key", name: "state by a key without power", kinds: law, right: byCarol,
			alter: func(p players, honest honest) federation.Template { return honest(p.dan) },
		},
		{
			requirement: "auth/power-by-key", name: "state by a key without power, mapped to a powerful user in the event",
			kinds: law, right: byCarol,
			alter: func(p players, honest honest) federation.Template { return honest(p.dan).WithMappingOf(p.carol) },
		},
		{
			requirement: "auth/power-by-key", name: "state by a key without power that names a powerful user as its sender",
			kinds: law, right: byCarol,
			ways: []string{"send", "get_missing_events", "state"}, // who enters a room knows no user in it before
			alter: func(p players, honest honest) federation.Template {
				template := honest(p.dan).Alter(federation.SetField("verified_sender_mxid", p.carol.ID()))
				if template.Format().SenderField() != "sender" {
					template = template.Alter(federation.SetField("sender", p.carol.ID()))
				}
				return template
			},
		},
	})

	// join_authorised_via_users_server is a sender key now, and the join must be signed by the same key as this field
	// (MSC4014, Additional notes). The control is a join that carol authorised.
	restricted := func(requirement, name string, alter making, furtherWays ...string) falseEvent {
		return falseEvent{
			requirement: requirement, name: name, kinds: []eventKind{aJoin},
			ways: append([]string{"send", "send_join"}, furtherWays...), deadly: furtherWays,
			prepare: players.restricts, undo: players.opens, right: authorisedByCarol, needs: "auth/restricted-authoriser-is-key", alter: alter,
		}
	}
	keyOf := func(p players, user *federation.User) federation.Signer {
		return federation.SenderKeySigner(user.KeyIn(p.room.ID()))
	}
	register([]falseEvent{
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that nobody authorised",
			func(_ players, honest honest) federation.Template { return honest(nil) }),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that its authoriser did not sign",
			func(p players, honest honest) federation.Template {
				return authorised(honest(nil), p.carol.SenderIn(p.room.Room))
			}, "get_missing_events", "state"),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that another member signed",
			func(p players, honest honest) federation.Template {
				return authorised(honest(nil), p.carol.SenderIn(p.room.Room)).AlsoSignedBy(keyOf(p, p.dan))
			}),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that the authoriser's server signed",
			func(p players, honest honest) federation.Template {
				return authorised(honest(nil), p.carol.SenderIn(p.room.Room)).AlsoSignedBy(p.mallory.Signer())
			}),
		restricted("auth/restricted-authoriser-is-key", "a restricted join that is authorised by a user ID",
			func(p players, honest honest) federation.Template {
				return authorised(honest(nil), p.carol.ID()).AlsoSignedBy(keyOf(p, p.carol), p.mallory.Signer())
			}),
		restricted("auth/restricted-authoriser-is-key", "a restricted join that is authorised by a key of nobody in the room",
			func(_ players, honest honest) federation.Template {
				nobody := pseudoid.GenerateKeyPair()
				return authorised(honest(nil), string(nobody.Public)).AlsoSignedBy(federation.SenderKeySigner(nobody))
			}),
	})
}

// authorisedByCarol is a join as it must be in a room that is restricted.
func authorisedByCarol(p players, honest honest) federation.Template {
	return authorised(honest(nil), p.carol.SenderIn(p.room.Room)).AlsoSignedBy(federation.SenderKeySigner(p.carol.KeyIn(p.room.ID())))
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
func (p players) restricts() {
	elsewhere := map[string]string{"type": "m.room_membership", "room_id": "!elsewhere:" + p.mallory.Name()}
	p.setsJoinRule(map[string]any{"join_rule": "restricted", "allow": []any{elsewhere}})
}

// opens lets everybody into the room again.
func (p players) opens() { p.setsJoinRule(map[string]any{"join_rule": "public"}) }

func (p players) setsJoinRule(content map[string]any) {
	p.room.Delivers(p.room.Builds(federation.Proto{
		Type: "m.room.join_rules", StateKey: federation.StateKey(""), Sender: p.carol, Content: content,
	}))
	p.barrier()
}
