// Tests of signing events and of verifying their signatures.

package pseudoid

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var pseudonymousFormats = map[string]Format{
	"dendrite": FormatDendrite, "msc4014": FormatMSC4014, "msc4014 to the letter": FormatMSC4014Letter,
}

// unsignedEvent returns a message by the key in the format.
func unsignedEvent(f Format, key SenderKey) []byte {
	return fmt.Appendf(nil, `{"type":"m.room.message","room_id":"!r:hs1","content":{"body":"hello"},"%s":"%s","depth":7,"unsigned":{"age":5}}`,
		f.SenderField(), key)
}

// signedBySenderKey is the event with its content hash and with one signature, by key, as its sender signs it.
func signedBySenderKey(event []byte, f Format, key KeyPair) ([]byte, error) {
	return SignEvent(event, f, string(key.Public), SenderKeyID, key.Private)
}

func TestSignEventBySender(t *testing.T) {
	for name, f := range pseudonymousFormats {
		t.Run(name, func(t *testing.T) {
			key := GenerateKeyPair()
			signed, err := signedBySenderKey(unsignedEvent(f, key.Public), f, key)
			require.NoError(t, err)
			require.NoError(t, CheckContentHash(signed))
			location, err := VerifySenderSignature(signed, f)
			require.NoError(t, err)
			assert.Equal(t, SignatureLocation{Entity: string(key.Public), KeyID: "ed25519:1"}, location)
			assert.NoError(t, VerifyEventSignature(signed, f, string(key.Public), "ed25519:1", key.Private.Public().(ed25519.PublicKey)))
			assert.Contains(t, string(signed), `"unsigned":{"age":5}`)

			again, err := signedBySenderKey(signed, f, key)
			require.NoError(t, err)
			assert.Equal(t, string(signed), string(again), "signing is the same twice, and leaves nothing behind")
		})
	}
}

func TestSignEventKeepsHashAndOtherSignatures(t *testing.T) {
	key := GenerateKeyPair()
	event := altered(t, string(unsignedEvent(FormatDendrite, key.Public)), "signatures", `{"hs1":{"ed25519:a":"other"}}`)
	event = altered(t, event, "hashes", `{"sha256":"wrong"}`)
	signed, err := SignEvent([]byte(event), FormatDendrite, "hs1", "ed25519:b", key.Private)
	require.NoError(t, err)
	assert.Contains(t, string(signed), `"hashes":{"sha256":"wrong"}`)
	assert.Contains(t, string(signed), `"ed25519:a":"other"`)
	assert.NoError(t, VerifyEventSignature(signed, FormatDendrite, "hs1", "ed25519:b", key.Private.Public().(ed25519.PublicKey)))
}

func TestSignatureSurvivesRedaction(t *testing.T) {
	for name, f := range pseudonymousFormats {
		t.Run(name, func(t *testing.T) {
			key := GenerateKeyPair()
			signed, err := signedBySenderKey(unsignedEvent(f, key.Public), f, key)
			require.NoError(t, err)
			redacted, err := Redact(signed, f)
			require.NoError(t, err)
			assert.ErrorIs(t, CheckContentHash(redacted), ErrContentHash)
			before, err := EventID(signed, f)
			require.NoError(t, err)
			after, err := EventID(redacted, f)
			require.NoError(t, err)
			assert.Equal(t, before, after)

			_, err = VerifySenderSignature(redacted, f)
			if f.SenderField() == "sender_key" && !f.RedactionKeepsSenderKey {
				assert.ErrorContains(t, err, `its "sender_key" is missing`, "to the letter, a redacted event has no sender")
			} else {
				assert.NoError(t, err)
			}
		})
	}
}

func TestReadingsOfRedactionGiveDifferentSignatures(t *testing.T) {
	key := GenerateKeyPair()
	signed, err := signedBySenderKey(unsignedEvent(FormatMSC4014, key.Public), FormatMSC4014, key)
	require.NoError(t, err)
	_, err = VerifySenderSignature(signed, FormatMSC4014Letter)
	assert.ErrorIs(t, err, ErrBadSignature)
}

