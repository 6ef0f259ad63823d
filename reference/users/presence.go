package users

// This file is about presence, in memory: who is there now (client-server API, "Presence").

import (
	"encoding/json"
	"time"

	"github.com/tidwall/gjson"
)

// offlineAfter is how long after its last /sync a user counts as gone.
const offlineAfter = time.Minute

// Presence is what others see of a user's being there.
type Presence struct {
	State      string // "online", "unavailable" or "offline"
	Status     string // the user's own words, or ""
	LastActive time.Time
	Position   int64 // at which it last changed
}

// present is the presence of a user, and what ends it.
type present struct {
	Presence
	timer *time.Timer // sets a user of this server offline; nil where none runs
}

func (p *present) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// MarshalJSON writes presence as the content of m.presence.
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

// PresenceOf returns the presence of a user; one who was never heard of is offline.
func (u *Users) PresenceOf(userID string) Presence {
	u.lock.RLock()
	defer u.lock.RUnlock()
	if p, found := u.presence[userID]; found {
		return p.Presence
	}
	return Presence{State: "offline"}
}

// SetPresence sets the presence of a user of this server. M_INVALID_PARAM says that there is no such state.
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

// Seen says that a user is using /sync, which by itself makes who was offline online, until offlineAfter. An explicit
// state, "" if there is none, is set instead.
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
			_ = u.SetPresence(userID, "offline", u.PresenceOf(userID).Status) // fails for wrong states only
		})
	}
	return err
}

// ReceivePresence takes in the content of an m.presence of a server; what it says of others' users is passed over.
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

// putPresence stores presence and tells whether anything but the time of the last activity changed; if not, nobody is told.
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

// PresenceSince returns the presence of all users whose presence changed after a position and not after until. With since
// 0, who is offline is left out.
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
