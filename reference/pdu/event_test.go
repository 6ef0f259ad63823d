package pdu

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
)

// fields are those of an event that can be changed.
type fields = map[string]any

func inFormats(t *testing.T, test func(t *testing.T, f Format)) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) { test(t, f) })
	}
}

var sender = identity.GenerateKeyPair()

// signed returns an event with some fields changed, signed.
func signed(t *testing.T, f Format, change fields) []byte {
	event := fields{
		"type": "m.room.member", "room_id": "!r:one.test", "state_key": "x", f.SenderField(): string(sender.Public), "depth": 7,
		"origin_server_ts": 5, "prev_events": []string{"$p"}, "auth_events": []string{"$a"},
		"content": fields{"membership": "join", "displayname": "A", "mxid_mapping": fields{}, "redacts": "$x"},
	}
	for name, value := range change {
		event[name] = value
	}
	raw, err := json.Marshal(event)
	require.NoError(t, err)
	raw, err = Sign(raw, f, string(sender.Public), SenderKeyID, sender.Private)
	require.NoError(t, err)
	return raw
}

func parsed(t *testing.T, f Format, change fields) *Event {
	event, err := Parse(signed(t, f, change), f)
	require.NoError(t, err)
	return event
}

func TestParse(t *testing.T) {
	inFormats(t, func(t *testing.T, f Format) {
		event := parsed(t, f, fields{"unsigned": fields{"age": 5}})
		want, err := ID(event.JSON(), f)
		require.NoError(t, err)
		assert.Equal(t, want, event.ID())
		assert.Equal(t, string(sender.Public), event.Sender())
		assert.Equal(t, "!r:one.test", event.RoomID())
		assert.Equal(t, []string{"$p"}, event.PrevEvents())
		assert.Equal(t, []string{"$a"}, event.AuthEvents())
		assert.Equal(t, int64(7), event.Depth())
		assert.Equal(t, int64(5), event.OriginServerTS())
		member, isMember := event.Member()
		assert.True(t, isMember)
		assert.Equal(t, "x", member)
		assert.Equal(t, "join", event.Membership())
		assert.True(t, event.IsState("m.room.member", "x"))
		assert.False(t, event.Field("unsigned").Exists(), "nobody signed it")
		assert.NotContains(t, string(event.JSON()), "unsigned")
		assert.Equal(t, map[bool]string{true: "$x"}[f.RoomVersion == "11"], event.Redacts())
		assert.NoError(t, event.CheckContentHash())
		canonical, err := CanonicalJSON(event.JSON())
		require.NoError(t, err)
		assert.Equal(t, canonical, event.JSON())
	})
}

func TestParseRefuses(t *testing.T) {
	inFormats(t, func(t *testing.T, f Format) {
		good := string(signed(t, f, nil))
		for name, bad := range map[string]string{
			"no JSON":        `{`,
			"no object":      `[]`,
			"duplicate keys": strings.Replace(good, `{`, `{"depth":1,`, 1),
			"a fraction":     strings.Replace(good, `"depth":7`, `"depth":7.5`, 1),
			"no hashes":      strings.Replace(good, `"hashes"`, `"hushes"`, 1),
		} {
			_, err := Parse([]byte(bad), f)
			assert.ErrorContains(t, err, "reading an event of room version "+f.RoomVersion, name)
		}
		for name, change := range map[string]fields{
			"too large":                      {"x": strings.Repeat("x", maxEventBytes)},
			"a long type":                    {"type": strings.Repeat("x", 256)},
			"a long state key":               {"state_key": strings.Repeat("x", 256)},
			"no room":                        {"room_id": "room"},
			"a state key that is a number":   {"state_key": 1},
			"a depth that is a string":       {"depth": "1"},
			"too many previous events":       {"prev_events": make([]string, 21)},
			"an auth event that is not text": {"auth_events": []int{1}},
		} {
			_, err := Parse(signed(t, f, change), f)
			assert.ErrorContains(t, err, "reading an event of room version "+f.RoomVersion, name)
		}
	})
}

func TestParseLongestAllowed(t *testing.T) {
	inFormats(t, func(t *testing.T, f Format) {
		room := maxEventBytes - len(signed(t, f, fields{"x": ""}))
		parsed(t, f, fields{"x": strings.Repeat("x", room)})
		parsed(t, f, fields{"x": strings.Repeat("x", room), "unsigned": fields{"age": 5}})
		_, err := Parse(signed(t, f, fields{"x": strings.Repeat("x", room+1)}), f)
		assert.Error(t, err)
	})
}

