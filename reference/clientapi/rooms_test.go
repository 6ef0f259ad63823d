package clientapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// inEveryVersion runs a test in each room version: to clients, they look the same.
func inEveryVersion(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

// noKeys makes sure that no user ID is missing where one belongs.
func noKeys(t *testing.T, event gjson.Result) {
	t.Helper()
	assert.True(t, strings.HasPrefix(event.Get("sender").String(), "@"), event.Raw)
	if event.Get("type").String() == "m.room.member" {
		assert.True(t, strings.HasPrefix(event.Get("state_key").String(), "@"), event.Raw)
	}
}

func TestRoomsFromMakingToForgetting(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{
			"room_version": version, "preset": "private_chat", "name": "A room", "topic": "of one's own", "invite": []string{bob.userID},
			"initial_state":                []object{{"type": "m.x", "state_key": "k/y", "content": object{"x": 1}}},
			"power_level_content_override": object{"events": object{"m.room.topic": 0}},
		})
		invited := bob.sync("")
		state := in(invited, "invite", roomID).Get("invite_state.events")
		assert.Equal(t, "invite", find(state, "m.room.member", bob.userID).Get("content.membership").String(), state.Raw)
		assert.Equal(t, alice.userID, find(state, "m.room.member", bob.userID).Get("sender").String())
		assert.Equal(t, "A room", find(state, "m.room.name", "").Get("content.name").String())
		assert.Equal(t, "M_FORBIDDEN", bob.try("GET", path("/v3/rooms/%s/state", roomID), nil).code())

		bob.join(roomID)
		got := bob.sync(invited.Get("next_batch").String())
		room := in(got, "join", roomID)
		for _, event := range append(room.Get("timeline.events").Array(), room.Get("state.events").Array()...) {
			noKeys(t, event)
		}
		assert.Equal(t, int64(2), room.Get(`summary.m\.joined_member_count`).Int())
		assert.Contains(t, got.Get("device_lists.changed").Raw, alice.userID)
		assert.Equal(t, int64(1), bob.do("GET", path("/v3/rooms/%s/state/m.x/%s", roomID, "k/y"), nil).Get("x").Int())
		assert.Equal(t, version, bob.do("GET", path("/v3/rooms/%s/state/m.room.create/", roomID), nil).Get("room_version").String())
		whole := bob.do("GET", path("/v3/rooms/%s/state/m.room.name?format=event", roomID), nil)
		assert.Equal(t, "m.room.name", whole.Get("type").String())
		levels := bob.do("GET", path("/v3/rooms/%s/state/m.room.power_levels", roomID), nil)
		assert.Equal(t, int64(100), levels.Get("users."+gjson.Escape(alice.userID)).Int(), levels.Raw)

		since := alice.now()
		bob.do("PUT", path("/v3/rooms/%s/state/m.room.topic", roomID), object{"topic": "anything"})
		assert.Equal(t, "M_FORBIDDEN", bob.try("PUT", path("/v3/rooms/%s/state/m.room.name", roomID), object{"name": "mine"}).code())
		topic := find(in(alice.sync(since), "join", roomID).Get("timeline.events"), "m.room.topic", "")
		assert.Equal(t, "anything", topic.Get("content.topic").String())

		bob.do("PUT", path("/v3/profile/%s/displayname", bob.userID), object{"displayname": "Bob"})
		members := alice.do("GET", path("/v3/rooms/%s/joined_members", roomID), nil)
		assert.Equal(t, "Bob", members.Get("joined."+gjson.Escape(bob.userID)+".display_name").String(), members.Raw)
		assert.Len(t, alice.do("GET", path("/v3/rooms/%s/members?membership=join", roomID), nil).Get("chunk").Array(), 2)

		since = alice.now()
		alice.do("POST", path("/v3/rooms/%s/kick", roomID), object{"user_id": bob.userID, "reason": "no reason"})
		kicked := in(bob.sync(invited.Get("next_batch").String()), "leave", roomID)
		assert.Equal(t, "no reason", find(kicked.Get("timeline.events"), "m.room.member", bob.userID).Get("content.reason").String(), kicked.Raw)
		alone := alice.sync(since)
		assert.Equal(t, bob.userID, alone.Get("device_lists.left.0").String(), alone.Get("device_lists").Raw)
		assert.Empty(t, in(bob.sync(""), "leave", roomID).Raw)
		assert.NotEmpty(t, in(bob.sync("", "filter", `{"room":{"include_leave":true}}`), "leave", roomID).Raw)
		assert.Equal(t, "M_FORBIDDEN", bob.try("POST", path("/v3/join/%s", roomID), nil).code())
		alice.do("POST", path("/v3/rooms/%s/ban", roomID), object{"user_id": bob.userID})
		assert.Equal(t, "M_FORBIDDEN", alice.try("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": bob.userID}).code())
		alice.do("POST", path("/v3/rooms/%s/unban", roomID), object{"user_id": bob.userID})
		bob.do("POST", path("/v3/rooms/%s/forget", roomID), nil)
		assert.Empty(t, in(bob.sync("", "filter", `{"room":{"include_leave":true}}`), "leave", roomID).Raw)

		alice.do("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": bob.userID})
		since = bob.now()
		bob.do("POST", path("/v3/rooms/%s/leave", roomID), nil)
		rejected := in(bob.sync(since), "leave", roomID)
		own := find(rejected.Get("timeline.events"), "m.room.member", bob.userID)
		assert.Equal(t, "leave", own.Get("content.membership").String(), rejected.Raw)
		assert.Empty(t, bob.do("GET", "/v3/joined_rooms", nil).Get("joined_rooms").Array())
		assert.Equal(t, roomID, alice.do("GET", "/v3/joined_rooms", nil).Get("joined_rooms.0").String())
	})
}

