package main

// Chapter signing, the liar's half: events that are not signed by their own sender key, or whose content is not what was
// signed.

import (
	"encoding/base64"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// Events are signed by the sender_key: signature and key come together in the event, so that it can always be verified
// (MSC4014, Proposal 2). What is signed otherwise, or not at all, is refused. An event whose content hash is wrong is
// redacted before it is processed further (server-server API, checks performed on receipt of a PDU).
func init() {
	anything := []eventKind{aMessage, aNote, aJoin}
	signed := func(by func(p players, t federation.Template) []federation.Signer) making {
		return func(p players, honest honest) federation.Template {
			template := honest(p.dan)
			return template.SignedBy(by(p, template)...)
		}
	}
	altered := func(change func(p players, t federation.Template) federation.Change) making {
		return func(p players, honest honest) federation.Template {
			template := honest(p.dan)
			return template.AlterAfterSigning(change(p, template))
		}
	}
	register([]falseEvent{
		{
			requirement: "signing/rejects-unsigned", name: "an event with empty signatures", kinds: anything,
			alter: signed(func(players, federation.Template) []federation.Signer { return nil }),
		},
		{
			requirement: "signing/rejects-unsigned", name: "an event without signatures", kinds: anything,
			alter: altered(func(players, federation.Template) federation.Change { return federation.DeleteField("signatures") }),
		},
		{
			requirement: "signing/rejects-bad-signature", name: "an event whose signature is corrupted", kinds: anything,
			alter: altered(func(_ players, t federation.Template) federation.Change { return corruptSignature(t.Sender()) }),
		},
		{
			requirement: "signing/rejects-other-key", name: "an event signed by another member's key under its own name", kinds: anything,
			alter: signed(func(p players, _ federation.Template) []federation.Signer {
				return []federation.Signer{federation.SenderKeySigner(p.carol.KeyIn(p.room.ID()))}
			}),
		},
		{
			requirement: "signing/rejects-other-key", name: "an event signed by another member's key under the sender's name", kinds: anything,
			alter: signed(func(p players, t federation.Template) []federation.Signer {
				signer := federation.SenderKeySigner(t.Key())
				signer.Key = p.carol.KeyIn(p.room.ID()).Private
				return []federation.Signer{signer}
			}),
		},
		{
			// In the name of a user of the server itself: what is shown of it are words that she never said.
			requirement: "signing/rejects-other-key", name: "an event in the name of a local user", kinds: []eventKind{aMessage},
			ways: []string{"send", "get_missing_events"}, // where alice is in the room already
			alter: func(p players, honest honest) federation.Template {
				double, alicesKey := p.mallory.User("double"), p.room.Blaming("mapping/in-remote-join").MemberOf(p.alice.UserID).Sender()
				double.UseKey(p.room.ID(), pseudoid.KeyPair{Public: pseudoid.SenderKey(alicesKey), Private: p.carol.KeyIn(p.room.ID()).Private})
				return honest(double)
			},
		},
		{
			requirement: "signing/rejects-server-key", name: "an event signed by the sending server's key alone", kinds: anything,
			alter: signed(func(p players, _ federation.Template) []federation.Signer {
				return []federation.Signer{p.mallory.Signer()}
			}),
		},
		{
			requirement: "signing/tampered-content-redacted", name: "an event whose content was changed", kinds: anything,
			alter: altered(func(players, federation.Template) federation.Change { return tamper }), judge: isRedacted,
		},
	})
}

// corruptSignature changes one bit of the signature that stands under the sender key's name.
func corruptSignature(sender string) federation.Change {
	return func(event []byte) ([]byte, error) {
		path := signaturePath(pseudoid.SenderKey(sender))
		signature, err := base64.RawStdEncoding.DecodeString(gjson.GetBytes(event, path).String())
		if err != nil {
			return nil, err
		}
		signature[0] ^= 1
		return sjson.SetBytes(event, path, pseudoid.EncodeBase64(signature))
	}
}

// tamper changes what clients show of an event, and leaves its hash as it is. The signature, over the redacted event,
// still holds.
func tamper(event []byte) ([]byte, error) {
	shown := map[string]string{"m.room.message": "body", noteType: "note", "m.room.member": "displayname"}
	return sjson.SetBytes(event, "content."+shown[gjson.GetBytes(event, "type").String()], tampered)
}
