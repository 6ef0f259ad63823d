package pseudonym

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// signing/rejects-unsigned, rejects-bad-signature, rejects-other-key, rejects-server-key, rejects-noncanonical,
// auth/mxid-sender-rejected, auth/ban-by-key (the key in another spelling).
func TestReceiveRefuses(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		event := w.event(w.key(aliceID), "m.room.name", "", []byte(`{"name":"x"}`))
		same, err := w.r.Receive(event)
		require.NoError(t, err)
		assert.Equal(t, event, same)
		unsigned := w.changed(event, "signatures", object{})
		byServer, err := pdu.Sign(unsigned.JSON(), w.r.Format(), "one.test", "ed25519:a", w.signer("one.test").Key)
		require.NoError(t, err)
		asOther, err := pdu.Sign(unsigned.JSON(), w.r.Format(), string(w.key(aliceID).Public), "ed25519:1", w.key(bobID).Private)
		require.NoError(t, err)
		sender, spelled := w.r.Dialect.SenderField(), string(w.key(aliceID).Public)
		for name, lie := range map[string]*pdu.Event{
			"unsigned":          unsigned,
			"by the server":     w.parse(byServer),
			"by another member": w.signed(unsigned, w.key(bobID)),
			"as the sender":     w.parse(asOther),
			"padded key":        w.changed(event, sender, spelled+"="),
			"URL-safe key":      w.changed(event, sender, strings.NewReplacer("+", "-", "/", "_").Replace(spelled)+"-"),
			"user ID":           w.changed(event, sender, aliceID),
			"small order":       w.changed(event, sender, "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
			"small order, held": w.heldByAnything(event),
			"no sender":         w.changed(event, sender, nil),
			"other depth":       w.changed(event, "depth", 9),
		} {
			_, err := w.r.Receive(lie)
			assert.Error(t, err, name)
		}
	})
}

// heldByAnything returns an event whose sender is the point of order one, with a signature that holds for any message.
func (w *world) heldByAnything(event *pdu.Event) *pdu.Event {
	one := make([]byte, 32)
	one[0] = 1
	key := identity.EncodeBase64(one)
	signature := identity.EncodeBase64(append(one, make([]byte, 32)...))
	event = w.changed(event, w.r.Dialect.SenderField(), key)
	return w.changed(event, "signatures", map[string]any{key: map[string]string{"ed25519:1": signature}})
}

// event-format/no-sender-field: a sender beside the sender key is refused.
func TestReceiveRefusesTwoSenders(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	event := w.event(w.key(aliceID), "m.room.name", "", []byte(`{"name":"x"}`))
	both := w.changed(w.changed(w.changed(event, "sender", aliceID), "hashes", object{}), "signatures", object{})
	_, err := w.r.Receive(w.signed(both, w.key(aliceID)))
	assert.ErrorContains(t, err, "no longer have")
}

// An invite needs two signatures, and an event with another content hash is redacted.
func TestReceive(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		completed, err := w.complete(w.partial())
		require.NoError(t, err)
		_, err = w.r.Receive(completed)
		assert.Error(t, err)
		_, err = w.r.Receive(w.signed(completed, w.key(aliceID)))
		assert.NoError(t, err)
		name := w.event(w.key(aliceID), "m.room.name", "", []byte(`{"name":"x"}`))
		redacted, err := w.r.Receive(w.changed(name, "content", map[string]string{"name": "a lie"}))
		require.NoError(t, err)
		assert.Empty(t, redacted.Contents())
		assert.Equal(t, name.ID(), redacted.ID())
	})
}

// signing/rejects-noncanonical: each reading accepts its oddity, and by default none is accepted.
func TestReceiveReadings(t *testing.T) {
	for _, reading := range []Reading{"all-refused", "signature-accepted", "key-spelling-accepted", "small-order-accepted", "several-accepted"} {
		w := newWorld(t, pdu.DialectMSC4014)
		event := w.event(w.key(aliceID), "m.room.name", "", []byte(`{"name":"x"}`))
		spelled := w.changed(event, "sender_key", event.Sender()+"=")
		for oddity, odd := range map[Reading]*pdu.Event{
			"signature-accepted":    w.malleated(event),
			"key-spelling-accepted": w.signed(w.changed(spelled, "signatures", object{}), w.key(aliceID)),
			"small-order-accepted":  w.heldByAnything(event),
		} {
			w.set("signing/rejects-noncanonical", reading)
			_, err := w.r.Receive(odd)
			assert.Equal(t, reading == oddity || reading == "several-accepted", err == nil || errors.Is(err, pdu.ErrContentHash), "%s: %s: %v", reading, oddity, err)
		}
	}
}

// malleated returns an event with the group order added to the second half of its signature.
func (w *world) malleated(event *pdu.Event) *pdu.Event {
	sender := event.Sender()
	signature, err := identity.DecodeBase64(event.Field("signatures").Map()[sender].Map()["ed25519:1"].Str)
	require.NoError(w.t, err)
	half := slices.Clone(signature[32:])
	slices.Reverse(half) // it is little-endian
	new(big.Int).Add(new(big.Int).SetBytes(half), groupOrder).FillBytes(half)
	slices.Reverse(half)
	malleated := identity.EncodeBase64(slices.Concat(signature[:32], half))
	return w.changed(event, "signatures", map[string]any{sender: map[string]string{"ed25519:1": malleated}})
}