func TestKnockingAndUpgrading(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "initial_state": []object{
			{"type": "m.room.join_rules", "content": object{"join_rule": "knock"}},
		}})
		since := bob.now()
		bob.do("POST", path("/v3/knock/%s", roomID), object{"reason": "please"})
		state := in(bob.sync(since), "knock", roomID).Get("knock_state.events")
		assert.Equal(t, "knock", find(state, "m.room.member", bob.userID).Get("content.membership").String(), state.Raw)
		alice.do("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": bob.userID})
		bob.join(roomID)
		newID := alice.do("POST", path("/v3/rooms/%s/upgrade", roomID), object{"new_version": version}).Get("replacement_room").String()
		assert.Equal(t, newID, bob.do("GET", path("/v3/rooms/%s/state/m.room.tombstone", roomID), nil).Get("replacement_room").String())
		assert.Equal(t, roomID, alice.do("GET", path("/v3/rooms/%s/state/m.room.create", newID), nil).Get("predecessor.room_id").String())
	})
}

func TestHistory(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		var ids []string
		for i := range 7 {
			ids = append(ids, []*client{alice, bob}[i%2].say(roomID, fmt.Sprint(i)))
		}
		got := bob.sync("", "filter", `{"room":{"timeline":{"limit":2}}}`)
		timeline := in(got, "join", roomID).Get("timeline")
		assert.Equal(t, []string{"5", "6"}, bodies(timeline.Get("events")))
		assert.True(t, timeline.Get("limited").Bool())
		back := bob.do("GET", path("/v3/rooms/%s/messages?dir=b&limit=3&from=", roomID)+timeline.Get("prev_batch").String(), nil)
		assert.Equal(t, []string{"4", "3", "2"}, bodies(back.Get("chunk")))
		more := bob.do("GET", path("/v3/rooms/%s/messages?dir=b&limit=100&from=", roomID)+back.Get("end").String(), nil)
		assert.Equal(t, "1", more.Get("chunk.0.content.body").String())
		assert.False(t, more.Get("end").Exists(), "that was all")
		assert.Equal(t, "m.room.create", more.Get("chunk.@reverse.0.type").String())
		forward := bob.do("GET", path("/v3/rooms/%s/messages?dir=f&limit=2&from=", roomID)+back.Get("end").String(), nil)
		assert.Equal(t, []string{"2", "3"}, bodies(forward.Get("chunk")))

		filter := `&filter={"senders":["` + bob.userID + `"],"types":["m.room.mess*"]}`
		own := bob.do("GET", path("/v3/rooms/%s/messages?dir=b", roomID)+filter, nil)
		assert.Equal(t, []string{"5", "3", "1"}, bodies(own.Get("chunk")))
		lazy := bob.do("GET", path("/v3/rooms/%s/messages?dir=b&limit=1&filter=", roomID)+`{"lazy_load_members":true}`, nil)
		assert.Equal(t, alice.userID, lazy.Get("state.0.state_key").String(), lazy.Raw)

		around := bob.do("GET", path("/v3/rooms/%s/context/%s?limit=4", roomID, ids[3]), nil)
		assert.Equal(t, "3", around.Get("event.content.body").String())
		assert.Equal(t, []string{"2", "1"}, bodies(around.Get("events_before")))
		assert.Equal(t, []string{"4", "5"}, bodies(around.Get("events_after")))
		assert.NotEmpty(t, find(around.Get("state"), "m.room.member", alice.userID).Raw)
		event := bob.do("GET", path("/v3/rooms/%s/event/%s", roomID, ids[0]), nil)
		assert.Equal(t, alice.userID, event.Get("sender").String())
		assert.Equal(t, "M_NOT_FOUND", bob.try("GET", path("/v3/rooms/%s/event/%s", roomID, "$none"), nil).code())
		ts := event.Get("origin_server_ts").String()
		assert.Equal(t, 200, bob.do("GET", path("/v1/rooms/%s/timestamp_to_event?dir=f&ts=", roomID)+ts, nil).status)

		carol := s.register("carol")
		assert.Equal(t, "M_FORBIDDEN", carol.try("GET", path("/v3/rooms/%s/messages?dir=b", roomID), nil).code())
		assert.Equal(t, "M_NOT_FOUND", carol.try("GET", path("/v3/rooms/%s/event/%s", roomID, ids[0]), nil).code())
	})
}

