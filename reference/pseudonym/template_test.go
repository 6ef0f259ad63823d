package pseudonym

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/reference/pdu"
)

// membership/make-template: the key where it is known, the user ID, or nobody.
func TestTemplateName(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	key := w.key(bobID).Public
	for _, c := range []struct {
		reading    Reading
		known, new string
	}{
		{"differs-by-endpoint", string(key), bobID},
		{"asked-by-user-id-named", bobID, bobID},
		{"asked-by-user-id-blank", "", ""},
		{"asked-by-key", string(key), bobID},
	} {
		w.set("membership/make-template", c.reading)
		assert.Equal(t, c.known, w.r.TemplateName(bobID, key, true), c.reading)
		assert.Equal(t, c.new, w.r.TemplateName(bobID, "", false), c.reading)
	}
}

// membership/third-party-invite: a client that writes one is refused, in one of the readings.
func TestThirdPartyInvite(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID)
	for reading, refused := range map[Reading]bool{"cannot-be-redeemed": false, "refused": true} {
		w.set("membership/third-party-invite", reading)
		_, err := w.r.WireContent("m.room.third_party_invite", []byte(`{"public_key":"abc"}`), w.key(aliceID).Public, d, w.maker)
		assert.Equal(t, refused, err != nil, reading)
	}
}
