package pseudonym

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

const newID = "@new:one.test"

// maker makes keys for users of one.test.
func (w *world) maker(userID string) (identity.SenderKey, bool, error) {
	domain, err := identity.UserIDDomain(userID)
	if err != nil || domain != "one.test" {
		return "", false, err
	}
	return w.key(userID).Public, true, nil
}

// event-format/member-state-key, client-view/own-state-by-user-id, state-key-before-join, auth/rules-by-sigil.
func TestWireStateKey(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID, bobID)
	for _, c := range []struct {
		reading                  Reading
		eventType, written, wire string
		noKey                    bool
	}{
		{"refused", memberEvent, bobID, string(w.key(bobID).Public), false},
		{"refused", "org.example.state", aliceID, string(w.key(aliceID).Public), false},
		{"refused", "m.room.name", "", "", false},
		{"refused", "org.example.state", "text", "text", false},
		{"refused", memberEvent, newID, "", true},
		{"key-made-early", memberEvent, newID, "", true},
		{"refused", memberEvent, "text", "", true},
		{"refused", "org.example.state", newID, "", true},
		{"user-id-on-wire", "org.example.state", newID, newID, false},
		{"key-made-early", "org.example.state", newID, string(w.key(newID).Public), false},
		{"key-made-early", "org.example.state", "@new:two.test", "", true},
	} {
		w.set("client-view/state-key-before-join", c.reading)
		wire, err := w.r.WireStateKey(c.eventType, c.written, d, w.maker)
		assert.Equal(t, c.wire, wire, "%s %s", c.reading, c.written)
		var noKey *NoKeyError
		assert.Equal(t, c.noKey, errors.As(err, &noKey), "%s %s", c.reading, c.written)
	}
}

// event-format/power-levels-by-key, client-view/power-levels-write, power-levels-before-join.
func TestWirePowerLevels(t *testing.T) {
	for _, c := range []struct {
		reading            Reading
		onWire, refused    bool
		byKey              bool
		deferredForTheUser bool
	}{
		{"applied-on-join", false, false, false, true},
		{"refused", false, true, false, false},
		{"dropped", false, false, false, false},
		{"user-id-on-wire", true, false, false, false},
		{"user-id-and-power", true, false, false, true},
		{"key-made-early", false, false, true, false},
	} {
		t.Run(string(c.reading), func(t *testing.T) {
			w := newWorld(t, pdu.DialectMSC4014)
			w.set("client-view/power-levels-before-join", c.reading)
			d := w.room(aliceID, bobID)
			content := toJSON(t, map[string]any{"ban": 50, "users": map[string]int{aliceID: 100, newID: 50}})
			written, err := w.r.WireContent("m.room.power_levels", content, w.key(aliceID).Public, d, w.maker)
			if c.refused {
				assert.ErrorContains(t, err, "@new:one.test has no sender key in the room yet")
				return
			}
			require.NoError(t, err)
			users := w.read(written.Content).child("users")
			assert.Equal(t, "100", string(users[string(w.key(aliceID).Public)]))
			assert.NotContains(t, users, aliceID)
			assert.Equal(t, c.onWire, users[newID] != nil)
			assert.Equal(t, c.byKey, users[string(w.key(newID).Public)] != nil)
			assert.Equal(t, c.deferredForTheUser, written.Deferred[newID] != nil)
			assert.Equal(t, "50", string(w.read(written.Content)["ban"]))
			if !c.deferredForTheUser {
				return
			}
			for _, stays := range []bool{false, true} {
				deferred := Deferred{UserID: newID, Level: written.Deferred[newID], Stays: stays}
				applied, changed, err := ApplyDeferred(written.Content, w.key(newID).Public, deferred)
				require.NoError(t, err)
				assert.True(t, changed)
				held := w.read(applied).child("users")
				assert.Equal(t, "50", string(held[string(w.key(newID).Public)]))
				assert.Equal(t, c.onWire && stays, held[newID] != nil)
				_, changed, err = ApplyDeferred(applied, w.key(newID).Public, deferred)
				require.NoError(t, err)
				assert.False(t, changed)
			}
		})
	}
}