func TestRedactionAndTransactions(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice := s.register("alice")
		roomID := alice.create(object{"room_version": version})
		since := alice.now()
		at := path("/v3/rooms/%s/send/m.room.message/%s", roomID, "same/id")
		first := alice.do("PUT", at, object{"body": "once"}).Get("event_id").String()
		assert.Equal(t, first, alice.do("PUT", at, object{"body": "once"}).Get("event_id").String())
		got := alice.sync(since)
		event := in(got, "join", roomID).Get("timeline.events.0")
		assert.Equal(t, "same/id", event.Get("unsigned.transaction_id").String(), event.Raw)
		assert.Len(t, in(got, "join", roomID).Get("timeline.events").Array(), 1)
		login := s.ask("POST", "/v3/login", "", object{"type": "m.login.password", "password": "password of alice", "user": "alice"})
		phone := &client{server: s, userID: alice.userID, token: login.Get("access_token").String()}
		assert.False(t, in(phone.sync(since), "join", roomID).Get("timeline.events.0.unsigned.transaction_id").Exists())

		redact := path("/v3/rooms/%s/redact/%s/%s", roomID, first, "r1")
		redaction := alice.do("PUT", redact, object{"reason": "typo"}).Get("event_id").String()
		assert.Equal(t, redaction, alice.do("PUT", redact, object{"reason": "typo"}).Get("event_id").String())
		redacted := alice.do("GET", path("/v3/rooms/%s/event/%s", roomID, first), nil)
		assert.Equal(t, "{}", redacted.Get("content").Raw)
		assert.Equal(t, redaction, redacted.Get("unsigned.redacted_because.event_id").String())
		assert.Equal(t, alice.userID, redacted.Get("unsigned.redacted_because.sender").String())
	})
}

