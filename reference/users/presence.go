package users

// This file keeps presence, in memory (client-server API, "Presence").

import (
	"encoding/json"
	"time"

	"github.com/tidwall/gjson"
)

// offlineAfter is how long after its last /sync a user becomes offline.
const offlineAfter = time.Minute

// Presence is a user's presence as others see it.
type Presence struct {
	State      string // "online", "unavailable" or "offline"
	Status     string // the status message, or ""
	LastActive time.Time
	Position   int64 // of the last change
}

// present is the presence of a user, and the timer that ends it.
type present struct {
	Presence
	timer *time.Timer // sets a local user offline; nil if none is running
}

func (p *present) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// MarshalJSON returns presence as the content of m.presence.
func (p Presence) MarshalJSON() ([]byte, error) {
	content := map[string]any{"presence": p.State, "currently_active": p.State == "online"}
	if p.Status != "" {
		content["status_msg"] = p.Status
	}
	if !p.LastActive.IsZero() {
		content["last_active_ago"] = max(time.Since(p.LastActive).Milliseconds(), 0)
	}
	return json.Marshal(content)
}

// PresenceOf returns the presence of a user; an unknown user is offline.
func (u *Users) PresenceOf(userID string) Presence {
	u.lock.RLock()
	defer u.lock.RUnlock()
	if p, found := u.presence[userID]; found {
		return p.Presence
	}
	return Presence{State: "offline"}
}

// SetPresence sets the presence of a local user. It returns M_INVALID_PARAM if there is no such state.
func (u *Users) SetPresence(userID, state, status string) error {
	if !presenceState(state) {
		return refuse("M_INVALID_PARAM", "presence is %q, not online, unavailable or offline", state)
	}
	if !u.putPresence(userID, Presence{State: state, Status: status, LastActive: time.Now()}) {
		return nil
	}
	active := u.PresenceOf(userID)
	push := map[string]any{
		"user_id": userID, "presence": active.State, "currently_active": active.State == "online",
		"last_active_ago": time.Since(active.LastActive).Milliseconds(),
	}
	if status != "" {
		push["status_msg"] = status
	}
	u.send(u.rooms.ServersSharing(userID), "m.presence", map[string]any{"push": []any{push}})
	return nil
}

func presenceState(state string) bool {
	return state == "online" || state == "unavailable" || state == "offline"
}

// Seen records that a user calls /sync, which makes an offline user online until offlineAfter. state is an explicit
// state to set instead, or "".
func (u *Users) Seen(userID, state string) error {
	before := u.PresenceOf(userID)
	if state == "" && before.State == "offline" {
		state = "online"
	}
	var err error
	if state != "" && state != before.State {
		err = u.SetPresence(userID, state, before.Status)
	}
	u.lock.Lock()
	defer u.lock.Unlock()
	if p := u.presence[userID]; p != nil && !u.closed {
		p.stop()
		p.timer = time.AfterFunc(offlineAfter, func() {
			_ = u.SetPresence(userID, "offline", u.PresenceOf(userID).Status) // it only fails for unknown states
		})
	}
	return err
}

// ReceivePresence processes the content of an m.presence of a server; users of other servers in it are ignored.
func (u *Users) ReceivePresence(origin string, content json.RawMessage) error {
	for _, push := range gjson.GetBytes(content, "push").Array() {
		userID, state := push.Get("user_id").String(), push.Get("presence").String()
		if serverOf(userID) != origin || !presenceState(state) {
			continue
		}
		ago := time.Duration(push.Get("last_active_ago").Int()) * time.Millisecond
		u.putPresence(userID, Presence{State: state, Status: push.Get("status_msg").String(), LastActive: time.Now().Add(-ago)})
	}
	return nil
}

// putPresence stores presence and reports whether anything but the time of the last activity changed; otherwise it is
// not announced.
func (u *Users) putPresence(userID string, p Presence) (changed bool) {
	u.lock.Lock()
	known := u.presence[userID]
	if known != nil && known.State == p.State && known.Status == p.Status {
		known.LastActive = p.LastActive
		u.lock.Unlock()
		return false
	}
	u.lock.Unlock()
	u.publishInMemory(func(position int64) {
		p.Position = position
		if known := u.presence[userID]; known != nil {
			known.Presence = p
		} else {
			u.presence[userID] = &present{Presence: p}
		}
	})
	return true
}

// PresenceSince returns the presence of all users whose presence changed after since and up to until. With since 0,
// offline users are left out.
func (u *Users) PresenceSince(since, until int64) map[string]Presence {
	u.lock.RLock()
	defer u.lock.RUnlock()
	changed := map[string]Presence{}
	for userID, p := range u.presence {
		if p.Position > since && p.Position <= until && (since > 0 || p.State != "offline") {
			changed[userID] = p.Presence
		}
	}
	return changed
}