func TestRedacted(t *testing.T) {
	inFormats(t, func(t *testing.T, f Format) {
		event := parsed(t, f, nil)
		redacted, err := event.Redacted()
		require.NoError(t, err)
		excepted, err := event.RedactedExcept("mxid_mapping", "not there")
		require.NoError(t, err)
		for _, form := range []*Event{redacted, excepted} {
			assert.Equal(t, event.ID(), form.ID())
			assert.Equal(t, event.Sender(), form.Sender())
			assert.Equal(t, "join", form.Membership())
			assert.False(t, form.Content("displayname").Exists())
			assert.ErrorIs(t, form.CheckContentHash(), ErrContentHash)
		}
		assert.False(t, redacted.Content("mxid_mapping").Exists())
		assert.True(t, excepted.Content("mxid_mapping").Exists())
		assert.Equal(t, event.Sender(), excepted.Field(f.SenderField()).Str)
		id, err := ID(excepted.JSON(), f)
		require.NoError(t, err)
		assert.Equal(t, event.ID(), id)
	})
}

func TestVerifySignature(t *testing.T) {
	inFormats(t, func(t *testing.T, f Format) {
		event, other := parsed(t, f, nil), identity.GenerateKeyPair()
		signature := []byte(event.Field("signatures").Map()[event.Sender()].Map()[SenderKeyID].Raw)
		public, err := identity.ParseSenderKey(event.Sender())
		require.NoError(t, err)
		assert.NoError(t, event.VerifySignature(signature, public))
		redacted, err := event.Redacted()
		require.NoError(t, err)
		assert.NoError(t, redacted.VerifySignature(signature, public))
		assert.Error(t, parsed(t, f, fields{"depth": 8}).VerifySignature(signature, public))
		assert.Error(t, event.VerifySignature([]byte(`5`), public))
		public, err = identity.ParseSenderKey(string(other.Public))
		require.NoError(t, err)
		assert.Error(t, event.VerifySignature(signature, public))
	})
}

func TestStrip(t *testing.T) {
	inFormats(t, func(t *testing.T, f Format) {
		event := parsed(t, f, nil)
		raw := event.Strip()
		stripped, err := ParseStripped(raw, f)
		require.NoError(t, err)
		assert.Len(t, stripped.Fields(), 5)
		assert.Equal(t, event.Sender(), stripped.Sender())
		assert.Equal(t, event.Membership(), stripped.Membership())
		assert.Equal(t, event.OriginServerTS(), stripped.OriginServerTS())
		assert.True(t, stripped.IsState("m.room.member", "x"))
	})
}

// Stripped state is read whatever stands in it.
func TestParseStripped(t *testing.T) {
	for _, raw := range []string{``, `null`, `[]`, `5`, `{`} {
		_, err := ParseStripped([]byte(raw), FormatMSC4014)
		assert.Error(t, err, raw)
	}
	odd, err := ParseStripped([]byte(`{"type":5,"state_key":null,"sender_key":{},"content":[],"depth":1.5}`), FormatMSC4014)
	require.NoError(t, err)
	assert.Empty(t, odd.Type()+odd.Sender()+odd.Membership())
	_, isState := odd.StateKey()
	assert.False(t, isState)
	_, present, err := odd.Mapping()
	assert.False(t, present)
	assert.NoError(t, err)
}

func TestMapping(t *testing.T) {
	for dialect, f := range map[Dialect]Format{"msc4014": FormatMSC4014, "dendrite": FormatDendrite} {
		raw := UnsignedMapping(dialect, sender.Public, "@alice:one.test")
		event := parsed(t, f, fields{"content": fields{"mxid_mapping": json.RawMessage(raw)}})
		mapping, present, err := event.Mapping()
		require.NoError(t, err)
		assert.True(t, present)
		assert.Equal(t, Mapping{Dialect: dialect, Key: sender.Public, UserID: "@alice:one.test", Raw: raw}, mapping)
		_, present, err = parsed(t, f, fields{"content": fields{"mxid_mapping": nil}}).Mapping()
		assert.True(t, present)
		assert.Error(t, err)
	}
}