func TestVerifySenderSignatureFindsItAnywhere(t *testing.T) {
	key, other := GenerateKeyPair(), GenerateKeyPair()
	public := string(key.Public)
	event := unsignedEvent(FormatDendrite, key.Public)
	redacted, err := Redact(event, FormatDendrite)
	require.NoError(t, err)
	v, err := parse(redacted)
	require.NoError(t, err)
	good, bad := sign(v, key.Private), sign(v, other.Private)
	for name, c := range map[string]struct {
		signatures string
		want       SignatureLocation
	}{
		"as deployed":               {`{"` + public + `":{"ed25519:1":"` + good + `"}}`, SignatureLocation{public, "ed25519:1"}},
		"another key ID":            {`{"` + public + `":{"ed25519:abc":"` + good + `"}}`, SignatureLocation{public, "ed25519:abc"}},
		"MSC1228's bare string":     {`{"` + public + `":"` + good + `"}`, SignatureLocation{public, ""}},
		"under its server":          {`{"hs1":{"ed25519:auto":"` + good + `"}}`, SignatureLocation{"hs1", "ed25519:auto"}},
		"beside bad ones":           {`{"hs1":{"ed25519:1":"` + bad + `"},"` + public + `":{"a":"` + bad + `","b":"` + good + `"}}`, SignatureLocation{public, "b"}},
		"its own entity first":      {`{"!":{"a":"` + good + `"},"` + public + `":{"z":"` + good + `"}}`, SignatureLocation{public, "z"}},
		"its deployed key ID first": {`{"` + public + `":{"ed25519:0":"` + good + `","ed25519:1":"` + good + `"}}`, SignatureLocation{public, "ed25519:1"}},
		"beside nonsense":           {`{"a":null,"b":[1],"c":{"d":1},"` + public + `":{"x":"` + good + `"}}`, SignatureLocation{public, "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			location, err := VerifySenderSignature([]byte(altered(t, string(event), "signatures", c.signatures)), FormatDendrite)
			require.NoError(t, err)
			assert.Equal(t, c.want, location)
		})
	}
}

// TestVerifyInvitedSignature: an invite is signed by the key in its state key, whoever sent it.
func TestVerifyInvitedSignature(t *testing.T) {
	inviter, invited := GenerateKeyPair(), GenerateKeyPair()
	event := unsignedEvent(FormatMSC4014, inviter.Public)
	_, err := VerifyInvitedSignature(event, FormatMSC4014)
	assert.Error(t, err, "it names nobody by key")
	invite := []byte(altered(t, string(event), "state_key", `"`+string(invited.Public)+`"`))
	signed, err := SignEvent(invite, FormatMSC4014, string(inviter.Public), SenderKeyID, inviter.Private)
	require.NoError(t, err)
	_, err = VerifyInvitedSignature(signed, FormatMSC4014)
	assert.ErrorIs(t, err, ErrBadSignature, "the inviter alone has signed")
	signed, err = SignEvent(signed, FormatMSC4014, string(invited.Public), SenderKeyID, invited.Private)
	require.NoError(t, err)
	location, err := VerifyInvitedSignature(signed, FormatMSC4014)
	require.NoError(t, err)
	assert.Equal(t, SignatureLocation{string(invited.Public), SenderKeyID}, location)
	_, err = VerifySenderSignature(signed, FormatMSC4014)
	assert.NoError(t, err)
}

