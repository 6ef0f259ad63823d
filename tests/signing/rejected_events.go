package signing

// Events that are not signed by their own sender key, or whose content is not what was signed.

import (
	"encoding/base64"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/blueprints"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// Events are signed by the sender_key: signature and key come together in the event, so that it can always be verified
// (MSC4014, Proposal 2). What is signed otherwise, or not at all, is refused. An event whose content hash is wrong is
// redacted before it is processed further (server-server API, checks performed on receipt of a PDU).
func init() {
	anything := []delivery.Kind{delivery.Message, delivery.MemberState, delivery.Join}
	signed := func(by func(s delivery.Scene, t federation.Template) []federation.Signer) delivery.Builder {
		return func(s delivery.Scene, honest delivery.Honestly) federation.Template {
			template := honest(s.Dan)
			return template.SignedBy(by(s, template)...)
		}
	}
	altered := func(change func(s delivery.Scene, t federation.Template) federation.Change) delivery.Builder {
		return func(s delivery.Scene, honest delivery.Honestly) federation.Template {
			template := honest(s.Dan)
			return template.AlterAfterSigning(change(s, template))
		}
	}
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "signing/rejects-unsigned", Name: "an event with empty signatures", Kinds: anything,
			Alter: signed(func(delivery.Scene, federation.Template) []federation.Signer { return nil }),
		},
		{
			Requires: "signing/rejects-unsigned", Name: "an event without signatures", Kinds: anything,
			Alter: altered(func(delivery.Scene, federation.Template) federation.Change {
				return federation.DeleteField("signatures")
			}),
		},
		{
			Requires: "signing/rejects-bad-signature", Name: "an event whose signature is corrupted", Kinds: anything,
			Alter: altered(func(_ delivery.Scene, t federation.Template) federation.Change {
				return corruptSignature(t.SignerOf(t.Key()))
			}),
		},
		{
			Requires: "signing/rejects-other-key", Name: "an event signed by another member's key under its own name", Kinds: anything,
			Alter: signed(func(s delivery.Scene, _ federation.Template) []federation.Signer {
				return []federation.Signer{s.Room.SignerOf(s.Carol.KeyIn(s.Room.ID()))}
			}),
		},
		{
			Requires: "signing/rejects-other-key", Name: "an event signed by another member's key under the sender's name", Kinds: anything,
			Alter: signed(func(s delivery.Scene, t federation.Template) []federation.Signer {
				signer := t.SignerOf(t.Key())
				signer.Key = s.Carol.KeyIn(s.Room.ID()).Private
				return []federation.Signer{signer}
			}),
		},
		{
			// In the name of a user of the server itself, who did not send it.
			Requires: "signing/rejects-other-key", Name: "an event in the name of a local user", Kinds: []delivery.Kind{delivery.Message},
			Paths: []string{"send", "get_missing_events"}, // where Alice is in the room already
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				sender, alicesKey := s.Origin.User("double"), s.Room.Blaming("mapping/in-remote-join").MemberOf(s.Alice.UserID).Sender()
				sender.UseKey(s.Room.ID(), pseudoid.KeyPair{Public: pseudoid.SenderKey(alicesKey), Private: s.Carol.KeyIn(s.Room.ID()).Private})
				return honest(sender)
			},
		},
		{
			Requires: "signing/rejects-server-key", Name: "an event signed by the sending server's key alone", Kinds: anything,
			Alter: signed(func(s delivery.Scene, _ federation.Template) []federation.Signer {
				return []federation.Signer{s.Origin.Signer()}
			}),
		},
		{
			Requires: "signing/tampered-content-redacted", Name: "an event whose content was changed", Kinds: anything,
			Alter: altered(func(delivery.Scene, federation.Template) federation.Change { return tamper }), Judge: delivery.IsRedacted,
		},
	})
}

// corruptSignature changes one bit of a signature.
func corruptSignature(signer federation.Signer) federation.Change {
	return func(event []byte) ([]byte, error) {
		path := signer.Path()
		signature, err := base64.RawStdEncoding.DecodeString(gjson.GetBytes(event, path).String())
		if err != nil {
			return nil, err
		}
		signature[0] ^= 1
		return sjson.SetBytes(event, path, pseudoid.EncodeBase64(signature))
	}
}

// tamper changes what clients show of an event, and leaves its hash as it is. The signature, which is over the redacted event,
// stays valid.
func tamper(event []byte) ([]byte, error) {
	shown := map[string]string{"m.room.message": "body", delivery.MemberStateType: "note", "m.room.member": "displayname"}
	return sjson.SetBytes(event, "content."+shown[gjson.GetBytes(event, "type").String()], delivery.Tampered)
}
