package pushrules

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultsAsTheSpecificationHasThem(t *testing.T) {
	facts := Facts{
		UserID: "@alice:one.test", DisplayName: "Alice *", Members: 3,
		MayNotify: func(userID, notification string) bool { return userID == "@mod:one.test" && notification == "room" },
	}
	message := func(sender, content string) string {
		return `{"type":"m.room.message","room_id":"!r","sender":"` + sender + `","content":` + content + `}`
	}
	for _, c := range []struct {
		name, event       string
		notify, highlight bool
	}{
		{"a message", message("@bob:one.test", `{"body":"hi"}`), true, false},
		{"one's own", message("@alice:one.test", `{"body":"alice"}`), false, false},
		{"a notice", message("@bob:one.test", `{"body":"alice","msgtype":"m.notice"}`), false, false},
		{"by username", message("@bob:one.test", `{"body":"hey ALICE!"}`), true, true},
		{"in the middle of a word", message("@bob:one.test", `{"body":"malice"}`), true, false},
		{"by display name", message("@bob:one.test", `{"body":"hey Alice *, hi"}`), true, true},
		{"by mention", message("@bob:one.test", `{"body":"hi","m.mentions":{"user_ids":["@alice:one.test"]}}`), true, true},
		{"named, but somebody else is mentioned", message("@bob:one.test", `{"body":"alice","m.mentions":{"user_ids":["@x:y"]}}`), true, false},
		{"the room, with power", message("@mod:one.test", `{"body":"@room hi"}`), true, true},
		{"the room, without", message("@bob:one.test", `{"body":"@room hi"}`), true, false},
		{"the room mentioned, with power", message("@mod:one.test", `{"body":"","m.mentions":{"room":true}}`), true, true},
		{"the room mentioned, without", message("@bob:one.test", `{"body":"","m.mentions":{"room":true}}`), true, false},
		{"an edit", message("@bob:one.test", `{"body":"alice","m.mentions":{},"m.relates_to":{"rel_type":"m.replace"}}`), false, false},
		{"an invite", `{"type":"m.room.member","sender":"@bob:one.test","state_key":"@alice:one.test","content":{"membership":"invite"}}`, true, false},
		{"somebody's join", `{"type":"m.room.member","sender":"@bob:one.test","state_key":"@bob:one.test","content":{"membership":"join"}}`, false, false},
		{"a tombstone", `{"type":"m.room.tombstone","sender":"@bob:one.test","state_key":"","content":{}}`, true, true},
		{"a topic", `{"type":"m.room.topic","sender":"@bob:one.test","state_key":"","content":{}}`, false, false},
		{"an encrypted one", `{"type":"m.room.encrypted","sender":"@bob:one.test","content":{}}`, true, false},
	} {
		got := Defaults(facts.UserID).Evaluate([]byte(c.event), facts)
		assert.Equal(t, c.notify, got.Notify, c.name)
		assert.Equal(t, c.highlight, got.Highlight, c.name)
	}
}

func TestOwnRules(t *testing.T) {
	rules := Defaults("@alice:one.test")
	muted, err := rules.With("room", Rule{ID: "!r", Enabled: true, Actions: actions()}, "", "")
	require.NoError(t, err)
	event := []byte(`{"type":"m.room.message","room_id":"!r","sender":"@bob:one.test","content":{"body":"hi"}}`)
	assert.False(t, muted.Evaluate(event, Facts{UserID: "@alice:one.test"}).Notify)
	assert.True(t, rules.Evaluate(event, Facts{UserID: "@alice:one.test"}).Notify, "the rules before are as they were")
	off, ok := muted.Changed("room", "!r", func(r *Rule) { r.Enabled = false })
	require.True(t, ok)
	assert.True(t, off.Evaluate(event, Facts{}).Notify)
	gone, ok := off.Without("room", "!r")
	require.True(t, ok)
	assert.Empty(t, gone.Room)
	_, ok = gone.Without("override", ".m.rule.master")
	assert.False(t, ok, "a default rule cannot be deleted")

	for _, id := range []string{"a", "b"} {
		rules, err = rules.With("override", Rule{ID: id}, "", "")
		require.NoError(t, err)
	}
	rules, err = rules.With("override", Rule{ID: "c"}, "", "b")
	require.NoError(t, err)
	var order []string
	for _, rule := range rules.Override[:5] {
		order = append(order, rule.ID)
	}
	assert.Equal(t, []string{".m.rule.master", "b", "c", "a", ".m.rule.suppress_notices"}, order)
	_, err = rules.With("override", Rule{ID: ".mine"}, "", "")
	assert.Error(t, err)
	_, err = rules.With("override", Rule{ID: "d"}, "none", "")
	assert.Error(t, err)
}

func TestConditions(t *testing.T) {
	for _, c := range []struct {
		condition string
		holds     bool
	}{
		{`{"kind":"event_match","key":"content.a\\.b","pattern":"x*"}`, true},
		{`{"kind":"event_match","key":"content.n","pattern":"1"}`, false},
		{`{"kind":"event_property_is","key":"content.n","value":1}`, true},
		{`{"kind":"event_property_is","key":"content.n","value":"1"}`, false},
		{`{"kind":"event_property_contains","key":"content.list","value":"two"}`, true},
		{`{"kind":"event_property_contains","key":"content.list","value":"three"}`, false},
		{`{"kind":"room_member_count","is":">2"}`, true},
		{`{"kind":"room_member_count","is":"<=2"}`, false},
		{`{"kind":"room_member_count","is":"3"}`, true},
		{`{"kind":"room_member_count","is":"many"}`, false},
		{`{"kind":"unheard_of"}`, false},
	} {
		var condition Condition
		require.NoError(t, json.Unmarshal([]byte(c.condition), &condition))
		rules := Ruleset{Override: []Rule{{ID: "x", Enabled: true, Actions: actions(notify), Conditions: []Condition{condition}}}}
		got := rules.Evaluate([]byte(`{"sender":"@b:x","content":{"a.b":"XY","n":1,"list":["one","two"]}}`), Facts{UserID: "@a:x", Members: 3})
		assert.Equal(t, c.holds, got.Notify, c.condition)
	}
}