func TestVerifySenderSignatureRefuses(t *testing.T) {
	key, other := GenerateKeyPair(), GenerateKeyPair()
	f := FormatDendrite
	signed, err := signedBySenderKey(unsignedEvent(f, key.Public), f, key)
	require.NoError(t, err)
	var good string
	{
		v, err := parse(signed)
		require.NoError(t, err)
		signatures, _ := v.get("signatures")
		own, _ := signatures.get(string(key.Public))
		signature, _ := own.get(SenderKeyID)
		good = signature.text
	}
	with := func(signatures string) string { return altered(t, string(signed), "signatures", signatures) }
	raw, err := DecodeBase64(good)
	require.NoError(t, err)
	flipped := append([]byte(nil), raw...)
	flipped[10] ^= 1

	byAnother, err := signedBySenderKey(unsignedEvent(f, key.Public), f, other)
	require.NoError(t, err)
	for name, event := range map[string]string{
		"a corrupted signature": with(`{"` + string(key.Public) + `":{"ed25519:1":"` + EncodeBase64(flipped) + `"}}`),
		"a padded signature":    with(`{"` + string(key.Public) + `":{"ed25519:1":"` + base64.StdEncoding.EncodeToString(raw) + `"}}`),
		"S + L":                 with(`{"` + string(key.Public) + `":{"ed25519:1":"` + EncodeBase64(malleated(raw)) + `"}}`),
		"half a signature":      with(`{"` + string(key.Public) + `":{"ed25519:1":"` + EncodeBase64(raw[:32]) + `"}}`),
		"another member's":      string(byAnother),
		"a tampered type":       altered(t, string(signed), "type", `"m.room.name"`),
		"a tampered hash":       altered(t, string(signed), "hashes", `{"sha256":"x"}`),
		"another sender":        altered(t, string(signed), "sender", `"`+string(other.Public)+`"`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := VerifySenderSignature([]byte(event), f)
			assert.ErrorIs(t, err, ErrBadSignature)
		})
	}
	for name, event := range map[string]string{
		"no signatures":         string(unsignedEvent(f, key.Public)),
		"empty signatures":      with(`{}`),
		"an entity without any": with(`{"` + string(key.Public) + `":{}}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := VerifySenderSignature([]byte(event), f)
			assert.ErrorIs(t, err, ErrNoSignature)
		})
	}
	for want, event := range map[string]string{
		"sender key":               altered(t, string(signed), "sender", `"@alice:hs1"`),
		`its "sender" is missing`:  altered(t, string(signed), "sender", `null`),
		`"signatures" is an array`: with(`[]`),
		"duplicate key":            strings.Replace(string(signed), `"depth":7`, `"depth":7,"depth":7`, 1),
	} {
		_, err := VerifySenderSignature([]byte(event), f)
		assert.ErrorContains(t, err, want)
	}
	_, err = VerifySenderSignature(signed, FormatV10)
	assert.ErrorContains(t, err, "ordinary")
}

// malleated returns the signature with the group order added to S, which a lenient verifier accepts.
func malleated(signature []byte) []byte {
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	result := append([]byte(nil), signature...)
	carry := 0
	for i := range order {
		sum := int(result[32+i]) + int(order[i]) + carry
		result[32+i], carry = byte(sum), sum>>8
	}
	return result
}

func TestSignEventRefusesMalformedEvents(t *testing.T) {
	key := GenerateKeyPair()
	for event, want := range map[string]string{
		`{"type":"x","content":{},"signatures":[]}`:             `"signatures" is an array`,
		`{"type":"x","content":{},"signatures":{"hs1":"bare"}}`: `"hs1" is a string`,
		`{"type":"x","content":{},"hashes":"x"}`:                `"hashes" is a string`,
		`{"type":"x"}`:                                          "content is missing",
		`{"type":"x","content":{"a":1e3}}`:                      "exponent",
	} {
		_, err := SignEvent([]byte(event), FormatV10, "hs1", "ed25519:a", key.Private)
		assert.ErrorContains(t, err, want, event)
	}
}

func BenchmarkVerifySenderSignature(b *testing.B) {
	key := GenerateKeyPair()
	signed, err := signedBySenderKey(unsignedEvent(FormatDendrite, key.Public), FormatDendrite, key)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := VerifySenderSignature(signed, FormatDendrite); err != nil {
			b.Fatal(err)
		}
	}
}
