package clientapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"
)

// timelineHas tells whether a /sync brings an event of a type and, unless it is "*", a state key in a joined room.
func timelineHas(roomID, eventType, stateKey string, holds func(event gjson.Result) bool) func(answer) bool {
	return func(got answer) bool {
		for _, event := range in(got, "join", roomID).Get("timeline.events").Array() {
			if event.Get("type").String() == eventType && (stateKey == "*" || event.Get("state_key").String() == stateKey) && holds(event) {
				return true
			}
		}
		return false
	}
}

func says(body string) func(gjson.Result) bool {
	return func(event gjson.Result) bool { return event.Get("content.body").String() == body }
}

func membershipIs(membership string) func(gjson.Result) bool {
	return func(event gjson.Result) bool { return event.Get("content.membership").String() == membership }
}

func TestTwoServers(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		servers := newServers(t, 2)
		alice, bob := servers[0].register("alice"), servers[1].register("bob")
		bob.do("PUT", path("/v3/profile/%s/displayname", bob.userID), object{"displayname": "Bob"})
		roomID := alice.create(object{
			"room_version": version, "preset": "public_chat", "visibility": "public", "name": "Two", "room_alias_name": "two",
		})
		for _, body := range []string{"1", "2", "3"} {
			alice.say(roomID, body)
		}
		since, before := alice.now(), bob.now()
		bob.join("#two:" + servers[0].name)
		alice.until(since, timelineHas(roomID, "m.room.member", bob.userID, membershipIs("join")))
		joined := in(bob.sync(before), "join", roomID)
		assert.True(t, joined.Get("timeline.limited").Bool(), joined.Raw)
		assert.NotEmpty(t, find(joined.Get("state.events"), "m.room.member", alice.userID).Raw, joined.Raw)
		back := bob.do("GET", path("/v3/rooms/%s/messages?dir=b&limit=50&from=", roomID)+joined.Get("timeline.prev_batch").String(), nil)
		assert.Equal(t, []string{"3", "2", "1"}, bodies(back.Get("chunk"))[:3])
		for _, event := range append(back.Get("chunk").Array(), joined.Get("state.events").Array()...) {
			noKeys(t, event)
		}

		since = bob.now()
		last := alice.say(roomID, "hello")
		bob.until(since, timelineHas(roomID, "m.room.message", "*", says("hello")))
		since = alice.now()
		bob.say(roomID, "hello yourself")
		alice.until(since, timelineHas(roomID, "m.room.message", "*", says("hello yourself")))

		since = alice.now()
		bob.do("POST", path("/v3/rooms/%s/receipt/m.read/%s", roomID, last), nil)
		alice.until(since, func(got answer) bool {
			receipt := find(in(got, "join", roomID).Get("ephemeral.events"), "m.receipt", "*")
			return receipt.Get("content." + gjson.Escape(last) + `.m\.read.` + gjson.Escape(bob.userID)).Exists()
		})
		bob.do("PUT", path("/v3/rooms/%s/typing/%s", roomID, bob.userID), object{"typing": true})
		alice.until(since, func(got answer) bool {
			return find(in(got, "join", roomID).Get("ephemeral.events"), "m.typing", "*").Get("content.user_ids.0").String() == bob.userID
		})
		bob.do("PUT", path("/v3/presence/%s/status", bob.userID), object{"presence": "unavailable", "status_msg": "tea"})
		alice.until(since, func(got answer) bool {
			return find(got.Get("presence.events"), "m.presence", "*").Get("content.status_msg").String() == "tea"
		})
		bob.do("PUT", path("/v3/sendToDevice/m.test/%s", "t1"), object{"messages": object{alice.userID: object{"*": object{"n": 1}}}})
		alice.until(since, func(got answer) bool { return got.Get("to_device.events.0.sender").String() == bob.userID })
		keys := object{"user_id": bob.userID, "device_id": bob.device, "algorithms": []string{}, "keys": object{}, "signatures": object{}}
		bob.do("POST", "/v3/keys/upload", object{"device_keys": keys, "one_time_keys": object{"signed_curve25519:A": object{"key": "a"}}})
		alice.until(since, func(got answer) bool { return got.Get("device_lists.changed.0").String() == bob.userID })
		asked := alice.do("POST", "/v3/keys/query", object{"device_keys": object{bob.userID: []string{}}})
		assert.True(t, asked.Get("device_keys."+gjson.Escape(bob.userID)+"."+bob.device).Exists(), asked.Raw)
		claimed := alice.do("POST", "/v3/keys/claim", object{"one_time_keys": object{bob.userID: object{bob.device: "signed_curve25519"}}})
		assert.True(t, claimed.Get("one_time_keys."+gjson.Escape(bob.userID)).Exists(), claimed.Raw)

		assert.Equal(t, "Bob", alice.do("GET", path("/v3/profile/%s", bob.userID), nil).Get("displayname").String())
		assert.Equal(t, "Two", bob.do("GET", "/v3/publicRooms?server="+servers[0].name, nil).Get("chunk.0.name").String())
		since = alice.now()
		bob.do("POST", path("/v3/rooms/%s/leave", roomID), nil)
		alice.until(since, timelineHas(roomID, "m.room.member", bob.userID, membershipIs("leave")))
	})
}

func TestInvitesBetweenServers(t *testing.T) {
	inEveryVersion(t, func(t *testing.T, version string) {
		servers := newServers(t, 2)
		alice, bob := servers[0].register("alice"), servers[1].register("bob")
		roomID := alice.create(object{"room_version": version, "name": "Private"})
		invited := func(since string) answer {
			return bob.until(since, func(got answer) bool { return in(got, "invite", roomID).Exists() })
		}
		since := bob.now()
		alice.do("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": bob.userID})
		got := invited(since)
		state := in(got, "invite", roomID).Get("invite_state.events")
		assert.Equal(t, alice.userID, find(state, "m.room.member", bob.userID).Get("sender").String(), state.Raw)
		assert.Equal(t, "Private", find(state, "m.room.name", "").Get("content.name").String())

		bob.do("POST", path("/v3/rooms/%s/leave", roomID), nil)
		left := in(bob.sync(got.Get("next_batch").String()), "leave", roomID)
		assert.Equal(t, "leave", find(left.Get("timeline.events"), "m.room.member", bob.userID).Get("content.membership").String(), left.Raw)
		bob.do("POST", path("/v3/rooms/%s/forget", roomID), nil)

		since = bob.now()
		alice.do("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": bob.userID})
		got = invited(since)
		alice.do("POST", path("/v3/rooms/%s/kick", roomID), object{"user_id": bob.userID, "reason": "a mistake"})
		rescinded := bob.until(got.Get("next_batch").String(), func(got answer) bool { return in(got, "leave", roomID).Exists() })
		event := find(in(rescinded, "leave", roomID).Get("timeline.events"), "m.room.member", bob.userID)
		assert.Equal(t, "a mistake", event.Get("content.reason").String(), rescinded.Raw)
		assert.Equal(t, alice.userID, event.Get("sender").String())

		alice.do("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": bob.userID})
		invited(rescinded.Get("next_batch").String())
		bob.join(roomID)
		assert.Len(t, bob.do("GET", path("/v3/rooms/%s/joined_members", roomID), nil).Get("joined").Map(), 2)
	})
}
