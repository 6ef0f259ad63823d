// Differential fuzzing: the oracle against gomatrixserverlib, which deployed servers use. The two are independent, so where they agree
// on every input of a fuzzer, both are probably right. The allowed differences are in fuzzdomain_test.go, with the reasons. Run one
// target with
//
//	go test ./helpers/pseudoid -run '^$' -fuzz '^FuzzRedact$' -fuzztime 90s
//
// Seeds are in testdata/fuzz; without -fuzz they run as ordinary tests.

package pseudoid

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/require"
)

// FuzzCanonicalJSON: gomatrixserverlib encodes what the oracle accepts in the same way, and refuses what the oracle refuses, or is
// known to accept it. The encoding is stable, and means the same as the text.
func FuzzCanonicalJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		ours, err := CanonicalJSON(raw)
		theirs, theirErr := gomatrixserverlib.EnforcedCanonicalJSON(bytes.Clone(raw), gomatrixserverlib.RoomVersionPseudoIDs)
		if err != nil {
			require.Nil(t, ours)
			require.ErrorIs(t, err, ErrNotCanonicalizable)
			if theirErr == nil && !theyAreLenientAbout(err) {
				t.Fatalf("they accept what we refuse: %v\n%q", err, raw)
			}
			return
		}
		require.NoError(t, theirErr, "they refuse what we accept")
		if !hasKeyWithEscapes(raw) {
			require.Equal(t, string(theirs), string(ours))
		}

		again, err := CanonicalJSON(ours)
		require.NoError(t, err, "canonical JSON is not accepted")
		require.Equal(t, string(ours), string(again), "canonical JSON is not stable")
		require.True(t, utf8.Valid(ours))
		require.Equal(t, decoded(t, raw), decoded(t, ours), "canonical JSON means something else")
	})
}

// decoded decodes JSON with the standard library.
func decoded(t *testing.T, raw []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	require.NoError(t, decoder.Decode(&v))
	return v
}

// FuzzContentHash: for gomatrixserverlib, an event that we hash and sign is not redacted, and has the same ID and a valid signature;
// with another content it is redacted and has the same ID.
func FuzzContentHash(f *testing.F) {
	key := KeyPairOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)))
	version := gomatrixserverlib.MustGetRoomVersion(gomatrixserverlib.RoomVersionPseudoIDs)
	f.Fuzz(func(t *testing.T, eventType, stateKey string, content []byte, depth int64) {
		v, err := parse(content)
		if err != nil || v.kind != kindObject || hasKeyWithEscapes(content) || !utf8.ValidString(eventType+stateKey) ||
			depth < 0 || depth > 1<<53-1 || len(eventType) > 255 || len(stateKey) > 255 || len(content) > 32000 {
			return // not an event, or one that they refuse for its size
		}
		event := stringEvent(eventType, stateKey, string(key.Public), string(content), depth)
		signed, err := signedBySenderKey(event, FormatDendrite, key)
		require.NoError(t, err)
		require.NoError(t, CheckContentHash(signed))

		theirs, err := version.NewEventFromUntrustedJSON(bytes.Clone(signed))
		require.NoError(t, err)
		require.False(t, theirs.Redacted(), "to them, the content hash is wrong")
		ours, err := EventID(signed, FormatDendrite)
		require.NoError(t, err)
		require.Equal(t, theirs.EventID(), ours)
		redacted, err := version.RedactEventJSON(signed)
		require.NoError(t, err)
		require.NoError(t, gomatrixserverlib.VerifyJSON(string(key.Public), SenderKeyID, publicOf(key.Private), redacted))

		signedValue, err := parse(signed)
		require.NoError(t, err)
		other := signedValue.with("content", v.with("no such key", stringValue("x"))).canonical()
		require.ErrorIs(t, CheckContentHash(other), ErrContentHash)
		theirs, err = version.NewEventFromUntrustedJSON(other)
		require.NoError(t, err)
		require.True(t, theirs.Redacted(), "to them, the content hash is still right")
	})
}

// stringEvent builds an event; content is JSON.
func stringEvent(eventType, stateKey, sender, content string, depth int64) []byte {
	event, err := json.Marshal(map[string]any{
		"type": eventType, "state_key": stateKey, "sender": sender, "content": json.RawMessage(content), "depth": depth,
		"room_id": "!r:hs1", "origin_server_ts": 1, "prev_events": []string{"$a"}, "auth_events": []string{},
	})
	if err != nil {
		panic(err) // content is JSON that parse accepted
	}
	return event
}

