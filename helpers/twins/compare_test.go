package twins

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return value
}

const (
	idOne = "$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idTwo = "$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestNormal(t *testing.T) {
	for _, each := range []struct{ what, path, given, normal string }{
		{
			"IDs, times, tokens", "", `{"room_id":"!r","next_batch":"s1","chunk":[{"type":"m.x","sender":"@a:h","event_id":"` + idOne + `",
				"origin_server_ts":5,"unsigned":{"age":7},"content":{"to":"` + idTwo + `","alias":"#first-tt:h"}}]}`,
			`{"room_id":"!room","next_batch":"token","chunk":[{"type":"m.x","sender":"@a:h","event_id":"$m.x|@a:h#1",
				"origin_server_ts":"time","unsigned":{},"content":{"to":"$?","alias":"#first-tag:h"}}]}`,
		},
		{
			"what only pseudo-ID rooms have", "", `{"sender_key":"k","content":{"membership":"join","mxid_mapping":{"a":1}}}`,
			`{"content":{"membership":"join"}}`,
		},
		{
			"state in any order", "state", `[{"type":"m.b","state_key":"y"},{"type":"m.a","state_key":""}]`,
			`{"m.a|":{"type":"m.a","state_key":""},"m.b|y":{"type":"m.b","state_key":"y"}}`,
		},
		{"other lists in any order", "summary.m.heroes", `["b","a"]`, `["a","b"]`},
		{"lists in order", "chunk", `["b","a"]`, `["b","a"]`},
		{"no client event", "", `{"redacted_because":{"PDU":{"depth":3}}}`, `{"redacted_because":"no event"}`},
	} {
		assert.Equal(t, decoded(t, each.normal), newNamer("!r", "tt").normal(decoded(t, each.given), each.path), each.what)
	}
}

func TestCompare(t *testing.T) {
	for _, each := range []struct {
		what, a, b string
		paths      []string
	}{
		{"same", `{"a":[1,{"b":null}]}`, `{"a":[1,{"b":null}]}`, nil},
		{"value", `{"a":{"@u:h":1}}`, `{"a":{"@u:h":2}}`, []string{"a.@id"}},
		{"missing", `{"a":1}`, `{"b":1}`, []string{"a", "b"}},
		{"kind", `{"a":1}`, `{"a":[]}`, []string{"a"}},
		{"event", `[{"type":"m.x","event_id":"1","c":1}]`, `[{"type":"m.x","event_id":"1","c":2}]`, []string{"[m.x].c"}},
		{"lost event", `[{"type":"m.x","event_id":"1"},{"type":"m.y","event_id":"2"}]`, `[{"type":"m.y","event_id":"2"}]`, []string{"[m.x]"}},
		{"order", `[{"type":"m.x","event_id":"1"},{"type":"m.x","event_id":"2"}]`, `[{"type":"m.x","event_id":"2"},{"type":"m.x","event_id":"1"}]`, []string{" (order)"}},
		{"state", `{"m.x|@u:h":{"c":1}}`, `{"m.x|@u:h":{"c":2}}`, []string{"[m.x].c"}},
	} {
		var paths []string
		for _, found := range compare(decoded(t, each.a), decoded(t, each.b)) {
			paths = append(paths, found.path)
		}
		assert.Equal(t, each.paths, paths, each.what)
	}
}

// TestLosesEvent: after an event that reached a user in one room alone, the rooms are not compared.
func TestLosesEvent(t *testing.T) {
	for _, one := range []struct {
		endpoint, field, pseudo string
		loses                   bool
	}{
		{"/sync timeline", "[m.room.member]", nothingThere, true},
		{"/sync timeline", "[m.room.member].content.displayname", nothingThere, false},
		{"/sync timeline", "[m.room.member]", "a text", false},
		{"/sync state", "[m.room.member]", nothingThere, false},
	} {
		assert.Equal(t, one.loses, Difference{Endpoint: one.endpoint, Field: one.field, Ordinary: "an event", Pseudo: one.pseudo}.losesEvent(), one)
		played := &player{known: map[string]bool{}}
		played.differs(Difference{Endpoint: one.endpoint, Field: one.field, Ordinary: "an event", Pseudo: one.pseudo}, nil)
		assert.Equal(t, one.loses, played.over)
		assert.Equal(t, one.loses, played.Differences[0].Parts)
	}
}

func TestOfAnEvent(t *testing.T) {
	for path, want := range map[string]bool{
		"[m.x].c": true, "[m.x].content.list[]": true, "[m.x]": false, " (order)": false, "": false, "m.heroes[]": false, "m.heroes[].x": false,
	} {
		assert.Equal(t, want, ofAnEvent(path), path)
	}
}

func TestCause(t *testing.T) {
	one := Difference{Step: "join", Endpoint: "/sync timeline", Field: "[m.room.member].unsigned.prev_sender"}
	other := Difference{Step: lookStep, Endpoint: "/messages backwards", Field: "chunk[m.room.topic].unsigned.prev_sender"}
	assert.Equal(t, one.Cause(), other.Cause())
	assert.NotEqual(t, one.Name(), other.Name())
	assert.Equal(t, "join: /sync timeline: [m.room.member].unsigned.prev_sender", one.Name())
	assert.Equal(t, "[m.room.member]", Difference{Field: "join.timeline.events[m.room.member]"}.Cause())
	lacking := Difference{Step: lookStep, Endpoint: "/state/m.room.create", Field: "creator", Ordinary: `"@a:h"`, Pseudo: nothingThere}
	assert.Equal(t, "event-format/create-names-no-mxid", explained(lacking))
	lacking.Pseudo = `"key"`
	assert.Empty(t, explained(lacking), "a creator that is shown is a user ID")
}
