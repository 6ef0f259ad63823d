package twins

// What the /sync of a user says about a room: what is new since the last step, and what stays until it changes.

import (
	"maps"
	"slices"
)

// feed is what a user was told of a room. How the server cut it into answers does not matter. Counts of unread messages are compared when
// all views are: servers send them with the next event.
type feed struct {
	// since the last step
	state    []any
	timeline []any
	limited  bool
	// until it changes
	section  string // of rooms in /sync: join, invite, knock, leave; "" before the first
	stripped any    // invite_state or knock_state
	summary  fields
	typing   any
	receipts fields // by event ID, type and user
	account  fields // by type
}

func newFeed() *feed {
	return &feed{summary: fields{}, receipts: fields{}, account: fields{}}
}

// sections are the parts of rooms in /sync.
var sections = []string{"join", "invite", "knock", "leave"}

// take adds what an answer to /sync has about a room.
func (f *feed) take(answer any, roomID string) {
	for _, section := range sections {
		part, there := in(answer, "rooms", section, roomID).(fields)
		if !there {
			continue
		}
		if section != f.section {
			f.section, f.stripped = section, nil
		}
		for _, name := range []string{"invite_state", "knock_state"} {
			if state, given := part[name]; given {
				f.stripped = in(state, "events")
			}
		}
		f.state = append(f.state, list(in(part, "state", "events"))...)
		f.timeline = append(f.timeline, list(in(part, "timeline", "events"))...)
		f.limited = f.limited || in(part, "timeline", "limited") == true
		merge(f.summary, in(part, "summary"))
		for _, event := range list(in(part, "account_data", "events")) {
			if eventType, typed := in(event, "type").(string); typed {
				f.account[eventType] = in(event, "content")
			}
		}
		for _, event := range list(in(part, "ephemeral", "events")) {
			switch in(event, "type") {
			case "m.typing":
				f.typing = in(event, "content", "user_ids")
			case "m.receipt":
				f.receive(in(event, "content"))
			}
		}
	}
}

// receive keeps the newest receipt of each user, type and thread.
func (f *feed) receive(content any) {
	events, _ := content.(fields)
	for _, eventID := range slices.Sorted(maps.Keys(events)) {
		types, _ := events[eventID].(fields)
		for kind, users := range types {
			byUser, _ := users.(fields)
			for userID, data := range byUser {
				f.receipts[kind+" of "+userID] = fields{"of": eventID, "data": data}
			}
		}
	}
}

// next forgets what is compared once.
func (f *feed) next() { f.state, f.timeline, f.limited = nil, nil, false }

// part is a part of a feed in normal form.
type part struct {
	name  string
	value any
	late  bool // it may come after a barrier
}

// parts returns a feed in normal form.
func (f *feed) parts(n *namer) []part {
	typing := f.typing
	if len(list(typing)) == 0 {
		typing = nil
	}
	return []part{
		{"/sync", f.section, false},
		{"/sync timeline", n.normal(f.timeline, "timeline.events"), false},
		{"/sync state", n.normal(f.state, "state.events"), false},
		{"/sync limited", f.limited, false},
		{"/sync " + f.section + "_state", n.normal(f.stripped, "invite_state.events"), false},
		{"/sync summary", n.normal(f.summary, "summary"), false},
		{"/sync typing", n.normal(typing, "user_ids"), true},
		{"/sync receipts", n.normal(f.receipts, "receipts"), true},
		{"/sync account_data", n.normal(f.account, "account_data"), true},
	}
}

// in returns a member of nested objects, or nil.
func in(value any, keys ...string) any {
	for _, key := range keys {
		object, is := value.(fields)
		if !is {
			return nil
		}
		value = object[key]
	}
	return value
}

func list(value any) []any {
	elements, _ := value.([]any)
	return elements
}

func merge(into fields, value any) {
	object, _ := value.(fields)
	maps.Copy(into, object)
}
