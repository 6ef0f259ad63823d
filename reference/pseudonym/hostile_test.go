package pseudonym

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// resilience/stays-up, unverified/no-raw-key-shown: whatever stands in an event, no function panics, and the sender that
// clients see is a user ID.
func FuzzHostileEvents(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `5`, `{"content":null}`, `{"content":[],"type":5,"state_key":null,"sender_key":{}}`,
		`{"type":"m.room.member","state_key":"","content":{"membership":{},"mxid_mapping":[]}}`,
		`{"type":"m.room.power_levels","content":{"users":{"@a:b":null,"x":{}}},"sender_key":"@a:b"}`,
		`{"type":"m.room.member","content":{"membership":"join","join_authorised_via_users_server":[]},"signatures":{"a":"b","c":{"d":5}}}`,
		`{"type":"m.room.create","content":{"creator":5},"unsigned":{"prev_sender":1},"hashes":{"sha256":5},"signatures":5}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		for _, dialect := range []pseudoid.Dialect{pseudoid.DialectMSC4014, pseudoid.DialectDendrite} {
			w := newWorld(t, dialect)
			d := w.room(aliceID)
			assert.NotEqual(t, Verified, w.r.Judge(event, w).Verdict)
			assert.Error(t, w.r.CheckSender(event))
			_ = w.r.CheckAuthorised(event)
			_ = w.r.CheckInvite(event)
			_, _ = w.r.TakeIn(event)
			_, _ = w.r.RedactForClients(event)
			_, _ = w.complete(event)
			_, _ = w.r.CheckCompleted(event, event, bobID, w)
			_, _ = w.r.CheckInviteOrigin(event, [][]byte{event}, "one.test", w)
			_, _ = w.r.WireContent("m.room.power_levels", event, "", d, w.maker)
			_, _ = w.r.WireContent(memberEvent, event, "", d, w.maker)
			view, err := w.r.StrippedState(event, d)
			if err != nil {
				continue
			}
			_, _ = w.r.ClientEvent(event, Additions{PrevContent: event, RedactedBecause: event}, d)
			assert.NoError(t, pseudoid.ValidUserID(gjson.GetBytes(view, "sender").String()), string(view))
		}
	})
}
