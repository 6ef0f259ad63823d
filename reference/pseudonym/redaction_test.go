package pseudonym

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// redaction/displayname-goes, mapping-stays, membership-stays, algorithm-unchanged, mapping-field-stays, mapping-field-to-peers.
func TestRedactMemberEvent(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		join := w.join(bobID)
		for reading, want := range map[Reading][2]bool{ // clients, peers
			"clients-and-peers": {true, true}, "clients-only": {true, false}, "peers-only": {false, true}, "nobody": {false, false},
		} {
			w.set("redaction/mapping-field-to-peers", reading)
			forClients, err := w.r.RedactForClients(join)
			require.NoError(t, err)
			forPeers, err := w.r.RedactForPeers(join, false)
			require.NoError(t, err)
			for i, redacted := range []*pdu.Event{forClients, forPeers} {
				assert.Equal(t, want[i], redacted.Content("mxid_mapping").Exists(), reading)
				assert.False(t, redacted.Content("displayname").Exists())
				assert.Equal(t, "join", redacted.Membership())
				assert.Equal(t, join.ID(), w.parse(redacted.JSON()).ID())
				assert.NoError(t, w.r.CheckSender(redacted))
			}
		}
	})
}

// redaction/sender-key-kept: a client has a sender to see in either reading; a mapping in another event is not a mapping.
func TestRedactKeepsTheSender(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.set("redaction/sender-key-kept", "removed")
	event := w.event(w.key(bobID), "m.room.name", "", []byte(`{"name":"x","mxid_mapping":{}}`))
	signed, err := event.Redacted()
	require.NoError(t, err)
	assert.False(t, signed.Field("sender_key").Exists())
	redacted, err := w.r.RedactForClients(event)
	require.NoError(t, err)
	assert.Equal(t, string(w.key(bobID).Public), redacted.Field("sender_key").Str)
	assert.Equal(t, "{}", redacted.Field("content").Raw)
	assert.NoError(t, w.r.CheckSender(redacted))
}

// signing/tampered-content-redacted, redaction/later-joiner-resolves.
func TestTakeIn(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		join := w.join(bobID)
		same, err := w.r.TakeIn(join)
		require.NoError(t, err)
		assert.Equal(t, join, same)

		content := w.altered([]byte(join.Field("content").Raw), "displayname", "a lie")
		tampered := w.changed(join, "content", w.read(content))
		taken, err := w.r.TakeIn(tampered)
		require.NoError(t, err)
		assert.False(t, taken.Content("displayname").Exists())
		assert.Equal(t, Verified, w.r.Judge(taken, w).Verdict)

		w.set("redaction/later-joiner-resolves", "placeholder")
		taken, err = w.r.TakeIn(tampered)
		require.NoError(t, err)
		assert.Equal(t, Redacted, w.r.Judge(taken, w).Cause)

		_, err = w.r.TakeIn(w.changed(join, "hashes", object{}))
		assert.ErrorContains(t, err, "taking in an event")
	})
}

// redaction/own-by-key, others-by-power, other-key-same-server, auth/power-by-key.
func TestMayRedact(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	const carolID = "@carol:two.test"
	d := w.room(aliceID, bobID, carolID)
	alice, bob, carol := w.key(aliceID).Public, w.key(bobID).Public, w.key(carolID).Public
	for _, c := range []struct {
		requirement      string
		reading          Reading
		redactor, author identity.SenderKey
		power            int64
		may              bool
	}{
		{"redaction/own-by-key", "refused", bob, bob, 0, true},
		{"redaction/others-by-power", "refused", alice, bob, 50, true},
		{"redaction/others-by-power", "refused", bob, alice, 0, false},
		{"redaction/other-key-same-server", "refused", carol, bob, 0, false},
		{"redaction/other-key-same-server", "accepted", carol, bob, 0, true},
		{"redaction/other-key-same-server", "accepted", carol, alice, 0, false},
		{"redaction/other-key-same-server", "accepted", "unknown", bob, 0, false},
		{"redaction/others-by-power", "refused", alice, bob, 49, false},
	} {
		w.set("redaction/other-key-same-server", c.reading)
		assert.Equal(t, c.may, w.r.MayRedact(c.redactor, c.author, c.power, 50, d), c.requirement)
	}
}
