package clientapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

func TestSyncWaits(t *testing.T) {
	s := newServer(t)
	alice, bob := s.register("alice"), s.register("bob")
	roomID := alice.create(object{"preset": "public_chat"})
	bob.join(roomID)
	alice.sync("")
	bob.sync("")
	since := bob.now()
	started := time.Now()
	assert.Equal(t, since, bob.sync(since, "timeout", "50").Get("next_batch").String())
	assert.GreaterOrEqual(t, time.Since(started), 50*time.Millisecond)
	got := make(chan answer)
	go func() { got <- bob.sync(since, "timeout", "30000") }()
	alice.say(roomID, "now")
	assert.Equal(t, []string{"now"}, bodies(in(<-got, "join", roomID).Get("timeline.events")))
}

func TestSyncTellsEverythingOnce(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		since := bob.now()
		done := make(chan struct{})
		const n = 60
		go func() {
			defer close(done)
			for i := range n {
				alice.say(roomID, fmt.Sprint(i))
			}
		}()
		var seen []string
		for len(seen) < n {
			got := bob.sync(since, "timeout", "10000", "filter", `{"room":{"timeline":{"limit":1000}}}`)
			require.NotEqual(t, since, got.Get("next_batch").String())
			since = got.Get("next_batch").String()
			seen = append(seen, bodies(in(got, "join", roomID).Get("timeline.events"))...)
		}
		<-done
		for i, body := range seen {
			assert.Equal(t, fmt.Sprint(i), body)
		}
	})
}

func TestSyncStateOfAGap(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		since := bob.now()
		alice.do("PUT", path("/v3/rooms/%s/state/m.room.topic", roomID), object{"topic": "in the gap"})
		alice.do("PUT", path("/v3/rooms/%s/state/m.room.name", roomID), object{"name": "before"})
		alice.do("PUT", path("/v3/rooms/%s/state/m.room.name", roomID), object{"name": "after"})
		alice.say(roomID, "hi")
		room := in(bob.sync(since, "filter", `{"room":{"timeline":{"limit":2}}}`), "join", roomID)
		assert.True(t, room.Get("timeline.limited").Bool())
		assert.Equal(t, "after", find(room.Get("timeline.events"), "m.room.name", "").Get("content.name").String())
		assert.Equal(t, "before", find(room.Get("state.events"), "m.room.name", "").Get("content.name").String(), room.Raw)
		assert.Equal(t, "in the gap", find(room.Get("state.events"), "m.room.topic", "").Get("content.topic").String())
		assert.Len(t, room.Get("state.events").Array(), 2)

		whole := in(bob.sync(since, "full_state", "true"), "join", roomID)
		assert.NotEmpty(t, find(whole.Get("state.events"), "m.room.create", "").Raw)
		assert.Len(t, whole.Get("timeline.events").Array(), 4)
	})
}

func TestSyncFilters(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		other := bob.create(object{"room_version": version})
		alice.say(roomID, "by alice")
		bob.send(roomID, "m.room.message", object{"body": "with url", "url": "mxc://a/b"})
		timeline := func(filter string) []string {
			events := in(bob.sync("", "filter", filter), "join", roomID).Get("timeline.events")
			return bodies(gjson.Parse(events.Raw))
		}
		types := `"types":["m.room.message"]`
		assert.Equal(t, []string{"by alice"}, timeline(`{"room":{"timeline":{`+types+`,"senders":["`+alice.userID+`"]}}}`))
		assert.Equal(t, []string{"with url"}, timeline(`{"room":{"timeline":{`+types+`,"not_senders":["`+alice.userID+`"]}}}`))
		assert.Equal(t, []string{"with url"}, timeline(`{"room":{"timeline":{`+types+`,"contains_url":true}}}`))
		assert.NotContains(t, timeline(`{"room":{"timeline":{"not_types":["m.room.m*"]}}}`), "by alice")
		assert.Empty(t, timeline(`{"room":{"not_rooms":["`+roomID+`"]}}`))
		assert.Empty(t, in(bob.sync("", "filter", `{"room":{"rooms":["`+roomID+`"]}}`), "join", other).Raw)

		fields := in(bob.sync("", "filter", `{"event_fields":["content.body","type"],"room":{"timeline":{"limit":1}}}`), "join", roomID)
		assert.JSONEq(t, `{"content":{"body":"with url"},"type":"m.room.message"}`, fields.Get("timeline.events.0").Raw)
		wire := in(bob.sync("", "filter", `{"event_format":"federation","room":{"timeline":{"limit":1}}}`), "join", roomID)
		assert.True(t, wire.Get("timeline.events.0.hashes").Exists(), wire.Raw)

		lazy := `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}}`
		state := in(bob.sync("", "filter", lazy), "join", roomID).Get("state.events")
		assert.NotEmpty(t, find(state, "m.room.member", bob.userID).Raw)
		assert.Empty(t, find(state, "m.room.member", alice.userID).Raw)
		since := bob.now()
		alice.say(roomID, "again")
		state = in(bob.sync(since, "filter", lazy), "join", roomID).Get("state.events")
		assert.NotEmpty(t, find(state, "m.room.member", alice.userID).Raw, state.Raw)
	})
}

