package pseudonym

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
)

// redaction/displayname-goes, mapping-stays, membership-stays, algorithm-unchanged, mapping-field-stays, mapping-field-to-peers.
func TestRedactMemberEvent(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		join := w.join(bobID)
		eventID, err := pseudoid.EventID(join, w.r.Format())
		require.NoError(t, err)
		signed, err := pseudoid.Redact(join, w.r.Format())
		require.NoError(t, err)
		assert.NotContains(t, string(signed), "mxid_mapping")
		for reading, want := range map[Reading][2]bool{ // clients, peers
			"clients-and-peers": {true, true}, "clients-only": {true, false}, "peers-only": {false, true}, "nobody": {false, false},
		} {
			w.set("redaction/mapping-field-to-peers", reading)
			forClients, err := w.r.RedactForClients(join)
			require.NoError(t, err)
			forPeers, err := w.r.RedactForPeers(join)
			require.NoError(t, err)
			for i, redacted := range [][]byte{forClients, forPeers} {
				assert.Equal(t, want[i], strings.Contains(string(redacted), "mxid_mapping"), reading)
				assert.NotContains(t, string(redacted), "displayname")
				assert.Equal(t, "join", w.read(redacted).child("content").text("membership"))
				got, err := pseudoid.EventID(redacted, w.r.Format())
				require.NoError(t, err)
				assert.Equal(t, eventID, got)
				assert.NoError(t, w.r.CheckSender(redacted))
			}
		}
	})
}

// redaction/sender-key-kept: a client has a sender to see in either reading; a mapping in another event is no mapping.
func TestRedactKeepsTheSender(t *testing.T) {
	w := newWorld(t, pseudoid.DialectMSC4014)
	w.set("redaction/sender-key-kept", "removed")
	event := w.event(w.key(bobID), "m.room.name", "", []byte(`{"name":"x","mxid_mapping":{}}`))
	signed, err := pseudoid.Redact(event, w.r.Format())
	require.NoError(t, err)
	assert.NotContains(t, w.read(signed), "sender_key")
	redacted, err := w.r.RedactForClients(event)
	require.NoError(t, err)
	assert.Equal(t, string(w.key(bobID).Public), w.read(redacted).text("sender_key"))
	assert.Equal(t, "{}", string(w.read(redacted)["content"]))
	assert.NoError(t, w.r.CheckSender(redacted))
}

// signing/tampered-content-redacted, redaction/later-joiner-resolves.
func TestTakeIn(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		join := w.join(bobID)
		same, err := w.r.TakeIn(join)
		require.NoError(t, err)
		assert.Equal(t, join, same)

		content := w.altered(w.read(join)["content"], "displayname", "a lie")
		tampered := w.altered(join, "content", object(w.read(content)))
		taken, err := w.r.TakeIn(tampered)
		require.NoError(t, err)
		assert.NotContains(t, string(taken), "a lie")
		assert.Equal(t, Verified, w.r.Judge(taken, w).Verdict)

		w.set("redaction/later-joiner-resolves", "placeholder")
		taken, err = w.r.TakeIn(tampered)
		require.NoError(t, err)
		assert.Equal(t, Redacted, w.r.Judge(taken, w).Cause)

		_, err = w.r.TakeIn(w.altered(join, "hashes", nil))
		assert.ErrorContains(t, err, "taking in an event")
	})
}

// redaction/own-by-key, others-by-power, other-key-same-server, auth/power-by-key.
func TestMayRedact(t *testing.T) {
	w := newWorld(t, pseudoid.DialectMSC4014)
	const carolID = "@carol:two.test"
	d := w.room(aliceID, bobID, carolID)
	alice, bob, carol := w.key(aliceID).Public, w.key(bobID).Public, w.key(carolID).Public
	levels := toJSON(t, map[string]any{"users": map[string]int{string(alice): 50, carolID: 100}})
	for _, c := range []struct {
		requirement      string
		reading          Reading
		redactor, author pseudoid.SenderKey
		levels           []byte
		may              bool
	}{
		{"redaction/own-by-key", "refused", bob, bob, levels, true},
		{"redaction/others-by-power", "refused", alice, bob, levels, true},
		{"redaction/others-by-power", "refused", bob, alice, levels, false},
		{"redaction/other-key-same-server", "refused", carol, bob, levels, false},
		{"redaction/other-key-same-server", "accepted", carol, bob, levels, true},
		{"redaction/other-key-same-server", "accepted", carol, alice, levels, false},
		{"redaction/other-key-same-server", "accepted", "unknown", bob, levels, false},
		{"redaction/others-by-power", "refused", alice, bob, nil, true}, // the creator, with no power levels
		{"redaction/others-by-power", "refused", alice, bob, []byte(`{"redact":51,"users_default":50}`), false},
	} {
		w.set("redaction/other-key-same-server", c.reading)
		assert.Equal(t, c.may, w.r.MayRedact(c.redactor, c.author, alice, c.levels, d), c.requirement)
	}
}
