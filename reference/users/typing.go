package users

// This file keeps who is typing, in memory (client-server API, "Typing Notifications").

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"
)

// remoteTyping is how long a remote user is typing unless its server says that it stopped.
const remoteTyping = 30 * time.Second

// typist is a user that is typing in a room, until the timer fires.
type typist struct{ timer *time.Timer }

// SetTyping sets that a local user is typing in a room for a time, or with 0 that it stopped.
func (u *Users) SetTyping(roomID, userID string, during time.Duration) {
	u.putTyping(roomID, userID, during)
	u.send(u.rooms.ServersOf(roomID), "m.typing", map[string]any{
		"room_id": roomID, "user_id": userID, "typing": during > 0,
	})
}

// ReceiveTyping processes the content of an m.typing of a server, for its own users only. The caller must check that
// the user is in the room.
func (u *Users) ReceiveTyping(origin string, content json.RawMessage) error {
	typing := gjson.ParseBytes(content)
	userID, during := typing.Get("user_id").String(), time.Duration(0)
	if serverOf(userID) != origin {
		return refuse("M_FORBIDDEN", "%s may not type for %q", origin, userID)
	}
	if typing.Get("typing").Bool() {
		during = remoteTyping
	}
	u.putTyping(typing.Get("room_id").String(), userID, during)
	return nil
}

func (u *Users) putTyping(roomID, userID string, during time.Duration) {
	u.publishInMemory(func(position int64) {
		if u.closed {
			return
		}
		known := u.typing[roomID][userID]
		if known != nil {
			known.timer.Stop()
			delete(u.typing[roomID], userID)
		}
		if during > 0 {
			now := &typist{}
			now.timer = time.AfterFunc(during, func() { u.endTyping(roomID, userID, now) })
			if u.typing[roomID] == nil {
				u.typing[roomID] = map[string]*typist{}
			}
			u.typing[roomID][userID] = now
		}
		if (known != nil) != (during > 0) {
			u.typingAt[roomID] = position
		}
	})
}

// endTyping ends typing that has timed out, unless the user typed again in the meantime.
func (u *Users) endTyping(roomID, userID string, ended *typist) {
	u.lock.RLock()
	over := !u.closed && u.typing[roomID][userID] == ended
	u.lock.RUnlock()
	if !over {
		return
	}
	u.publishInMemory(func(position int64) {
		if u.typing[roomID][userID] == ended {
			delete(u.typing[roomID], userID)
			u.typingAt[roomID] = position
		}
	})
}

// TypingSince returns the users typing in a room, sorted, and whether that changed after a position.
func (u *Users) TypingSince(roomID string, since int64) (userIDs []string, changed bool) {
	u.lock.RLock()
	defer u.lock.RUnlock()
	return append([]string{}, slices.Sorted(maps.Keys(u.typing[roomID]))...), u.typingAt[roomID] > since
}
