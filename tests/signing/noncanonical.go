package signing

// What the texts leave to the reader of RFC 8032 and of the base64 appendix: signatures and keys that some verifiers accept,
// and others do not.

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// nonCanonical are joins of Dan whose signature or key is not canonical.
var nonCanonical = []struct {
	name, reading string // the reading of a server that accepts only such joins of the same reading
	makes         func(scene scenes.Ban) federation.Template
}{
	{"a malleated signature (S + L)", "signature-accepted", func(scene scenes.Ban) federation.Template {
		join := scene.Room.MemberTemplate(scene.Dan, "join")
		return join.AlterAfterSigning(malleate(join.SignerOf(join.Key())))
	}},
	{"a padded key", "key-spelling-accepted", func(scene scenes.Ban) federation.Template {
		return underKey(scene, pseudoid.GenerateKeyPair(), scenes.Padded)
	}},
	{"a key in the URL-safe alphabet", "key-spelling-accepted", func(scene scenes.Ban) federation.Template {
		return underKey(scene, scenes.KeyWithSigns(), scenes.UrlSafe)
	}},
	{"a key of small order", "small-order-accepted", func(scene scenes.Ban) federation.Template {
		template := underKey(scene, pseudoid.GenerateKeyPair(), func(pseudoid.SenderKey) pseudoid.SenderKey { return smallOrderKey })
		return template.AlterAfterSigning(func(event []byte) ([]byte, error) {
			return sjson.SetBytes(event, template.SignerOf(template.Key()).Path(), anySignature)
		})
	}},
}

// What becomes of a signature that Ed25519 does not make but that may verify (RFC 8032, 5.1.7: S is below the order L), of
// a key in another spelling than that of binary event data (MSC4014, Proposal 1; Matrix appendices, unpadded base64), and
// of a key for which anybody can sign.
var _ = check.Register(check.Check{
	Name:     "signatures and keys that are not canonical",
	Requires: []string{"signing/rejects-noncanonical"},
	Path:     "send_join",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		var readings, details []string
		for _, each := range nonCanonical {
			accepted, answer := isAccepted(s, each.makes)
			if accepted && !slices.Contains(readings, each.reading) {
				readings = append(readings, each.reading)
			}
			details = append(details, fmt.Sprintf("%s: answered %s, accepted %t", each.name, answer, accepted))
		}
		reading := "all-refused"
		switch len(readings) {
		case 0:
		case 1:
			reading = readings[0]
		default:
			reading = "several-accepted"
		}
		c.Observe(reading, "%s", strings.Join(details, "; "))
	},
})

// isAccepted delivers a join by send_join, and reports whether clients or a server that joins later are served it. The control
// is an honest join along the same path into the same room.
func isAccepted(s *stage.Stage, makes func(scene scenes.Ban) federation.Template) (accepted bool, answer string) {
	scene := scenes.OpenBan(s)
	scene.LetIn(delivery.SendJoin)
	scene.Dan = scene.Peer.User("odd")
	join := scene.Room.Made(makes(scene))
	answer, broken := scene.Delivers(delivery.SendJoin, join)
	s.C.Need("resilience/stays-up", broken)
	return scene.Alice.SomeView(scene.Room.ID(), func(view stage.View) bool { return view.Has(join.ID()) }) ||
		delivery.ServesLaterJoiner(s, scene.Room.ID(), join.ID()), answer
}

// underKey is the join of Dan under a key that is spelled in another way, in all places.
func underKey(scene scenes.Ban, pair pseudoid.KeyPair, spelled func(pseudoid.SenderKey) pseudoid.SenderKey) federation.Template {
	pair.Public = spelled(pair.Public)
	return scene.Room.MemberTemplate(scene.Dan, "join").WithKey(pair)
}

// smallOrderKey is the identity point, and anySignature (R the identity, S zero) verifies under it whatever was signed,
// unless the verifier refuses points of small order.
const smallOrderKey = pseudoid.SenderKey("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

var anySignature = base64.RawStdEncoding.EncodeToString(append([]byte{1}, make([]byte, 63)...))

// malleate adds the order L of the base point to S, the second half of a signature, which is little-endian.
func malleate(signer federation.Signer) federation.Change {
	return func(event []byte) ([]byte, error) {
		path := signer.Path()
		signature, err := base64.RawStdEncoding.DecodeString(gjson.GetBytes(event, path).String())
		if err != nil {
			return nil, err
		}
		order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
		s := slices.Clone(signature[32:])
		slices.Reverse(s)
		sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
		slices.Reverse(sum)
		return sjson.SetBytes(event, path, base64.RawStdEncoding.EncodeToString(append(signature[:32:32], sum...)))
	}
}
