package stage

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"
)

func shown(events ...string) map[string]shownEvent {
	view := map[string]shownEvent{}
	for _, raw := range events {
		event := gjson.Parse(raw)
		view[event.Get("event_id").String()] = shownEvent{describe(event), withoutAge(event)}
	}
	return view
}

func TestSnapshotDifferences(t *testing.T) {
	topic := `{"type":"m.room.topic","event_id":"$1","content":{"topic":"x"},"unsigned":{"age":1,"transaction_id":"t"}}`
	older := `{"type":"m.room.topic","event_id":"$1","content":{"topic":"x"},"unsigned":{"age":2}}`
	other := `{"type":"m.room.topic","event_id":"$1","content":{"topic":"y"}}`
	join := `{"type":"m.room.member","event_id":"$2","state_key":"@bob:hs1","content":{"membership":"join"}}`
	before := Snapshot{"/state": shown(topic, join)}

	assert.Empty(t, before.Differences(Snapshot{"/state": shown(join, older)}), "age and transaction ID are ignored")
	assert.Equal(t, []string{"/state is refused"}, before.Differences(Snapshot{}))
	assert.Equal(t, []string{"/state has lost m.room.member (join) of @bob:hs1"}, before.Differences(Snapshot{"/state": shown(topic)}))
	assert.Equal(t, []string{"/state newly has m.room.member (join) of @bob:hs1"},
		Snapshot{"/state": shown(topic)}.Differences(Snapshot{"/state": shown(topic, join)}))
	changed := before.Differences(Snapshot{"/state": shown(other, join)})
	assert.Len(t, changed, 1)
	assert.Contains(t, changed[0], "/state shows m.room.topic as")
}

func TestTracesOfPseudonyms(t *testing.T) {
	const key = "zvxrSivZa7XVB5fPSX30zv3crcKtqkfQBsQr3GjxYU0"
	for raw, trace := range map[string]string{
		`{"type":"m.room.message","sender":"@a:hs1","content":{}}`:                                                         "",
		`{"type":"m.room.member","sender":"@a:hs1","state_key":"@a:hs1","content":{"membership":"join"}}`:                  "",
		`{"type":"m.room.message","sender":"@a:hs1","sender_key":"` + key + `","content":{}}`:                              "sender_key",
		`{"type":"m.room.message","sender":"` + key + `","content":{}}`:                                                    "no user ID in sender but " + key,
		`{"type":"m.room.member","sender":"@a:hs1","state_key":"` + key + `","content":{}}`:                                "no user ID in state_key but " + key,
		`{"type":"m.room.member","sender":"@a:hs1","state_key":"@a:hs1","content":{"mxid_mapping":{}}}`:                    "content.mxid_mapping",
		`{"type":"m.room.power_levels","sender":"@a:hs1","state_key":"","content":{"users":{"@a:hs1":1,"` + key + `":1}}}`: "no user ID in content.users but " + key,
	} {
		assert.Equal(t, trace, traceOfPseudonyms(gjson.Parse(raw)), raw)
	}
}