func TestSyncEphemeral(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		last := alice.say(roomID, "hi")
		since := alice.now()
		bob.do("PUT", path("/v3/rooms/%s/typing/%s", roomID, bob.userID), object{"typing": true, "timeout": 60000})
		bob.do("POST", path("/v3/rooms/%s/receipt/m.read/%s", roomID, last), nil)
		bob.do("PUT", path("/v3/presence/%s/status", bob.userID), object{"presence": "unavailable", "status_msg": "tea"})
		got := alice.sync(since)
		ephemeral := in(got, "join", roomID).Get("ephemeral.events")
		assert.Equal(t, bob.userID, find(ephemeral, "m.typing", "*").Get("content.user_ids.0").String())
		receipt := find(ephemeral, "m.receipt", "*").Get("content." + gjson.Escape(last) + `.m\.read.` + gjson.Escape(bob.userID))
		assert.Positive(t, receipt.Get("ts").Int(), ephemeral.Raw)
		assert.Equal(t, "tea", find(got.Get("presence.events"), "m.presence", "*").Get("content.status_msg").String(), got.Raw)
		assert.Equal(t, "unavailable", alice.do("GET", path("/v3/presence/%s/status", bob.userID), nil).Get("presence").String())
		assert.Equal(t, "M_FORBIDDEN", s.register("carol").try("GET", path("/v3/presence/%s/status", bob.userID), nil).code())
		bob.do("PUT", path("/v3/rooms/%s/typing/%s", roomID, bob.userID), object{"typing": false})
		gone := in(alice.sync(got.Get("next_batch").String()), "join", roomID).Get("ephemeral.events")
		assert.Empty(t, find(gone, "m.typing", "*").Get("content.user_ids").Array())

		before := bob.now()
		bob.do("POST", path("/v3/rooms/%s/read_markers", roomID), object{"m.fully_read": last, "m.read.private": last})
		assert.Empty(t, in(alice.sync(before), "join", roomID).Raw, "private")
		mine := in(bob.sync(before), "join", roomID)
		assert.Equal(t, last, find(mine.Get("account_data.events"), "m.fully_read", "*").Get("content.event_id").String())
	})
}

func TestSyncCountsUnread(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob, carol := s.register("alice"), s.register("bob"), s.register("carol")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		carol.join(roomID)
		since := bob.now()
		root := alice.say(roomID, "one")
		alice.send(roomID, "m.room.message", object{"body": "hey", "m.mentions": object{"user_ids": []string{bob.userID}}})
		carol.say(roomID, "@room without power")
		reply := alice.send(roomID, "m.room.message", object{
			"body": "@room in a thread", "m.relates_to": object{"rel_type": "m.thread", "event_id": root},
		})
		counts := in(bob.sync(since), "join", roomID).Get("unread_notifications")
		assert.JSONEq(t, `{"notification_count":4,"highlight_count":2}`, counts.Raw)
		threaded := in(bob.sync(since, "filter", `{"room":{"timeline":{"unread_thread_notifications":true}}}`), "join", roomID)
		assert.JSONEq(t, `{"notification_count":3,"highlight_count":1}`, threaded.Get("unread_notifications").Raw)
		assert.JSONEq(t, `{"notification_count":1,"highlight_count":1}`, threaded.Get("unread_thread_notifications."+gjson.Escape(root)).Raw)
		listed := bob.do("GET", "/v3/notifications?only=highlight", nil).Get("notifications")
		require.Len(t, listed.Array(), 2)
		assert.Equal(t, alice.userID, listed.Get("0.event.sender").String())
		assert.False(t, listed.Get("0.read").Bool())

		since = bob.now()
		bob.do("POST", path("/v3/rooms/%s/receipt/m.read/%s", roomID, reply), object{"thread_id": root})
		counts = in(bob.sync(since), "join", roomID).Get("unread_notifications")
		assert.JSONEq(t, `{"notification_count":3,"highlight_count":1}`, counts.Raw)
		bob.do("POST", path("/v3/rooms/%s/receipt/m.read/%s", roomID, reply), object{})
		counts = in(bob.sync(since), "join", roomID).Get("unread_notifications")
		assert.JSONEq(t, `{"notification_count":0,"highlight_count":0}`, counts.Raw)
		assert.True(t, bob.do("GET", "/v3/notifications", nil).Get("notifications.0.read").Bool())
	})
}

