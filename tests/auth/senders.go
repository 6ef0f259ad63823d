package auth

// Events that are not sent by a sender key, and joins whose state key is not their sender.

import (
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/blueprints"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

func init() {
	// A sender_key is always a public key, and events have no sender (MSC4014, Proposal 1): a user ID in its place is
	// refused, whoever signed the event.
	anything := []delivery.Kind{delivery.Message, delivery.MemberState, delivery.Join}
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "auth/mxid-sender-rejected", Name: "an event in the form of ordinary rooms", Kinds: anything,
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(s.Dan)
				field := template.Format().SenderField()
				return template.Alter(sentByUserID(field, template.User().ID(), "sender")).SignedBy(s.Origin.Signer())
			},
		},
		{
			Requires: "auth/mxid-sender-rejected", Name: "an event with a user ID for its sender key", Kinds: anything,
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(s.Dan)
				field := template.Format().SenderField()
				return template.Alter(sentByUserID(field, template.User().ID(), field))
			},
		},
	})

	// Who joins is who sends the join: its state key is the sender, here the sender key (authorisation rules, m.room.member;
	// MSC1228, Proposal: the key is used where user IDs stand).
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "auth/member-key-must-match", Name: "a join of another key than the sender's",
			Kinds: []delivery.Kind{delivery.Join}, Deadly: []string{"state"},
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				template, pair := honest(s.Dan), s.Dan.KeyIn(s.Room.ID())
				return template.Alter(federation.SetField(template.Format().SenderField(), pair.Public)).
					SignedBy(template.SignerOf(pair), template.SignerOf(template.Key()))
			},
		},
		{
			Requires: "auth/member-key-must-match", Name: "a join whose state key is the user ID",
			Kinds: []delivery.Kind{delivery.Join}, Deadly: []string{"state"},
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(s.Dan)
				return template.Alter(federation.SetField("state_key", template.User().ID()))
			},
		},
	})
}

// sentByUserID replaces the sender field of an event by another field that holds a user ID, which is also the state key of a
// member event then.
func sentByUserID(field, userID, newField string) federation.Change {
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
		return sjson.SetBytes(event, newField, userID)
	}
}
