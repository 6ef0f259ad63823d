package pseudonym

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// noKeyElsewhere fails if a sender key stands in a client view outside of its places: client-view/no-key-elsewhere.
func (w *world) noKeyElsewhere(view []byte) {
	w.t.Helper()
	var strip func(value any) any
	strip = func(value any) any {
		switch v := value.(type) {
		case map[string]any:
			for _, field := range []string{"sender_key", "mxid_mapping", "join_authorised_via_users_server"} {
				delete(v, field)
			}
			for key, child := range v {
				v[key] = strip(child)
			}
		case []any:
			for i, child := range v {
				v[i] = strip(child)
			}
		}
		return value
	}
	var value any
	require.NoError(w.t, json.Unmarshal(view, &value))
	rest := string(toJSON(w.t, strip(value)))
	for _, key := range w.keys {
		assert.NotContains(w.t, rest, string(key.Public))
	}
}

// client-view/sender-is-user-id, sender-key-present, member-state-key-is-user-id, no-verified-sender-field,
// mapping-present, unverified/mapping-in-content.
func TestClientEventOfMember(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		d := w.room(aliceID, bobID)
		join := w.join(bobID)
		raw := w.r.ClientEvent(join, Additions{}, d)
		w.noKeyElsewhere(raw)
		view := w.read(raw)
		assert.Equal(t, bobID, view.text("sender"))
		assert.Equal(t, string(w.key(bobID).Public), view.text("sender_key"))
		assert.Equal(t, bobID, view.text("state_key"))
		assert.Equal(t, testRoom, view.text("room_id"))
		assert.Equal(t, join.ID(), view.text("event_id"))
		assert.Contains(t, view.child("content"), "mxid_mapping")
		for _, field := range []string{"verified_sender_mxid", "prev_events", "auth_events", "depth", "hashes", "signatures", "origin", "unsigned"} {
			assert.NotContains(t, view, field)
		}

		w.set("client-view/mapping-present", "no-view")
		raw = w.r.ClientEvent(join, Additions{}, d)
		assert.NotContains(t, string(raw), "mxid_mapping")
	})
}

// unverified/placeholder, claimed-id-hidden, sender-key-shown, mapping-in-content.
func TestClientEventOfUnverified(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		w.dead["two.test"] = true
		d := w.room(aliceID, bobID)
		raw := w.r.ClientEvent(w.join(bobID), Additions{}, d)
		view := w.read(raw)
		assert.Equal(t, unverifiedBob, view.text("sender"))
		assert.Equal(t, unverifiedBob, view.text("state_key"))
		assert.Equal(t, string(w.key(bobID).Public), view.text("sender_key"))
		assert.NotContains(t, string(raw), bobID)

		w.set("unverified/mapping-in-content", "served")
		raw = w.r.ClientEvent(w.join(bobID), Additions{}, d)
		assert.Contains(t, string(raw), bobID)
	})
}

// client-view/power-levels-read, create-creator, own-state-by-user-id, event-format/widget-creator.
func TestClientEventNamesUsers(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		d := w.room(aliceID, bobID)
		alice, bob := string(w.key(aliceID).Public), string(w.key(bobID).Public)
		stranger := string(w.key("@stranger:three.test").Public)
		for _, c := range []struct {
			requirement, eventType, stateKey string
			content                          any
			path, want                       string
		}{
			{"client-view/power-levels-read", "m.room.power_levels", "", map[string]any{"users": map[string]int{alice: 100, bob: 50}}, `content.users`, `{"@alice:one.test":100,"@bob:two.test":50}`},
			{"client-view/power-levels-before-join", "m.room.power_levels", "", map[string]any{"users": map[string]int{"@new:one.test": 5, "rubbish": 7, aliceID: 100}}, `content.users`, `{"@new:one.test":5}`},
			{"client-view/power-levels-read", "m.room.power_levels", "", map[string]any{"users": map[string]int{stranger: 5}}, `content.users`,
				`{"` + w.r.PlaceholderOfKey(identity.SenderKey(stranger)) + `":5}`},
			{"client-view/create-creator", "m.room.create", "", map[string]any{"creator": alice}, `content.creator`, aliceID},
			{"client-view/own-state-by-user-id", "org.example.state", bob, map[string]any{}, "state_key", bobID},
			{"client-view/own-state-by-user-id", "org.example.state", "free text", map[string]any{}, "state_key", "free text"},
			{"event-format/widget-creator", "im.vector.modular.widgets", "w", map[string]any{"creatorUserId": bob}, "content.creatorUserId", bobID},
			{"auth/restricted-authoriser-is-key", memberEvent, bob, map[string]any{"membership": "join", AuthoriserField: alice}, "content." + AuthoriserField, alice},
		} {
			raw := w.r.ClientEvent(w.event(w.key(aliceID), c.eventType, c.stateKey, toJSON(t, c.content)), Additions{}, d)
			w.noKeyElsewhere(raw)
			assert.Equal(t, c.want, gjson.GetBytes(raw, c.path).String(), c.requirement)
		}
	})
}

// client-view/unsigned; what a peer wrote into unsigned is not shown.
func TestClientUnsigned(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		d := w.room(aliceID, bobID)
		alice := w.key(aliceID)
		redaction, err := w.r.Build(w.draft("m.room.redaction", nil, []byte(`{}`)), alice, ServerSigner{})
		require.NoError(t, err)
		redaction = w.changed(redaction, "redacts", "$x")
		join := w.changed(w.join(bobID), "unsigned", map[string]any{"leak": w.key(bobID).Public})
		raw := w.r.ClientEvent(join, Additions{
			Replaced: w.memberBy(alice, bobID, "invite", w.mapping(bobID)), RedactedBecause: redaction, Others: map[string]any{"age": 5},
		}, d)
		w.noKeyElsewhere(raw)
		get := func(path string) string { return gjson.GetBytes(raw, "unsigned."+path).String() }
		assert.Equal(t, aliceID, get("prev_sender"))
		assert.Equal(t, "invite", get("prev_content.membership"))
		assert.Equal(t, aliceID, get("redacted_because.sender"))
		assert.Equal(t, "$x", get("redacted_because.redacts"))
		assert.Equal(t, "5", get("age"))
		assert.Empty(t, get("leak"))
	})
}

// mapping/pending-keeps-verified, unverified/mapping-in-content: a newer claim, not verified yet, does not reach clients
// by the side of the verified name.
func TestClientEventOfPendingClaim(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID, bobID)
	w.dead["two.test"] = true
	moved := w.member(bobID, "join", w.renamed("@robert:two.test"))
	w.learn(d, moved, 7, true)
	raw := w.r.ClientEvent(moved, Additions{}, d)
	assert.Equal(t, bobID, w.read(raw).text("state_key"))
	assert.NotContains(t, string(raw), "robert")
}

// mapping/two-keys-one-user, client-view/power-levels-read: the power of the key counts that the user is known by.
func TestPowerOfTwoKeys(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID, bobID)
	older := string(w.key(bobID).Public)
	w.keys[bobID] = identity.GenerateKeyPair()
	w.learn(d, w.join(bobID), 7, true)
	levels := toJSON(t, map[string]any{"users": map[string]int{older: 90, string(w.key(bobID).Public): 10}})
	for range 10 { // the order of a map is not the same each time
		raw := w.r.ClientEvent(w.event(w.key(aliceID), "m.room.power_levels", "", levels), Additions{}, d)
		assert.JSONEq(t, `{"@bob:two.test":10}`, gjson.GetBytes(raw, "content.users").Raw)
	}
}
