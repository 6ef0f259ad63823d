package stage

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// Snapshot is what a client was shown of a room at one time: by view, then by event, or by user ID where a view is keyed
// by them.
type Snapshot map[string]map[string]shownEvent

// shownEvent is an event as a view showed it, without what passes with time.
type shownEvent struct {
	what      string // for people
	canonical string
}

// Snapshot looks at a room in every way that the suite knows (Views).
func (u *User) Snapshot(roomID string) Snapshot {
	snapshot := Snapshot{}
	for _, view := range u.Views(roomID) {
		shown := map[string]shownEvent{}
		for _, event := range view.Events {
			shown[event.Get("event_id").String()] = shownEvent{describe(event), lasting(event)}
		}
		for _, userID := range view.Keys {
			shown[userID] = shownEvent{what: userID}
		}
		snapshot[view.Name] = shown
	}
	return snapshot
}

// describe names an event without its ID, which differs from run to run.
func describe(event gjson.Result) string {
	if event.Get("type").String() != "m.room.member" {
		return event.Get("type").String()
	}
	return fmt.Sprintf("m.room.member (%s) of %s", event.Get("content.membership").String(), event.Get("state_key").String())
}

// lasting is an event in canonical form without its age and without the transaction ID, which servers need not keep.
func lasting(event gjson.Result) string {
	raw := []byte(event.Raw)
	for _, path := range []string{"unsigned.age", "unsigned.transaction_id", "age"} {
		if without, err := sjson.DeleteBytes(bytes.Clone(raw), path); err == nil {
			raw = without
		}
	}
	if gjson.GetBytes(raw, "unsigned").Raw == "{}" {
		raw, _ = sjson.DeleteBytes(raw, "unsigned") // a path of one member: cannot fail
	}
	canonical, err := pseudoid.CanonicalJSON(raw)
	if err != nil {
		return string(raw)
	}
	return string(canonical)
}

// Differences tells what a later snapshot of the same client shows otherwise, view by view; empty means nothing.
func (s Snapshot) Differences(later Snapshot) []string {
	var told []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		view, ok := later[name]
		if !ok {
			told = append(told, name+" is refused")
			continue
		}
		for id, shown := range s[name] {
			switch now, ok := view[id]; {
			case !ok:
				told = append(told, fmt.Sprintf("%s has lost %s", name, shown.what))
			case now.canonical != shown.canonical:
				told = append(told, fmt.Sprintf("%s shows %s as %s, and showed it as %s", name, shown.what, now.canonical, shown.canonical))
			}
		}
		for id, shown := range view {
			if _, ok := s[name][id]; !ok {
				told = append(told, fmt.Sprintf("%s newly has %s", name, shown.what))
			}
		}
	}
	slices.Sort(told)
	return told
}