// FuzzRedact: gomatrixserverlib redacts events like us, in each format that it has.
func FuzzRedact(f *testing.F) {
	versions := map[gomatrixserverlib.RoomVersion]Format{
		gomatrixserverlib.RoomVersionPseudoIDs: FormatDendrite, "10": FormatV10, "11": FormatV11,
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		for version, format := range versions {
			ours, err := Redact(event, format)
			if err != nil || redactedOtherwiseByThem(event, format) {
				continue
			}
			theirs, err := gomatrixserverlib.MustGetRoomVersion(version).RedactEventJSON(event)
			require.NoError(t, err)
			theirs, err = CanonicalJSON(theirs)
			require.NoError(t, err)
			require.Equal(t, string(theirs), string(ours), "room version %s", version)

			again, err := Redact(ours, format)
			require.NoError(t, err)
			require.Equal(t, string(ours), string(again), "redaction is not stable")
		}
	})
}

// FuzzVerifyEvent: both agree on the sender key's signature of a signed event with bytes replaced.
func FuzzVerifyEvent(f *testing.F) {
	key := KeyPairOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32)))
	version := gomatrixserverlib.MustGetRoomVersion(gomatrixserverlib.RoomVersionPseudoIDs)
	f.Fuzz(func(t *testing.T, eventType string, content []byte, at uint16, replaced uint8, by []byte) {
		if v, err := parse(content); err != nil || v.kind != kindObject || !utf8.ValidString(eventType) {
			return
		}
		signed, err := signedBySenderKey(stringEvent(eventType, "", string(key.Public), string(content), 1), FormatDendrite, key)
		require.NoError(t, err)
		signed = splice(signed, int(at), int(replaced), by)

		sender := FormatDendrite.Sender(signed)
		public, err := ParseSenderKey(sender)
		if err != nil {
			return // see FuzzParseSenderKey
		}
		ours := VerifyEventSignature(signed, FormatDendrite, sender, SenderKeyID, public)
		theirs := errors.New("not redacted")
		if redacted, err := version.RedactEventJSON(bytes.Clone(signed)); err == nil {
			theirs = gomatrixserverlib.VerifyJSON(sender, SenderKeyID, public, redacted)
		}
		compareVerdicts(t, signed, ours, theirs, hasKeyWithEscapes(signed) || redactedOtherwiseByThem(signed, FormatDendrite))
	})
}

// FuzzVerifyMapping: both agree on the server's signature of a signed mapping with bytes replaced.
func FuzzVerifyMapping(f *testing.F) {
	server := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	senderKey := KeyPairOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, 32))).Public
	const keyID = "ed25519:a"
	keys := publishedKeys(map[string]ed25519.PrivateKey{"hs1 " + keyID: server})
	f.Fuzz(func(t *testing.T, userID string, at uint16, replaced uint8, by []byte) {
		signed, err := SignMapping(NewMapping(DialectDendrite, senderKey, userID), "hs1", keyID, server)
		require.NoError(t, err)
		signed = splice(signed, int(at), int(replaced), by)

		mapping, ours := ParseMapping(signed)
		if ours == nil {
			ours = VerifyMapping(mapping, keys)
		}
		// They decode the mapping's three fields, encode them again, and verify that.
		var theirMapping gomatrixserverlib.MXIDMapping
		theirs := json.Unmarshal(signed, &theirMapping)
		if theirs == nil {
			written, err := json.Marshal(theirMapping)
			require.NoError(t, err)
			theirs = gomatrixserverlib.VerifyJSON("hs1", keyID, publicOf(server), written)
		}
		if theirs == nil && ours != nil && (mapping.Key == "" || !strings.HasSuffix(mapping.UserID, ":hs1")) {
			return // they validate neither key nor user ID here, and verify signatures of all servers
		}
		compareVerdicts(t, signed, ours, theirs, theirMappingHasOtherFields(signed))
	})
}

// FuzzParseSenderKey: they decode what we accept as a sender key to the same bytes, and the encoding of a key is unique.
func FuzzParseSenderKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseSenderKey(text)
		if err != nil {
			require.Nil(t, key)
			return
		}
		require.Len(t, key, ed25519.PublicKeySize)
		theirs, err := spec.SenderID(text).RawBytes()
		require.NoError(t, err)
		require.Equal(t, []byte(theirs), []byte(key))
		require.Equal(t, text, string(SenderKeyOf(key)))
	})
}

// splice returns text with some bytes at an index replaced.
func splice(text []byte, at, replaced int, by []byte) []byte {
	at = min(at, len(text))
	end := min(at+replaced, len(text))
	return bytes.Join([][]byte{text[:at], by, text[end:]}, nil)
}

// compareVerdicts fails if only one side accepts a signature, except for the differences in fuzzdomain_test.go.
func compareVerdicts(t *testing.T, signed []byte, ours, theirs error, readOtherwise bool) {
	switch {
	case (ours == nil) == (theirs == nil), readOtherwise:
	case ours == nil && theyReadSignaturesMoreStrictly(signed):
	case theirs == nil && (errors.Is(ours, ErrNotCanonicalizable) || errors.Is(ours, ErrNotRedactable) || theyDecodeBase64MoreLeniently(ours)):
	default:
		t.Fatalf("we say %v, they say %v\n%q", ours, theirs, signed)
	}
}
