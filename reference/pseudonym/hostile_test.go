package pseudonym

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
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
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, dialect := range []pdu.Dialect{pdu.DialectMSC4014, pdu.DialectDendrite} {
			w := newWorld(t, dialect)
			d := w.room(aliceID)
			_, _ = w.complete(raw)
			_, _ = w.r.WireContent("m.room.power_levels", raw, "", d, w.maker)
			_, _ = w.r.WireContent(memberEvent, raw, "", d, w.maker)
			stripped, err := pdu.ParseStripped(raw, w.r.Format())
			if err != nil {
				continue
			}
			assert.NotEqual(t, Verified, w.r.JudgeStripped(stripped, w).Verdict)
			_ = w.r.CheckInviteOrigin("", []*pdu.Stripped{stripped}, "one.test", w)
			w.showsUserID(w.r.StrippedState(stripped, d))
			event, err := pdu.Parse(w.whole(raw), w.r.Format())
			if err != nil {
				continue
			}
			_, err = w.r.Receive(event)
			assert.Error(t, err)
			_, _ = w.r.TakeIn(event)
			_, _ = w.r.RedactForClients(event)
			_, _ = w.r.CheckCompleted(raw, event, bobID, w)
			w.showsUserID(w.r.ClientEvent(event, Additions{Replaced: event, RedactedBecause: event}, d))
		}
	})
}

// whole returns an object with the fields added that an event needs and that it lacks.
func (w *world) whole(raw []byte) []byte {
	o := w.read(raw)
	for field, value := range map[string]any{
		"type": "m.room.name", "room_id": testRoom, "content": object{}, "hashes": object{}, "signatures": object{}, "depth": 1,
		"origin_server_ts": 1, "prev_events": []string{}, "auth_events": []string{},
	} {
		if _, there := o[field]; !there {
			o.set(field, value)
		}
	}
	return o.raw()
}

func (w *world) showsUserID(view []byte) {
	assert.NoError(w.t, identity.CheckUserID(gjson.GetBytes(view, "sender").String()), string(view))
}
