package pseudonym

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// event-format/sender-key-field, no-sender-field, content-hash, event-id, no-user-mapping, signing/every-event-type.
func TestBuild(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		key := w.key(aliceID)
		event, err := w.r.Build(w.draft("m.room.message", nil, []byte(`{"body":"<hi>"}`)), key, ServerSigner{})
		require.NoError(t, err)
		o := w.read(event.JSON())
		assert.Equal(t, string(key.Public), o.text(w.r.Dialect.SenderField()))
		_, isState := o["state_key"]
		assert.False(t, isState)
		if w.r.Dialect == pdu.DialectMSC4014 {
			assert.NotContains(t, o, "sender")
			assert.NotContains(t, o, "origin")
		}
		assert.NoError(t, event.CheckContentHash())
		public, err := identity.ParseSenderKey(string(key.Public))
		require.NoError(t, err)
		signature := event.Field("signatures").Get(gjson.Escape(string(key.Public))).Get("ed25519:1")
		assert.NoError(t, event.VerifySignature([]byte(signature.Raw), public))
		assert.NoError(t, w.r.CheckSender(event))
		assert.NotContains(t, string(event.JSON()), aliceID)

		_, err = w.r.Build(w.draft("m.room.message", nil, []byte(`null`)), key, ServerSigner{})
		assert.ErrorContains(t, err, "reading the content of an event")
	})
}

// room-version/identifier, event-format/signature-entity, signing/server-signatures, event-format/no-origin, redaction/sender-key-kept.
func TestBuildReadings(t *testing.T) {
	for _, c := range []struct {
		requirement string
		reading     Reading
		holds       func(w *world, event object) bool
	}{
		{"room-version/identifier", "msc4014-base-11", func(w *world, _ object) bool {
			draft := w.draft("m.room.redaction", nil, []byte(`{}`))
			draft.Redacts = "$x"
			redaction, err := w.r.Build(draft, w.key(aliceID), ServerSigner{})
			require.NoError(t, err)
			redacted, err := redaction.Redacted()
			require.NoError(t, err)
			_, elsewhere := w.read(redaction.JSON())["redacts"]
			return redaction.Redacts() == "$x" && redacted.Redacts() == "$x" && !elsewhere
		}},
		{"event-format/signature-entity", "entity-is-key-other-id", func(w *world, e object) bool {
			return e.child("signatures").child(string(w.key(aliceID).Public)).text("ed25519:sender") != ""
		}},
		{"event-format/signature-entity", "bare-string", func(w *world, e object) bool {
			return e.child("signatures").text(string(w.key(aliceID).Public)) != ""
		}},
		{"event-format/signature-entity", "server-name", func(w *world, e object) bool {
			return e.child("signatures").child("one.test").text("ed25519:1") != ""
		}},
		{"signing/server-signatures", "none", func(w *world, e object) bool { return len(e.child("signatures")) == 1 }},
		{"signing/server-signatures", "origin-only", func(w *world, e object) bool {
			return e.child("signatures").child("one.test").text("ed25519:a") != ""
		}},
		{"event-format/no-origin", "server-name", func(w *world, e object) bool { return e.text("origin") == "one.test" }},
		{"event-format/no-origin", "sender-key", func(w *world, e object) bool { return e.text("origin") == string(w.key(aliceID).Public) }},
		{"redaction/sender-key-kept", "removed", func(w *world, e object) bool {
			event, err := pdu.Parse(e.raw(), w.r.Format())
			require.NoError(t, err)
			redacted, err := event.Redacted()
			return err == nil && !redacted.Field("sender_key").Exists()
		}},
	} {
		t.Run(fmt.Sprintf("%s=%s", c.requirement, c.reading), func(t *testing.T) {
			w := newWorld(t, pdu.DialectMSC4014)
			w.set(c.requirement, c.reading)
			event := w.event(w.key(aliceID), "m.room.name", "", []byte(`{"name":"x"}`))
			assert.True(t, c.holds(w, w.read(event.JSON())), string(event.JSON()))
			assert.NoError(t, w.r.CheckSender(event))
			if c.reading == "bare-string" { // a second signer fits beside it
				both := w.signed(event, w.key(bobID))
				assert.NoError(t, w.r.CheckSender(both))
				assert.NoError(t, w.r.CheckSignedBy(both, w.key(bobID).Public))
			}
		})
	}
}

// signing/server-signatures: what a resident adds to a join that it was sent.
func TestSignAsResident(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	join := w.join(bobID)
	same, err := w.r.SignAsResident(join, w.signer("one.test"))
	require.NoError(t, err)
	assert.Equal(t, join, same)
	w.set("signing/server-signatures", "resident-on-joins")
	signed, err := w.r.SignAsResident(join, w.signer("one.test"))
	require.NoError(t, err)
	assert.True(t, signed.Field("signatures").Get("one\\.test").Exists())
	assert.NoError(t, w.r.CheckSender(signed))
}

// A secret does not get into a log.
func TestServerSignerHidesItsKey(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	assert.Equal(t, "signing key ed25519:a of one.test", fmt.Sprintf("%+v", w.signer("one.test")))
}
