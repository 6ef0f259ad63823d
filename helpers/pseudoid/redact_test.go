// Tests of redaction: what each format keeps of each event type.

package pseudoid

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// redacted redacts an event that must be redactable.
func redacted(t *testing.T, event string, f Format) string {
	t.Helper()
	result, err := Redact([]byte(event), f)
	require.NoError(t, err)
	return string(result)
}

// everyField returns an event with every top-level field that a room version keeps, and some that none keeps.
func everyField(eventType string) string {
	fields := []string{
		"auth_events", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts", "prev_events", "prev_state",
		"room_id", "sender", "sender_key", "signatures", "state_key",
		"age_ts", "unsigned", "redacts", "txn_id", "user_id", "mxid_mapping", "Type", "prev_state_events", "replaces_state",
	}
	var event strings.Builder
	for _, field := range fields {
		fmt.Fprintf(&event, `"%s":"<%s>",`, field, field)
	}
	return `{` + event.String() + `"type":"` + eventType + `","content":{"body":"x"}}`
}

func TestRedactKeepsTheTopLevelFields(t *testing.T) {
	version10 := []string{
		"auth_events", "content", "depth", "event_id", "hashes", "membership", "origin", "origin_server_ts", "prev_events",
		"prev_state", "room_id", "sender", "signatures", "state_key", "type",
	}
	replaced := slices.Clone(version10)
	replaced[slices.Index(replaced, "sender")] = "sender_key"
	for name, c := range map[string]struct {
		format Format
		kept   []string
	}{
		"version 10":              {FormatV10, version10},
		"deployed dialect":        {FormatDendrite, version10},
		"proposal, to the letter": {FormatMSC4014Letter, version10},
		"proposal, key kept":      {FormatMSC4014, replaced},
		"version 11": {FormatV11, []string{
			"auth_events", "content", "depth", "event_id", "hashes", "origin_server_ts", "prev_events", "room_id", "sender",
			"signatures", "state_key", "type",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, field := range c.kept {
				switch field {
				case "content":
					want = append(want, `"content":{}`)
				case "type":
					want = append(want, `"type":"m.room.message"`)
				default:
					want = append(want, fmt.Sprintf(`"%s":"<%s>"`, field, field))
				}
			}
			assert.Equal(t, "{"+strings.Join(want, ",")+"}", redacted(t, everyField("m.room.message"), c.format))
		})
	}
}

func TestRedactKeepsContentByType(t *testing.T) {
	const (
		member = `{"membership":"join","join_authorised_via_users_server":"k","displayname":"A","avatar_url":"mxc://a/b",
			"mxid_mapping":{"user_id":"@a:b"},"reason":"r","is_direct":true,"third_party_invite":{"display_name":"d","signed":{"token":"t"}}}`
		create      = `{"creator":"k","room_version":"10","m.federate":false,"type":"m.space","predecessor":{"room_id":"!x"}}`
		joinRules   = `{"join_rule":"restricted","allow":[{"type":"m.room_membership"}],"deny":[]}`
		powerLevels = `{"ban":1,"events":{"a":2},"events_default":3,"invite":4,"kick":5,"redact":6,"state_default":7,"users":{"k":8},
			"users_default":9,"notifications":{"room":10}}`
		visibility = `{"history_visibility":"joined","other":1}`
		aliases    = `{"aliases":["#a:b"],"alias":"#a:b"}`
		redaction  = `{"redacts":"$x","reason":"r"}`
	)
	for _, c := range []struct{ eventType, content, version10, version11 string }{
		{"m.room.member", member,
			`{"join_authorised_via_users_server":"k","membership":"join"}`,
			`{"join_authorised_via_users_server":"k","membership":"join","third_party_invite":{"signed":{"token":"t"}}}`},
		{"m.room.create", create,
			`{"creator":"k"}`,
			`{"creator":"k","m.federate":false,"predecessor":{"room_id":"!x"},"room_version":"10","type":"m.space"}`},
		{"m.room.join_rules", joinRules,
			`{"allow":[{"type":"m.room_membership"}],"join_rule":"restricted"}`,
			`{"allow":[{"type":"m.room_membership"}],"join_rule":"restricted"}`},
		{"m.room.power_levels", powerLevels,
			`{"ban":1,"events":{"a":2},"events_default":3,"kick":5,"redact":6,"state_default":7,"users":{"k":8},"users_default":9}`,
			`{"ban":1,"events":{"a":2},"events_default":3,"invite":4,"kick":5,"redact":6,"state_default":7,"users":{"k":8},"users_default":9}`},
		{"m.room.history_visibility", visibility, `{"history_visibility":"joined"}`, `{"history_visibility":"joined"}`},
		{"m.room.aliases", aliases, `{}`, `{}`},
		{"m.room.redaction", redaction, `{}`, `{"redacts":"$x"}`},
		{"m.room.name", `{"name":"x"}`, `{}`, `{}`},
		{"", `{"membership":"join"}`, `{}`, `{}`},
		{"M.ROOM.MEMBER", `{"membership":"join"}`, `{}`, `{}`},
	} {
		event := `{"type":"` + c.eventType + `","content":` + c.content + `}`
		want := func(content string) string { return `{"content":` + content + `,"type":"` + c.eventType + `"}` }
		for _, f := range []Format{FormatV10, FormatDendrite, FormatMSC4014, FormatMSC4014Letter, {RoomVersion: "9"}} {
			assert.Equal(t, want(c.version10), redacted(t, event, f), "%s in %+v", c.eventType, f)
		}
		assert.Equal(t, want(c.version11), redacted(t, event, FormatV11), "%s in version 11", c.eventType)
	}
}

func TestRedactTwiceIsRedactOnce(t *testing.T) {
	for _, f := range []Format{FormatV10, FormatV11, FormatDendrite, FormatMSC4014, FormatMSC4014Letter} {
		once := redacted(t, everyField("m.room.member"), f)
		assert.Equal(t, once, redacted(t, once, f))
	}
}

func TestRedactAddsNothing(t *testing.T) {
	assert.Equal(t, `{"content":{},"type":"m.room.member"}`, redacted(t, `{"type":"m.room.member","content":{}}`, FormatDendrite))
	assert.Equal(t, `{"content":{},"type":"m.room.member"}`,
		redacted(t, `{"type":"m.room.member","content":{"third_party_invite":"no object"}}`, FormatV11))
}

func TestRedactRefuses(t *testing.T) {
	for event, want := range map[string]string{
		`{"content":{}}`:                       "type is missing",
		`{"type":1,"content":{}}`:              "type is missing or not a string",
		`{"type":"x"}`:                         `type is "x", its content is missing`,
		`{"type":"x","content":[]}`:            "content is missing or not an object",
		`{"type":"x","content":null}`:          "content is missing or not an object",
		`[]`:                                   "not a JSON object",
		`"x"`:                                  "a string, not a JSON object",
		`{"type":"x","type":"x","content":{}}`: "duplicate key",
		`{"type":"x","content":{"a":1.5}}`:     "fraction",
		`{"type":"x","content":{}`:             "the text ends",
	} {
		_, err := Redact([]byte(event), FormatV10)
		assert.ErrorContains(t, err, want, event)
	}
	_, err := Redact([]byte(`{"type":"x","content":{}}`), Format{RoomVersion: "7"})
	assert.ErrorContains(t, err, `room version "7" is not known`)
}