func TestSyncDevices(t *testing.T) {
	s := newServer(t)
	alice, bob := s.register("alice"), s.register("bob")
	roomID := alice.create(object{"preset": "public_chat"})
	bob.join(roomID)
	since := bob.now()
	keys := object{"user_id": alice.userID, "device_id": alice.device, "algorithms": []string{}, "keys": object{}, "signatures": object{}}
	oneTime := object{"signed_curve25519:A": object{"key": "a"}}
	uploaded := alice.do("POST", "/v3/keys/upload", object{"device_keys": keys, "one_time_keys": oneTime})
	assert.Equal(t, int64(1), uploaded.Get("one_time_key_counts.signed_curve25519").Int())
	alice.do("PUT", path("/v3/sendToDevice/m.test/%s", "t1"), object{"messages": object{bob.userID: object{"*": object{"n": 1}}}})
	alice.do("PUT", path("/v3/sendToDevice/m.test/%s", "t1"), object{"messages": object{bob.userID: object{"*": object{"n": 1}}}})
	got := bob.sync(since)
	assert.Equal(t, alice.userID, got.Get("device_lists.changed.0").String())
	assert.Len(t, got.Get("to_device.events").Array(), 1)
	assert.Len(t, bob.sync(since).Get("to_device.events").Array(), 1, "not acknowledged yet")
	next := got.Get("next_batch").String()
	assert.Empty(t, bob.sync(next).Get("to_device.events").Array())
	assert.Empty(t, bob.sync(since).Get("to_device.events").Array(), "acknowledged")
	assert.Equal(t, alice.userID, bob.do("GET", "/v3/keys/changes?from="+since+"&to="+next, nil).Get("changed.0").String())
	assert.Equal(t, int64(1), alice.sync("").Get("device_one_time_keys_count.signed_curve25519").Int())
	asked := bob.do("POST", "/v3/keys/query", object{"device_keys": object{alice.userID: []string{}}})
	assert.Equal(t, alice.device, asked.Get("device_keys."+gjson.Escape(alice.userID)+"."+alice.device+".device_id").String())
	claimed := bob.do("POST", "/v3/keys/claim", object{"one_time_keys": object{alice.userID: object{alice.device: "signed_curve25519"}}})
	assert.Equal(t, "a", claimed.Get("one_time_keys."+gjson.Escape(alice.userID)+"."+alice.device+".signed_curve25519:A.key").String())

	master := object{"user_id": alice.userID, "usage": []string{"master"}, "keys": object{"ed25519:M": "M"}}
	alice.do("POST", "/v3/keys/device_signing/upload", object{"master_key": master})
	again := alice.try("POST", "/v3/keys/device_signing/upload", object{"master_key": master})
	assert.Equal(t, 401, again.status, "to replace it takes confirmation")

	version := alice.do("POST", "/v3/room_keys/version", object{"algorithm": "m.megolm", "auth_data": object{}}).Get("version").String()
	stored := alice.do("PUT", path("/v3/room_keys/keys/%s/%s?version=", roomID, "s/1")+version, object{"first_message_index": 1})
	assert.Equal(t, int64(1), stored.Get("count").Int())
	assert.True(t, alice.do("GET", "/v3/room_keys/keys?version="+version, nil).Get("rooms."+gjson.Escape(roomID)+".sessions.s/1").Exists())
	assert.Equal(t, version, alice.do("GET", "/v3/room_keys/version", nil).Get("version").String())
	alice.do("DELETE", "/v3/room_keys/version/"+version, nil)
	assert.Equal(t, "M_NOT_FOUND", alice.try("GET", "/v3/room_keys/version", nil).code())
}

func TestSyncEndsWithTheAccessToken(t *testing.T) {
	s := newServer(t)
	alice := s.register("alice")
	since := alice.now()
	got := make(chan answer)
	go func() { got <- alice.try("GET", "/v3/sync?timeout=30000&since="+since, nil) }()
	alice.do("POST", "/v3/logout", nil)
	assert.Equal(t, "M_UNKNOWN_TOKEN", (<-got).code())
}
