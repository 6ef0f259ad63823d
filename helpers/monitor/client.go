package monitor

import (
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/transcript"
)

// Exchange looks over an answer of the candidate to a client about rooms; others are left alone, since device keys and
// tokens there look like sender keys.
func (m *Monitor) Exchange(check string, exchange transcript.Exchange) {
	if exchange.Direction != transcript.ClientRequest || exchange.Status/100 != 2 {
		return
	}
	path, _, _ := strings.Cut(exchange.URL, "?")
	if _, rest, found := strings.Cut(path, "/_matrix/client"); found {
		path = rest
	}
	if strings.Contains(exchange.URL, "event_format") || !aboutRooms(path) {
		return
	}
	m.walk(view{check: check, where: exchange.Method + " " + path}, "", gjson.ParseBytes(exchange.ResponseBody))
}

func aboutRooms(path string) bool {
	for _, part := range []string{"/sync", "/rooms/", "/search", "/publicRooms", "/notifications"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// view is one answer that is looked over.
type view struct{ check, where string }

// keyMayStand are the members in which clients are meant to see sender keys, or in which something else looks the same.
var keyMayStand = map[string]bool{
	"sender_key": true, "mxid_mapping": true, "join_authorised_via_users_server": true, "hashes": true, "signatures": true,
	"device_lists": true, "to_device": true, "device_one_time_keys_count": true, "next_batch": true, "prev_batch": true,
}

// walk visits every value of an answer; name is the member that holds it.
func (m *Monitor) walk(v view, name string, value gjson.Result) {
	switch {
	case value.IsObject():
		if isEvent(value) {
			m.clientEvent(v, value)
			return
		}
		value.ForEach(func(key, member gjson.Result) bool {
			if name == "joined" && m.looksLikeKey(key.String()) {
				m.report("client-view/joined-members", v.check, "%s: keyed by sender key %s", v.where, key.String())
			}
			if !keyMayStand[key.String()] {
				m.walk(v, key.String(), member)
			}
			return true
		})
	case value.IsArray():
		value.ForEach(func(_, element gjson.Result) bool {
			m.walk(v, name, element)
			return true
		})
	case value.Type == gjson.String && m.looksLikeKey(value.String()):
		m.report("client-view/no-key-elsewhere", v.check, "%s: %s is the sender key %s", v.where, name, value.String())
	}
}

func isEvent(value gjson.Result) bool {
	return value.Get("type").Type == gjson.String && value.Get("content").IsObject() &&
		(value.Get("sender").Exists() || value.Get("event_id").Exists())
}

// clientEvent looks over one event as a client gets it.
func (m *Monitor) clientEvent(v view, event gjson.Result) {
	if m.options.OursKey(event.Get("sender_key").String()) || m.options.OursEvent(event.Get("event_id").String()) {
		return
	}
	name := eventName(event)
	if sender := event.Get("sender").String(); m.looksLikeKey(sender) {
		m.report("client-view/sender-is-user-id", v.check, "%s: %s has the sender key %s as sender", v.where, name, sender)
	}
	if event.Get("verified_sender_mxid").Exists() {
		m.report("client-view/no-verified-sender-field", v.check, "%s: %s", v.where, name)
	}
	if sender := event.Get("unsigned.prev_sender").String(); m.looksLikeKey(sender) {
		m.report("client-view/unsigned", v.check, "%s: %s has the sender key %s as prev_sender", v.where, name, sender)
	}
	switch event.Get("type").String() {
	case "m.room.member":
		if key := event.Get("state_key").String(); m.looksLikeKey(key) {
			m.report("client-view/member-state-key-is-user-id", v.check, "%s: %s has state key %s", v.where, name, key)
		}
	case "m.room.create":
		if creator := event.Get("content.creator").String(); m.looksLikeKey(creator) {
			m.report("client-view/create-creator", v.check, "%s: %s has creator %s", v.where, name, creator)
		}
	case "m.room.power_levels":
		event.Get("content.users").ForEach(func(user, _ gjson.Result) bool {
			if m.looksLikeKey(user.String()) {
				m.report("client-view/power-levels-read", v.check, "%s: %s gives power to the key %s", v.where, name, user.String())
			}
			return true
		})
	}
	for _, path := range []string{"unsigned.prev_content.users", "unsigned.redacted_because.sender"} {
		event.Get(path).ForEach(func(key, value gjson.Result) bool {
			if m.looksLikeKey(key.String()) || m.looksLikeKey(value.String()) {
				m.report("client-view/unsigned", v.check, "%s: %s has a sender key in %s", v.where, name, path)
			}
			return true
		})
	}
}
