// Tests of what content hashes, reference hashes and event IDs cover. vectors_test.go and the fuzz targets compare values with other
// implementations.

package pseudoid

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hashedEvent = `{"type":"m.room.member","content":{"membership":"join","displayname":"A"},"sender":"k","sender_key":"k","depth":1}`

// altered returns the event with a field set.
func altered(t *testing.T, event, key, to string) string {
	t.Helper()
	v, err := parse([]byte(event))
	require.NoError(t, err)
	replacement, err := parse([]byte(to))
	require.NoError(t, err)
	return string(v.with(key, replacement).canonical())
}

func TestContentHashCoversAllButThreeFields(t *testing.T) {
	hash := func(event string) string {
		h, err := ContentHash([]byte(event))
		require.NoError(t, err)
		return h
	}
	assert.Len(t, hash(hashedEvent), 43)
	for _, key := range []string{"signatures", "unsigned", "hashes"} {
		assert.Equal(t, hash(hashedEvent), hash(altered(t, hashedEvent, key, `{"a":1}`)), key)
	}
	for _, key := range []string{"depth", "content", "type", "sender", "state_key", "unknown", "Hashes", "event_id"} {
		assert.NotEqual(t, hash(hashedEvent), hash(altered(t, hashedEvent, key, `{"a":1}`)), key)
	}
}

func TestReferenceHashCoversTheRedactedEvent(t *testing.T) {
	eventID := func(event string, f Format) string {
		id, err := EventID([]byte(event), f)
		require.NoError(t, err)
		return id
	}
	for _, f := range []Format{FormatV10, FormatV11, FormatDendrite, FormatMSC4014, FormatMSC4014Letter} {
		id := eventID(hashedEvent, f)
		for key, to := range map[string]string{
			"signatures": `{}`, "unsigned": `{}`, "unknown": `1`, "content": `{"membership":"join","mxid_mapping":{}}`,
		} {
			assert.Equal(t, id, eventID(altered(t, hashedEvent, key, to), f), "%s in %+v", key, f)
		}
		for key, to := range map[string]string{
			"hashes": `{}`, "depth": `2`, "content": `{"membership":"leave"}`, "state_key": `""`, "event_id": `"$x"`,
		} {
			assert.NotEqual(t, id, eventID(altered(t, hashedEvent, key, to), f), "%s in %+v", key, f)
		}
	}
}

func TestReadingsOfRedactionGiveDifferentEventIDs(t *testing.T) {
	otherKey := altered(t, hashedEvent, "sender_key", `"other"`)
	for f, covered := range map[Format]bool{FormatMSC4014: true, FormatMSC4014Letter: false} {
		first, err := EventID([]byte(hashedEvent), f)
		require.NoError(t, err)
		second, err := EventID([]byte(otherKey), f)
		require.NoError(t, err)
		assert.Equal(t, covered, first != second, "%+v", f)
	}
}

func TestEventIDIsUnpaddedURLSafeBase64(t *testing.T) {
	hash, err := ReferenceHash([]byte(hashedEvent), FormatDendrite)
	require.NoError(t, err)
	assert.Len(t, hash, 32)
	id, err := EventID([]byte(hashedEvent), FormatDendrite)
	require.NoError(t, err)
	assert.Len(t, id, 44)
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(id, "$"))
	require.NoError(t, err)
	assert.Equal(t, hash, decoded)
}

func TestCheckContentHash(t *testing.T) {
	hash, err := ContentHash([]byte(hashedEvent))
	require.NoError(t, err)
	with := func(hashes string) []byte { return []byte(altered(t, hashedEvent, "hashes", hashes)) }
	assert.NoError(t, CheckContentHash(with(`{"sha256":"`+hash+`"}`)))
	assert.NoError(t, CheckContentHash(with(`{"sha256":"`+hash+`","sha512":1}`)))

	tampered := altered(t, string(with(`{"sha256":"`+hash+`"}`)), "depth", "2")
	assert.ErrorIs(t, CheckContentHash([]byte(tampered)), ErrContentHash)
	assert.ErrorIs(t, CheckContentHash(with(`{"sha256":""}`)), ErrContentHash)
	assert.ErrorIs(t, CheckContentHash(with(`{"sha256":"`+hash[:40]+`"}`)), ErrContentHash)
	for hashes, want := range map[string]string{
		`{}`:                             "hashes.sha256 is missing",
		`[]`:                             "not an object",
		`{"sha256":1}`:                   "not a string",
		`{"sha256":"` + hash + `="}`:     "padded",
		`{"sha256":"_` + hash[1:] + `"}`: "URL-safe",
		`{"SHA256":"` + hash + `"}`:      "hashes.sha256 is missing",
	} {
		err := CheckContentHash(with(hashes))
		assert.ErrorContains(t, err, want, hashes)
		assert.NotErrorIs(t, err, ErrContentHash, hashes)
	}
	assert.ErrorContains(t, CheckContentHash([]byte(hashedEvent)), "hashes are missing")
	assert.ErrorIs(t, CheckContentHash([]byte(`{"a":1,"a":1}`)), ErrDuplicateKey)
}