func TestRelations(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		root := alice.say(roomID, "root")
		relate := func(c *client, relation, eventType string, content object) string {
			content["m.relates_to"] = object{"rel_type": relation, "event_id": root}
			return c.send(roomID, eventType, content)
		}
		relate(bob, "m.thread", "m.room.message", object{"body": "reply 1"})
		last := relate(alice, "m.thread", "m.room.message", object{"body": "reply 2"})
		relate(bob, "m.annotation", "m.reaction", object{})
		relate(bob, "m.replace", "m.room.message", object{"body": "* forged", "m.new_content": object{"body": "forged"}})
		edit := relate(alice, "m.replace", "m.room.message", object{"body": "* edited", "m.new_content": object{"body": "edited"}})

		bundled := bob.do("GET", path("/v3/rooms/%s/event/%s", roomID, root), nil).Get(`unsigned.m\.relations`)
		assert.Equal(t, edit, bundled.Get(`m\.replace.event_id`).String(), bundled.Raw)
		assert.Equal(t, int64(2), bundled.Get(`m\.thread.count`).Int())
		assert.Equal(t, last, bundled.Get(`m\.thread.latest_event.event_id`).String())
		assert.True(t, bundled.Get(`m\.thread.current_user_participated`).Bool())
		assert.Equal(t, alice.userID, bundled.Get(`m\.replace.sender`).String())

		relations := path("/v1/rooms/%s/relations/%s", roomID, root)
		assert.Len(t, bob.do("GET", relations, nil).Get("chunk").Array(), 5)
		threads := bob.do("GET", relations+"/m.thread?limit=1", nil)
		assert.Equal(t, []string{"reply 2"}, bodies(threads.Get("chunk")))
		threads = bob.do("GET", relations+"/m.thread?from="+threads.Get("next_batch").String(), nil)
		assert.Equal(t, []string{"reply 1"}, bodies(threads.Get("chunk")))
		assert.Equal(t, []string{"reply 1", "reply 2"}, bodies(bob.do("GET", relations+"/m.thread/m.room.message?dir=f", nil).Get("chunk")))
		assert.Equal(t, root, bob.do("GET", path("/v1/rooms/%s/threads?include=participated", roomID), nil).Get("chunk.0.event_id").String())

		alice.do("PUT", path("/v3/rooms/%s/redact/%s/r", roomID, last), object{})
		assert.Equal(t, []string{"reply 1"}, bodies(bob.do("GET", relations+"/m.thread", nil).Get("chunk")))
	})
}

func TestSearch(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{"room_version": version, "preset": "public_chat"})
		bob.join(roomID)
		alice.say(roomID, "the quick fox")
		bob.say(roomID, "quick, QUICK")
		alice.say(roomID, "slow")
		search := func(filter object, more object) gjson.Result {
			criteria := object{"search_term": "quick", "order_by": "recent", "filter": filter}
			for name, value := range more {
				criteria[name] = value
			}
			return bob.do("POST", "/v3/search", object{"search_categories": object{"room_events": criteria}}).Get("search_categories.room_events")
		}
		found := search(object{}, object{
			"event_context": object{"include_profile": true}, "groupings": object{"group_by": []object{{"key": "sender"}}},
		})
		assert.Equal(t, int64(2), found.Get("count").Int())
		assert.Equal(t, "quick, QUICK", found.Get("results.0.result.content.body").String())
		assert.Equal(t, "slow", found.Get("results.0.context.events_after.0.content.body").String())
		assert.True(t, found.Get("results.0.context.profile_info."+gjson.Escape(alice.userID)).Exists(), found.Raw)
		assert.True(t, found.Get("groups.sender."+gjson.Escape(bob.userID)).Exists())
		by := search(object{"senders": []string{alice.userID}}, nil)
		assert.Equal(t, int64(1), by.Get("count").Int())
		page := search(object{"limit": 1}, nil)
		assert.Equal(t, "1", page.Get("next_batch").String())
	})
}

