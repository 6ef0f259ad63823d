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

// Snapshot is what a client sees of a room at one time: by the name of the view, then by event ID, or user ID for joined_members.
type Snapshot map[string]map[string]shownEvent

// shownEvent is an event in a view, without what changes with time.
type shownEvent struct {
	what      string // description
	canonical string
}

// Snapshot returns what the user's client sees of a room now (Browses).
func (u *User) Snapshot(roomID string) Snapshot {
	snapshot := Snapshot{}
	for _, view := range u.Browses(roomID) {
		shown := map[string]shownEvent{}
		for _, event := range view.Events {
			shown[event.Get("event_id").String()] = shownEvent{describe(event), withoutAge(event)}
		}
		for _, userID := range view.Keys {
			shown[userID] = shownEvent{what: userID}
		}
		snapshot[view.Name] = shown
	}
	return snapshot
}

// describe describes an event without its ID, which differs from run to run.
func describe(event gjson.Result) string {
	if event.Get("type").String() != "m.room.member" {
		return event.Get("type").String()
	}
	return fmt.Sprintf("m.room.member (%s) of %s", event.Get("content.membership").String(), event.Get("state_key").String())
}

// withoutAge returns an event in canonical form without its age and its transaction ID, which servers need not keep.
func withoutAge(event gjson.Result) string {
	raw := []byte(event.Raw)
	for _, path := range []string{"unsigned.age", "unsigned.transaction_id", "age"} {
		if without, err := sjson.DeleteBytes(bytes.Clone(raw), path); err == nil {
			raw = without
		}
	}
	if gjson.GetBytes(raw, "unsigned").Raw == "{}" {
		raw, _ = sjson.DeleteBytes(raw, "unsigned") // cannot fail
	}
	canonical, err := pseudoid.CanonicalJSON(raw)
	if err != nil {
		return string(raw)
	}
	return string(canonical)
}

// Differences describes, sorted, what differs in a later snapshot of the same client.
func (s Snapshot) Differences(later Snapshot) []string {
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		view, ok := later[name]
		if !ok {
			differences = append(differences, name+" is refused")
			continue
		}
		for id, shown := range s[name] {
			switch now, ok := view[id]; {
			case !ok:
				differences = append(differences, fmt.Sprintf("%s has lost %s", name, shown.what))
			case now.canonical != shown.canonical:
				differences = append(differences, fmt.Sprintf("%s shows %s as %s, before it was %s", name, shown.what, now.canonical, shown.canonical))
			}
		}
		for id, shown := range view {
			if _, ok := s[name][id]; !ok {
				differences = append(differences, fmt.Sprintf("%s newly has %s", name, shown.what))
			}
		}
	}
	slices.Sort(differences)
	return differences
}
