package clientapi

// This file hides from users what those send whom they ignore (client-server API, "Ignoring Users"): their messages, but not what they
// set, and their invites. Users ignore user IDs, whoever has which key.

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
)

// ignores returns whether a user is ignored by the one whose sync it is.
func (s *syncing) ignores() func(userID string) bool {
	content, _ := s.Users.AccountData(s.viewer.UserID, "", "m.ignored_user_list")
	ignored := gjson.GetBytes(content, "ignored_users").Map()
	return func(userID string) bool { return ignored[userID].Exists() }
}

// notIgnored returns a condition that also leaves out the messages of ignored users.
func (s *syncing) notIgnored(room *rooms.Room, keep func(*rooms.Event) bool) func(*rooms.Event) bool {
	ignores := s.ignores()
	return func(event *rooms.Event) bool {
		_, isState := event.StateKey()
		return keep(event) && (isState || !ignores(room.UserID(event.Sender())))
	}
}

// isIgnored reports whether an invite with this stripped state, of which the last is the invite, is an ignored user's.
func (s *syncing) isIgnored(state []json.RawMessage) bool {
	return len(state) > 0 && s.ignores()(gjson.GetBytes(state[len(state)-1], "sender").String())
}