func TestDirectory(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		s := newServer(t)
		alice, bob := s.register("alice"), s.register("bob")
		roomID := alice.create(object{
			"room_version": version, "preset": "public_chat", "visibility": "public", "name": "Fishing", "room_alias_name": "fish",
		})
		alias := "#fish:" + s.name
		assert.Equal(t, roomID, s.ask("GET", path("/v3/directory/room/%s", alias), "", nil).Get("room_id").String())
		assert.Equal(t, s.name, s.ask("GET", path("/v3/directory/room/%s", alias), "", nil).Get("servers.0").String())
		bob.join(alias)
		other := "#an/gling:" + s.name
		assert.Equal(t, "M_FORBIDDEN", bob.try("PUT", path("/v3/directory/room/%s", "#x:elsewhere"), object{"room_id": roomID}).code())
		bob.do("PUT", path("/v3/directory/room/%s", other), object{"room_id": roomID})
		assert.Equal(t, 409, bob.try("PUT", path("/v3/directory/room/%s", other), object{"room_id": roomID}).status)
		assert.Len(t, bob.do("GET", path("/v3/rooms/%s/aliases", roomID), nil).Get("aliases").Array(), 2)
		assert.Equal(t, "M_FORBIDDEN", bob.try("DELETE", path("/v3/directory/room/%s", alias), nil).code())
		bob.do("DELETE", path("/v3/directory/room/%s", other), nil)
		assert.Equal(t, "M_NOT_FOUND", bob.try("GET", path("/v3/directory/room/%s", other), nil).code())

		list := s.ask("GET", "/v3/publicRooms", "", nil)
		assert.Equal(t, "Fishing", list.Get("chunk.0.name").String())
		assert.Equal(t, int64(2), list.Get("chunk.0.num_joined_members").Int())
		assert.Empty(t, bob.do("POST", "/v3/publicRooms", object{"filter": object{"generic_search_term": "hunt"}}).Get("chunk").Array())
		assert.Len(t, bob.do("POST", "/v3/publicRooms", object{"filter": object{"generic_search_term": "FISH"}}).Get("chunk").Array(), 1)
		assert.Equal(t, "M_FORBIDDEN", bob.try("PUT", path("/v3/directory/list/room/%s", roomID), object{"visibility": "private"}).code())
		alice.do("PUT", path("/v3/directory/list/room/%s", roomID), object{"visibility": "private"})
		assert.Equal(t, "private", s.ask("GET", path("/v3/directory/list/room/%s", roomID), "", nil).Get("visibility").String())

		hidden := alice.create(object{"room_version": version})
		space := alice.create(object{"room_version": version, "preset": "public_chat", "creation_content": object{"type": "m.space"}})
		for _, child := range []string{roomID, hidden} {
			alice.do("PUT", path("/v3/rooms/%s/state/m.space.child/%s", space, child), object{"via": []string{s.name}})
		}
		below := bob.do("GET", path("/v1/rooms/%s/hierarchy", space), nil).Get("rooms")
		require.Len(t, below.Array(), 2, below.Raw)
		assert.Len(t, below.Get("0.children_state").Array(), 2)
		assert.Equal(t, alice.userID, below.Get("0.children_state.0.sender").String())
		assert.Equal(t, roomID, below.Get("1.room_id").String())
		assert.Len(t, alice.do("GET", path("/v1/rooms/%s/hierarchy", space), nil).Get("rooms").Array(), 3)
		summary := alice.do("GET", path("/v1/room_summary/%s", space), nil)
		assert.Equal(t, []string{space, "m.space", "join"}, []string{
			summary.Get("room_id").String(), summary.Get("room_type").String(), summary.Get("membership").String(),
		})
		assert.False(t, summary.Get("children_state").Exists())
		assert.False(t, bob.do("GET", path("/v1/room_summary/%s", space), nil).Get("membership").Exists())
		assert.Equal(t, "M_NOT_FOUND", bob.try("GET", path("/v1/room_summary/%s", hidden), nil).code())
		page := alice.do("GET", path("/v1/rooms/%s/hierarchy?limit=2", space), nil)
		assert.Len(t, alice.do("GET", path("/v1/rooms/%s/hierarchy?from=", space)+page.Get("next_batch").String(), nil).Get("rooms").Array(), 1)
	})
}