// client-view/power-levels-write: what a client reads it can write back, placeholders too, and nobody's power changes.
func TestPowerLevelsRoundTrip(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		w.dead["two.test"] = true
		d := w.room(aliceID, bobID)
		wire := toJSON(t, map[string]any{"users": map[string]int{string(w.key(aliceID).Public): 100, string(w.key(bobID).Public): 50}})
		view := w.r.ClientEvent(w.event(w.key(aliceID), "m.room.power_levels", "", wire), Additions{}, d)
		assert.Equal(t, int64(50), gjson.GetBytes(view, "content.users").Map()[unverifiedBob].Int())
		written, err := w.r.WireContent("m.room.power_levels", w.read(view)["content"], w.key(aliceID).Public, d, w.maker)
		require.NoError(t, err)
		assert.JSONEq(t, string(wire), string(written.Content))
	})
}

// event-format/create-names-no-mxid, widget-creator, no-mxid-outside-mapping, mapping/no-hijack (by a client's content).
func TestWireContent(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	deployed := newWorld(t, pdu.DialectDendrite)
	d := w.room(aliceID)
	key := string(w.key(aliceID).Public)
	for _, c := range []struct {
		r                        Rules
		eventType, content, want string
	}{
		{w.r, "m.room.create", `{"creator":"@alice:one.test","x":1}`, `{"x":1}`},
		{deployed.r, "m.room.create", `{"creator":"@eve:one.test"}`, `{"creator":"` + key + `"}`},
		{w.r, memberEvent, `{"membership":"join","mxid_mapping":{},"join_authorised_via_users_server":"x"}`, `{"membership":"join"}`},
		{w.r, "im.vector.modular.widgets", `{"creatorUserId":"@alice:one.test"}`, `{"creatorUserId":"` + key + `"}`},
		{deployed.r, "im.vector.modular.widgets", `{"creatorUserId":"@alice:one.test"}`, `{"creatorUserId":"@alice:one.test"}`},
		{w.r, "m.room.message", `{"body":"@alice:one.test"}`, `{"body":"@alice:one.test"}`},
		{w.r, "m.room.power_levels", `{"users":null}`, `{"users":null}`},
	} {
		written, err := c.r.WireContent(c.eventType, []byte(c.content), w.key(aliceID).Public, d, w.maker)
		require.NoError(t, err)
		assert.JSONEq(t, c.want, string(written.Content))
	}
	w.set("event-format/widget-creator", "refused")
	_, err := w.r.WireContent("m.widget", []byte(`{"creatorUserId":"@alice:one.test"}`), w.key(aliceID).Public, d, w.maker)
	assert.ErrorContains(t, err, "no user ID may stand in an event")
	w.set("event-format/widget-creator", "removed")
	written, err := w.r.WireContent("m.widget", []byte(`{"creatorUserId":"@alice:one.test"}`), w.key(aliceID).Public, d, w.maker)
	require.NoError(t, err)
	assert.Equal(t, `{}`, string(written.Content))
}

// membership/ban, membership/ban-before-join.
func TestMemberTarget(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID, bobID)
	for _, c := range []struct {
		reading     Reading
		userID      string
		ok, refused bool
	}{
		{"refused", bobID, true, false},
		{"refused", newID, false, true},
		{"no-effect", newID, false, false},
		{"differs-by-user", newID, true, false},
		{"differs-by-user", "@new:two.test", false, true},
	} {
		w.set("membership/ban-before-join", c.reading)
		key, ok, err := w.r.MemberTarget(c.userID, d, w.maker)
		assert.Equal(t, c.ok, ok, "%s %s", c.reading, c.userID)
		assert.Equal(t, c.refused, err != nil, "%s %s", c.reading, c.userID)
		if c.ok {
			assert.Equal(t, w.key(c.userID).Public, key)
		}
	}
}
