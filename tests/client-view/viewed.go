package clientview

// A room with a member of each kind, as a peer knows it, and what clients are shown of it.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// viewed is the room and its views. It does not change once it is collected.
type viewed struct {
	roomID             string
	members            []member
	without            map[string]absence // kinds of members, and other parts of the room, that the server does not let be
	events             []federation.Event // as on the wire, oldest first
	state              []string           // the IDs of the current state
	since              int                // the number of events before the token of the incremental /sync
	redacted           map[string]bool    // IDs of redacted events
	answers            map[string]answers // by the name of the endpoint
	lookups            map[string]lookup  // by kind of member, or type of state
	filtered           map[string]found   // by filter and place
	lazy, lazyOrdinary []error            // what is wrong with lazy loading, here and in an ordinary room
}

// member is somebody with a key in the room.
type member struct {
	kind, userID, key string
	// unverified members are shown by a placeholder: userID, or another that begins and ends like it.
	begins, ends string
}

// isShownAs reports whether a user ID is the member's.
func (m member) isShownAs(userID string) bool {
	return userID == m.userID || m.begins != "" && strings.HasPrefix(userID, m.begins) && strings.HasSuffix(userID, m.ends)
}

// absence is why something is not in the room, and the requirement that this breaks, or "" if the positive control failed.
type absence struct {
	breaks string
	err    error
}

// blocks blocks a check of what is not there.
func (a absence) blocks(c *check.C) {
	if a.breaks == "" {
		c.Control(a.err)
	}
	if a.breaks == "membership/knock" {
		stage.Open(c, blueprints.OneServer).NeedKnock(a.err)
	}
	if a.breaks == "membership/invite-remote" {
		stage.Open(c, blueprints.OneServer).TakesInvites()
	}
	if a.breaks == "redaction/displayname-goes" && csapi.Denied(a.err) {
		stage.Open(c, blueprints.OneServer).User("alice").NeedsMembersRedacted()
	}
	c.Need(a.breaks, a.err)
}

// answers are the answers of an endpoint, and the events in them, or why it refused one.
type answers struct {
	bodies  [][]byte
	shown   []gjson.Result
	limited bool // the timeline of a /sync has not all that is new
	err     error
}

// event returns an event of the room by its ID.
func (v viewed) event(eventID string) (federation.Event, bool) {
	for _, event := range v.events {
		if event.ID() == eventID {
			return event, true
		}
	}
	return federation.Event{}, false
}

// by returns the member with a key.
func (v viewed) by(key string) (member, bool) {
	for _, m := range v.members {
		if m.key == key {
			return m, true
		}
	}
	return member{}, false
}

// known reports whether a text is the user ID of somebody in the room.
func (v viewed) known(userID string) bool {
	return slices.ContainsFunc(v.members, func(m member) bool { return m.isShownAs(userID) })
}

// original returns the event that a view shows: by its ID, and in stripped state, which has none, by type, state key and membership.
func (v viewed) original(shown gjson.Result) (federation.Event, bool) {
	if id := shown.Get("event_id"); id.Exists() {
		return v.event(id.String())
	}
	for i := len(v.events) - 1; i >= 0; i-- {
		event := v.events[i]
		key, isState := event.StateKey()
		if !isState || event.Type() != shown.Get("type").String() {
			continue
		}
		if event.Type() != memberType {
			if key == shown.Get("state_key").String() {
				return event, true
			}
			continue
		}
		m, known := v.by(key)
		if known && m.isShownAs(shown.Get("state_key").String()) && event.Membership() == shown.Get("content.membership").String() {
			return event, true
		}
	}
	return federation.Event{}, false
}

const memberType = "m.room.member"

// replaced returns the state event that another one replaced. The room is linear.
func (v viewed) replaced(event federation.Event) (previous federation.Event, ok bool) {
	key, isState := event.StateKey()
	for _, earlier := range v.events {
		if earlier.ID() == event.ID() {
			break
		}
		if isState && earlier.IsState(event.Type(), key) {
			previous, ok = earlier, true
		}
	}
	return previous, ok
}

// describe describes an event by its type, its sender and, for a member event, whose it is.
func (v viewed) describe(event federation.Event) string {
	sender, known := v.by(event.Sender())
	if !known {
		sender.kind = "an unknown key"
	}
	if event.Type() != memberType {
		return fmt.Sprintf("the %s of %s", event.Type(), sender.kind)
	}
	key, _ := event.StateKey()
	of, _ := v.by(key)
	if of.key == sender.key {
		return fmt.Sprintf("the %s of %s", event.Membership(), of.kind)
	}
	return fmt.Sprintf("the %s of %s by %s", event.Membership(), of.kind, sender.kind)
}

// last returns the IDs of the newest events.
func (v viewed) last(n int) (ids []string) {
	for _, event := range v.events[max(0, len(v.events)-n):] {
		ids = append(ids, event.ID())
	}
	return ids
}

// stateEvent returns the event of the current state with a type and an empty state key.
func (v viewed) stateEvent(eventType string) federation.Event { return v.current(eventType, "") }

// memberEvent returns the current member event of a member.
func (v viewed) memberEvent(of member) federation.Event { return v.current(memberType, of.key) }

func (v viewed) current(eventType, stateKey string) federation.Event {
	for _, id := range v.state {
		if event, _ := v.event(id); event.IsState(eventType, stateKey) {
			return event
		}
	}
	return federation.Event{}
}
