package pdu

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
)

// The tests in this file say where gomatrixserverlib departs from the specification, and that this package does not. One
// that fails because the library was mended shows what can be removed here.

const version = gomatrixserverlib.RoomVersionPseudoIDs

func TestLibraryWritesKeysWithoutTheirEscapes(t *testing.T) {
	for _, key := range []string{`a\"b`, `a\nb`, `a\\b`, `\u0000`} {
		text := `{"` + key + `":1}`
		theirs, err := gomatrixserverlib.CanonicalJSON([]byte(text))
		require.NoError(t, err)
		assert.NotEqual(t, text, string(theirs))
		assertCanonical(t, text, text)

		k := keyOf(1)
		want := fmt.Sprintf(`{%s,"signatures":{"one.test":{"ed25519:a":%q}}}`, text[1:len(text)-1],
			identity.EncodeBase64(ed25519.Sign(k.Private, []byte(text))))
		signed, err := SignJSON([]byte(text), "one.test", "ed25519:a", k.Private)
		require.NoError(t, err)
		assert.Equal(t, want, string(signed))
		assert.NoError(t, VerifyJSON(signed, "one.test", "ed25519:a", publicOf(k)))
		assert.ErrorIs(t, VerifyJSON(bytes.Replace(signed, []byte(":1"), []byte(":2"), 1), "one.test", "ed25519:a", publicOf(k)), ErrBadSignature)
		assert.Error(t, gomatrixserverlib.VerifyJSON("one.test", "ed25519:a", publicOf(k), signed))
		theirSigned, err := gomatrixserverlib.SignJSON("one.test", "ed25519:a", k.Private, []byte(text))
		if err == nil {
			assert.Error(t, VerifyJSON(theirSigned, "one.test", "ed25519:a", publicOf(k)))
		}
	}
}

func TestLibraryAcceptsWhatHasNoCanonicalForm(t *testing.T) {
	for _, text := range []string{`{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `0.0`, `0e1`, `1E5`, `{"a":0.0}`} {
		_, err := gomatrixserverlib.EnforcedCanonicalJSON([]byte(text), version)
		assert.NoError(t, err, "%q", text)
		_, err = CanonicalJSON([]byte(text))
		assert.Error(t, err, "%q", text)
	}
}

func TestLibraryReadsAllSignatures(t *testing.T) {
	k := keyOf(1)
	for _, signatures := range []string{`{"two.test":{"ed25519:a":"="}}`, `{"two.test":"bare"}`, `{"two.test":{"ed25519:a":1}}`} {
		text := []byte(`{"a":1,"signatures":` + signatures + `}`)
		_, err := gomatrixserverlib.SignJSON("one.test", "ed25519:a", k.Private, text)
		assert.Error(t, err, signatures)
		signed, err := SignJSON(text, "one.test", "ed25519:a", k.Private)
		require.NoError(t, err)
		assert.Error(t, gomatrixserverlib.VerifyJSON("one.test", "ed25519:a", publicOf(k), signed), signatures)
		assert.NoError(t, VerifyJSON(signed, "one.test", "ed25519:a", publicOf(k)))
	}
}

func TestLibraryTakesFieldsForSignaturesWhateverTheirCase(t *testing.T) {
	k := keyOf(1)
	for _, field := range []string{"Signatures", "SIGNATURES", "\u017fignatures"} {
		text := []byte(`{"` + field + `":5}`)
		_, err := gomatrixserverlib.SignJSON("one.test", "ed25519:a", k.Private, text)
		assert.Error(t, err)
		signed, err := SignJSON(text, "one.test", "ed25519:a", k.Private)
		require.NoError(t, err)
		assert.NoError(t, VerifyJSON(signed, "one.test", "ed25519:a", publicOf(k)))
		assert.NoError(t, gomatrixserverlib.VerifyJSON("one.test", "ed25519:a", publicOf(k), signed), "the specification's signature")
	}
}

func TestLibraryReadsOtherBase64(t *testing.T) {
	k := keyOf(1)
	signature := ed25519.Sign(k.Private, []byte(`{}`))
	standard := base64.RawStdEncoding.EncodeToString(signature)
	for _, text := range []string{base64.RawURLEncoding.EncodeToString(signature), standard + `\n`, standard[:40] + `\r\n` + standard[40:]} {
		signed := []byte(`{"signatures":{"one.test":{"ed25519:a":"` + text + `"}}}`)
		assert.NoError(t, gomatrixserverlib.VerifyJSON("one.test", "ed25519:a", publicOf(k), signed))
		if text != standard {
			assert.ErrorIs(t, VerifyJSON(signed, "one.test", "ed25519:a", publicOf(k)), ErrBadSignature)
		}
	}
}

func TestLibraryIsSlowInTheDepth(t *testing.T) {
	deep := []byte(`{"a":` + strings.Repeat("[", 9998) + `"` + strings.Repeat("a", 45000) + `"` + strings.Repeat("]", 9998) + `}`)
	k := keyOf(1)
	start := time.Now()
	signed, err := SignJSON(deep, "one.test", "ed25519:a", k.Private)
	require.NoError(t, err)
	assert.NoError(t, VerifyJSON(signed, "one.test", "ed25519:a", publicOf(k)))
	ours := time.Since(start)
	if testing.Short() {
		return
	}
	start = time.Now()
	require.NoError(t, gomatrixserverlib.VerifyJSON("one.test", "ed25519:a", publicOf(k), signed))
	assert.Greater(t, time.Since(start), ours)
}

// Where the library is right, both sign the same.
func TestLibraryAgrees(t *testing.T) {
	k := keyOf(1)
	for _, text := range []string{
		`{}`, `{"b":"<>&\u2028","a":[1,{"c":null}],"unsigned":{"x":1}}`, `{"a":"\n\"","signatures":{}}`, `{"😀":"\ud83d\ude00","Unsigned":1}`, memberEvent,
	} {
		ours, err := SignJSON([]byte(text), "one.test", "ed25519:a", k.Private)
		require.NoError(t, err)
		theirs, err := gomatrixserverlib.SignJSON("one.test", "ed25519:a", k.Private, []byte(text))
		require.NoError(t, err)
		if !strings.Contains(text, "Unsigned") { // which it copies to unsigned
			assert.Equal(t, string(theirs), string(ours))
		}
		assert.NoError(t, gomatrixserverlib.VerifyJSON("one.test", "ed25519:a", publicOf(k), ours))
	}
}
