// The allowed differences between the oracle and gomatrixserverlib, with the reasons. Any other is a finding of the fuzzer.

package pseudoid

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ErrNotRedactable is another difference: for gomatrixserverlib, a missing type or content is an empty one.

// theyAreLenientAbout reports whether gomatrixserverlib's canonical JSON is known to accept what we refuse with err. Both must refuse
// syntax errors, trailing data and integers out of range.
func theyAreLenientAbout(err error) bool {
	for _, lenient := range []error{
		ErrDuplicateKey,  // it keeps both, sorted
		ErrLoneSurrogate, // it drops them
		ErrInvalidUTF8,   // it copies the bytes
		ErrNotInteger,    // it overlooks zeros with a fraction or an exponent, and a capital E
		ErrTooDeep,       // it has no bound
	} {
		if errors.Is(err, lenient) {
			return true
		}
	}
	return false
}

// hasKeyWithEscapes reports whether an object in the text has a key that needs an escape. gomatrixserverlib writes such a key without
// the escape, so that the result is not JSON, or has another key.
func hasKeyWithEscapes(raw []byte) bool {
	v, err := parse(raw)
	return err == nil && v.hasKeyWithEscapes()
}

func (v value) hasKeyWithEscapes() bool {
	for _, element := range v.elements {
		if element.hasKeyWithEscapes() {
			return true
		}
	}
	for _, m := range v.members {
		if len(appendString(nil, m.key)) != len(m.key)+2 || m.value.hasKeyWithEscapes() {
			return true
		}
	}
	return false
}

// redactedOtherwiseByThem reports whether gomatrixserverlib is known to redact the event differently: it ignores the case of
// top-level fields (like encoding/json with structs), and in version 11 it drops third_party_invite from member events, of which
// the specification keeps the signed part.
func redactedOtherwiseByThem(raw []byte, f Format) bool {
	event, err := parse(raw)
	if err != nil {
		return false
	}
	if hasFoldedKey(event, append(rulesV10.topLevel, "content")) {
		return true
	}
	content, _ := event.get("content")
	_, hasInvite := content.get("third_party_invite")
	return f.RoomVersion == "11" && hasInvite
}

// hasFoldedKey reports whether the object has a key that differs from one of the names only in case.
func hasFoldedKey(object value, names []string) bool {
	for _, m := range object.members {
		for _, name := range names {
			if m.key != name && strings.EqualFold(m.key, name) {
				return true
			}
		}
	}
	return false
}

// theirMappingHasOtherFields reports whether a mapping has fields that gomatrixserverlib's struct does not have: it omits them when it
// verifies, although they were signed. It also ignores the case of fields.
func theirMappingHasOtherFields(raw []byte) bool {
	mapping, err := parse(raw)
	return err == nil && len(mapping.without("user_room_key", "user_id", "signatures").members) > 0
}

// theyReadSignaturesMoreStrictly reports whether gomatrixserverlib refuses all signatures of an object because one of them is
// malformed. We only parse the requested one.
func theyReadSignaturesMoreStrictly(raw []byte) bool {
	var object struct {
		Signatures map[string]map[string]spec.Base64Bytes `json:"signatures"`
	}
	return json.Unmarshal(raw, &object) != nil
}

// theyDecodeBase64MoreLeniently reports whether we refused a signature because of its base64: gomatrixserverlib accepts the URL-safe
// alphabet, line breaks, and leftover bits that are not zero.
func theyDecodeBase64MoreLeniently(err error) bool {
	return strings.Contains(err.Error(), "base64 ")
}

// TestDifferencesExist fails when gomatrixserverlib has fixed one, so that the exception above can be removed.
func TestDifferencesExist(t *testing.T) {
	const version = gomatrixserverlib.RoomVersionPseudoIDs
	for text, want := range map[string]error{ // but ErrTooDeep: so deep, theirs takes seconds
		`{"a":1,"a":2}`: ErrDuplicateKey,
		`"\ud800"`:      ErrLoneSurrogate,
		"\"\xff\"":      ErrInvalidUTF8,
		`0.0`:           ErrNotInteger,
		`0e1`:           ErrNotInteger,
		`1E5`:           ErrNotInteger,
	} {
		assertRefused(t, want, text)
		_, err := gomatrixserverlib.EnforcedCanonicalJSON([]byte(text), version)
		assert.NoError(t, err, "%.20q", text)
	}

	theirs, err := gomatrixserverlib.CanonicalJSON([]byte(`{"a\"b":1}`))
	require.NoError(t, err)
	assert.Equal(t, `{"a"b":1}`, string(theirs), "a key with an escape")

	redact := func(event string, version gomatrixserverlib.RoomVersion) string {
		redacted, err := gomatrixserverlib.MustGetRoomVersion(version).RedactEventJSON([]byte(event))
		require.NoError(t, err)
		return string(redacted)
	}
	assert.Contains(t, redact(`{"TYPE":"m.room.create","content":{"creator":"k"}}`, version), `{"creator":"k"}`, "a field in another case")
	assert.Contains(t, redact(`{"content":{}}`, version), `"type":""`, "no type")
	assert.Contains(t, redact(`{"type":"x"}`, version), `"content":{}`, "no content")
	invite := `{"type":"m.room.member","content":{"third_party_invite":{"signed":{}}}}`
	assert.NotContains(t, redact(invite, "11"), "third_party_invite")
	assert.Contains(t, redacted(t, invite, FormatV11), "third_party_invite")

	key := GenerateKeyPair()
	var mapping gomatrixserverlib.MXIDMapping
	signed, err := SignMapping([]byte(`{"user_room_key":"k","user_id":"@a:hs1","room_id":"!r"}`), "hs1", "ed25519:a", key.Private)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(signed, &mapping))
	written, err := json.Marshal(mapping)
	require.NoError(t, err)
	assert.NoError(t, VerifyJSON(signed, "hs1", "ed25519:a", publicOf(key.Private)))
	assert.Error(t, gomatrixserverlib.VerifyJSON("hs1", "ed25519:a", publicOf(key.Private), written), "a mapping with a field more")

	signed, err = SignJSON([]byte(`{"signatures":{"hs2":{"ed25519:a":"="}}}`), "hs1", "ed25519:a", key.Private)
	require.NoError(t, err)
	assert.NoError(t, VerifyJSON(signed, "hs1", "ed25519:a", publicOf(key.Private)))
	assert.Error(t, gomatrixserverlib.VerifyJSON("hs1", "ed25519:a", publicOf(key.Private), signed), "a malformed signature beside a good one")

	urlSafe := []byte(altered(t, string(signed), "signatures",
		`{"hs1":{"ed25519:a":"`+base64.RawURLEncoding.EncodeToString(ed25519.Sign(key.Private, []byte(`{}`)))+`\n"}}`))
	assert.ErrorIs(t, VerifyJSON(urlSafe, "hs1", "ed25519:a", publicOf(key.Private)), ErrBadSignature)
	assert.NoError(t, gomatrixserverlib.VerifyJSON("hs1", "ed25519:a", publicOf(key.Private), urlSafe), "URL-safe base64 with a line break")
}
