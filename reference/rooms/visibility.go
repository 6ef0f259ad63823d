package rooms

// This file decides what local users may see of a room (client-server API, "Room history visibility").

import (
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/rules"
)

// VisibleToUser reports whether a local user may see an event: by the history visibility and the user's membership
// before and after the event, and for shared history by whether the user was joined then or later.
func (r *Room) VisibleToUser(userID string, event *Event) bool {
	if !event.Visible() || event.Outlier() || event.Concealed {
		return false
	}
	if event.Position <= r.rooms.Forgotten(userID, r.id) && r.Membership(userID) != "join" {
		return false
	}
	visibility := historyVisibility(event.before.state)
	if event.Type() == historyVisibilityType {
		// "if the change was to a more open setting" the new visibility applies to the event itself.
		if after := historyVisibility(event.after.state); openness(after) > openness(visibility) {
			visibility = after
		}
	}
	if visibility == "world_readable" {
		return true
	}
	sender, known := r.Sender(userID)
	if !known {
		return false
	}
	before, after := event.before.state.Membership(sender), event.after.state.Membership(sender)
	if before == "join" || after == "join" {
		return true
	}
	// A user that is removed or rejects an invite sees the event that says so.
	if key, isState := event.StateKey(); isState && event.Type() == memberType && key == sender && before != "leave" {
		return true
	}
	switch visibility {
	case "shared":
		return r.joinedAtOrAfter(sender, event)
	case "invited":
		return before == "invite" || after == "invite"
	}
	return false
}

func openness(visibility string) int {
	return slices.Index([]string{"joined", "invited", "shared", "world_readable"}, visibility)
}

// joinedAtOrAfter reports whether a member was joined at any time from an event on.
func (r *Room) joinedAtOrAfter(sender string, event *Event) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.current.state.Membership(sender) == "join" {
		return true
	}
	for _, one := range slices.Backward(r.order) {
		if one.Position < event.Position {
			break
		}
		if one.current.state.Membership(sender) == "join" {
			return true
		}
	}
	return false
}

// StateFor returns the state that a local user may see now: the current state if joined, or the state when the user
// left. ok is false if the user may see none.
func (r *Room) StateFor(userID string) (state []*Event, ok bool) {
	at, ok := r.stateSeenBy(userID)
	if !ok {
		return nil, false
	}
	return r.shownState(at), true
}

// stateSeenBy is StateFor as a state map, including members that clients are not shown.
func (r *Room) stateSeenBy(userID string) (rules.State, bool) {
	present := r.State()
	if historyVisibility(present) == "world_readable" {
		return present, true
	}
	sender, known := r.Sender(userID)
	if !known {
		return nil, false
	}
	switch present.Membership(sender) {
	case "join":
		return present, true
	case "leave", "ban":
		end := r.lastSeen(sender)
		if end == nil || end.Position <= r.rooms.Forgotten(userID, r.id) {
			return nil, false
		}
		return end.after.state, true
	}
	return nil, false
}

// lastSeen returns the event that ended a member's last join, or nil if it was never joined.
func (r *Room) lastSeen(sender string) *Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, event := range slices.Backward(r.order) {
		key, isState := event.StateKey()
		if isState && event.Type() == memberType && key == sender && event.Visible() && event.before.state.Membership(sender) == "join" && event.Membership() != "join" {
			return event
		}
	}
	return nil
}

// shownState returns the events of a state that clients see: not those of hidden members.
func (r *Room) shownState(state rules.State) []*Event {
	return slices.DeleteFunc(r.stored(state), func(event *Event) bool { return !r.shown(event) })
}

// shown reports whether clients see an event at all.
func (r *Room) shown(event *Event) bool {
	if event.Rejected != "" || event.Concealed {
		return false
	}
	key, isState := event.StateKey()
	return !r.format.Pseudonymous || !isState || event.Type() != memberType || r.directory.Shown(identity.SenderKey(key))
}

// MayRead reports whether a local user may read the room: it is or was a member, or anybody may.
func (r *Room) MayRead(userID string) bool {
	_, ok := r.stateSeenBy(userID)
	return ok
}
