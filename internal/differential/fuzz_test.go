package differential

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// FuzzCanonicalJSON: both accept the same texts, and write the same.
func FuzzCanonicalJSON(f *testing.F) {
	for _, text := range slices.Concat(hostileTexts, events()) {
		f.Add([]byte(text))
	}
	f.Fuzz(compareCanonicalJSON)
}

// FuzzEvents: both say the same of any text as an event.
func FuzzEvents(f *testing.F) {
	for _, text := range slices.Concat(hostileTexts, events()) {
		f.Add([]byte(text))
	}
	f.Fuzz(compareEvent)
}

// FuzzMadeEvents is FuzzEvents for JSON that is built of names and values that matter, as choices say.
func FuzzMadeEvents(f *testing.F) {
	for n := range 64 {
		f.Add(bytes.Repeat([]byte{byte(n), byte(n * 7), byte(n * 31)}, 40))
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		m := maker{choices: choices}
		compareEvent(t, m.event())
	})
}

// FuzzTouchedEvents: both agree on the signatures of a signed event with bytes replaced.
func FuzzTouchedEvents(f *testing.F) {
	for i, text := range events() {
		f.Add([]byte(text), uint8(i), uint16(0), uint8(0), []byte(""))
		f.Add([]byte(text), uint8(i), uint16(11*i), uint8(1), []byte("x"))
		f.Add([]byte(text), uint8(i), uint16(40), uint8(0), []byte(`"unsigned":{},"\u0061":1,`))
	}
	names := []string{"10", "11", "msc4014", "msc4014-letter", "dendrite"}
	f.Fuzz(func(t *testing.T, raw []byte, choice uint8, at uint16, replaced uint8, by []byte) {
		name := names[int(choice)%len(names)]
		format := formats[name]
		key := identity.KeyPairOf(keyOf(2))
		signed, err := pdu.Sign(with(raw, format.reference.SenderField(), string(key.Public)), format.reference, string(key.Public), pdu.SenderKeyID, key.Private)
		if err != nil {
			return // compareEvent compares the errors
		}
		touched := splice(signed, int(at), int(replaced), by)
		requireSameKind(t, name+": signature", touched,
			pseudoid.VerifyEventSignature(touched, format.oracle, string(key.Public), pseudoid.SenderKeyID, publicOf(key.Private)),
			verified(touched, format.oracle, string(key.Public), pdu.SenderKeyID, publicOf(key.Private)))
		compareEvent(t, touched)
	})
}

// FuzzSignJSON: both sign any object the same under any names, and agree on the signature with bytes replaced.
func FuzzSignJSON(f *testing.F) {
	for i, text := range slices.Concat(hostileTexts, events()) {
		f.Add([]byte(text), "one.test", "ed25519:a", uint16(i), uint8(1), []byte("A"))
		f.Add([]byte(text), "\"\\\n\u2028<", "", uint16(0), uint8(0), []byte{})
		f.Add([]byte(text), "\xe2\x80", "\xa8", uint16(0), uint8(0), []byte{}) // valid only together
	}
	f.Fuzz(func(t *testing.T, raw []byte, entity, keyID string, at uint16, replaced uint8, by []byte) {
		if !utf8.ValidString(entity) || !utf8.ValidString(keyID) {
			return // see TestDeliberateDifferences
		}
		key := keyOf(3)
		oracle, oracleErr := pseudoid.SignJSON(raw, entity, keyID, key)
		reference, referenceErr := pdu.SignJSON(raw, entity, keyID, key)
		requireSame(t, "signed JSON", raw, oracle, oracleErr, reference, referenceErr)
		for _, text := range [][]byte{raw, oracle, splice(oracle, int(at), int(replaced), by)} {
			requireSameKind(t, "signature", text, pseudoid.VerifyJSON(text, entity, keyID, publicOf(key)), pdu.VerifyJSON(text, entity, keyID, publicOf(key)))
		}
		if oracleErr == nil {
			require.NoError(t, pdu.VerifyJSON(oracle, entity, keyID, publicOf(key)))
		}
	})
}

// FuzzMapping: both read the same mappings, and agree on their signatures, with bytes replaced.
func FuzzMapping(f *testing.F) {
	for _, userID := range []string{"@alice:one.test", "@alice:two.test", "@:one.test", "alice", "@a\"b:one.test", "@alice:[::1]:80"} {
		for i, by := range []string{"", "x", `"user_id":"@b:one.test",`, `"sender_key":"",`, `"\u0061":1,`, `{"`, "=", "_"} {
			f.Add(userID, i%2 == 0, "one.test", "ed25519:a", uint16(i*17), uint8(i), []byte(by))
		}
	}
	f.Fuzz(func(t *testing.T, userID string, proposed bool, server, keyID string, at uint16, replaced uint8, by []byte) {
		if !utf8.ValidString(server) || !utf8.ValidString(keyID) || !utf8.ValidString(userID) {
			return // see TestDeliberateDifferences
		}
		oracleDialect, dialect := pseudoid.DialectDendrite, pdu.DialectDendrite
		if proposed {
			oracleDialect, dialect = pseudoid.DialectMSC4014, pdu.DialectMSC4014
		}
		senderKey := identity.KeyPairOf(keyOf(4)).Public
		unsigned := pdu.UnsignedMapping(dialect, senderKey, userID)
		requireSame(t, "mapping", nil, pseudoid.NewMapping(oracleDialect, pseudoid.SenderKey(senderKey), userID), nil, unsigned, nil)
		signed, err := pdu.SignJSON(unsigned, server, keyID, keyOf(5))
		require.NoError(t, err)
		raw := splice(signed, int(at), int(replaced), by)

		oracle, oracleErr := pseudoid.ParseMapping(raw)
		reference, referenceErr := pdu.ParseMapping(raw)
		requireSameKind(t, "mapping", raw, oracleErr, referenceErr)
		require.Equal(t, oracle, pseudoid.Mapping{
			Dialect: pseudoid.Dialect(reference.Dialect), Key: pseudoid.SenderKey(reference.Key), UserID: reference.UserID, Raw: reference.Raw,
		})
		if oracleErr != nil {
			return
		}
		var oracleAsked, referenceAsked []string
		oracleErr = pseudoid.VerifyMapping(oracle, published(&oracleAsked))
		referenceErr = pdu.VerifyMapping(reference, published(&referenceAsked))
		requireSameKind(t, "mapping's signature", raw, oracleErr, referenceErr)
		require.Equal(t, errors.Is(oracleErr, errUnknown), errors.Is(referenceErr, errUnknown))
		require.Equal(t, oracleAsked, referenceAsked, "the keys that are looked up")
	})
}

var errUnknown = errors.New("no such key")

// published returns a source of keys that has one key, and notes what it is asked.
func published(asked *[]string) func(serverName, keyID string) (ed25519.PublicKey, error) {
	return func(serverName, keyID string) (ed25519.PublicKey, error) {
		*asked = append(*asked, serverName+" "+keyID)
		if keyID == "ed25519:unknown" {
			return nil, errUnknown
		}
		return publicOf(keyOf(5)), nil
	}
}

// FuzzNames: both read the same sender keys, base64 and user IDs.
func FuzzNames(f *testing.F) {
	for _, text := range hostileNames {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		oracle, oracleErr := pseudoid.ParseSenderKey(text)
		reference, referenceErr := identity.ParseSenderKey(text)
		requireSame(t, "sender key", []byte(text), oracle, oracleErr, reference, referenceErr)

		bytes, oracleErr := pseudoid.DecodeBase64(text)
		referenceBytes, referenceErr := identity.DecodeBase64(text)
		requireSame(t, "base64", []byte(text), bytes, oracleErr, referenceBytes, referenceErr)
		require.Equal(t, pseudoid.EncodeBase64([]byte(text)), identity.EncodeBase64([]byte(text)))
		for _, key := range [][]byte{[]byte(text), bytes} {
			require.Equal(t, pseudoid.SmallOrder(key), identity.SmallOrder(key), "%x", key)
		}

		domain, oracleErr := pseudoid.UserIDDomain(text)
		referenceDomain, referenceErr := identity.UserIDDomain(text)
		requireSame(t, "user ID", []byte(text), domain, oracleErr, referenceDomain, referenceErr)
		requireSameKind(t, "user ID", []byte(text), pseudoid.ValidUserID(text), identity.CheckUserID(text))
	})
}

// splice returns text with some bytes replaced.
func splice(text []byte, at, replaced int, by []byte) []byte {
	at = min(at, len(text))
	return slices.Concat(text[:at], by, text[min(at+replaced, len(text)):])
}
