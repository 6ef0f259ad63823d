package rooms

// This file lists the events of a room in order, for /sync and /messages.

import (
	"slices"

	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Membership is the membership of a local user in a room.
type Membership struct {
	RoomID     string
	Room       *Room // nil if this server is not in the room
	Outside    *Outside
	Membership string // "join", "invite", "knock", "leave" or "ban"
	Since      int64  // the position since which the user has this membership
}

// MembershipsOf returns the memberships of a local user in all rooms that the user has not forgotten, sorted by room
// ID.
func (rs *Rooms) MembershipsOf(userID string) []Membership {
	var all []Membership
	inside := map[string]bool{}
	for _, room := range rs.All() {
		sender, known := room.Sender(userID)
		if !known {
			continue
		}
		membership, since := room.membershipSince(sender)
		outside, isOutside := rs.OutsideOf(userID, room.id)
		if membership == "" || isOutside && outside.Position > since && !room.Resident() {
			continue
		}
		inside[room.id] = true
		if forgotten := rs.Forgotten(userID, room.id); forgotten > since {
			continue
		}
		all = append(all, Membership{RoomID: room.id, Room: room, Membership: membership, Since: since})
	}
	for key, outside := range rs.tables.outside.All() {
		if parts := store.Parts(key); parts[0] == userID && !inside[parts[1]] {
			all = append(all, Membership{RoomID: outside.RoomID, Outside: &outside, Membership: outside.Membership, Since: outside.Position})
		}
	}
	return all
}

// membershipSince returns the current membership of a member, and the position since which the member has it.
func (r *Room) membershipSince(sender string) (membership string, since int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	member := r.current.state.Member(sender)
	if member == nil {
		return "", 0
	}
	membership = member.Membership()
	for _, event := range slices.Backward(r.order) {
		if event.Position < 0 || event.current.state.Membership(sender) != membership || event.current.state.Member(sender) == nil {
			break
		}
		since = event.Position
	}
	return membership, since
}

// MembershipAt returns the membership of a local user at a position, or "".
func (r *Room) MembershipAt(userID string, position int64) string {
	sender, known := r.Sender(userID)
	if !known {
		return ""
	}
	if member := r.StateAt(position).Member(sender); member != nil {
		return member.Membership()
	}
	return ""
}

// StateAt returns the room's state, as this server knew it, at a position.
func (r *Room) StateAt(position int64) rules.State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, event := range slices.Backward(r.order) {
		if event.Position <= position && event.Position > 0 {
			return event.current.state
		}
	}
	return rules.State{}
}

// ShownStateAt returns the events of the state at a position that clients see.
func (r *Room) ShownStateAt(position int64) []*Event { return r.shownState(r.StateAt(position)) }

// ShownState returns the events of a state that clients see.
func (r *Room) ShownState(state rules.State) []*Event { return r.shownState(state) }

// Backward returns at most limit events between two positions, both exclusive, newest first, that a local user may see
// and keep accepts. more reports whether there are further ones.
func (r *Room) Backward(userID string, before, after int64, limit int, keep func(*Event) bool) (events []*Event, more bool) {
	r.mu.RLock()
	all := slices.Clone(r.order)
	r.mu.RUnlock()
	for _, event := range slices.Backward(all) {
		if event.Position >= before || event.Position <= after || !r.inTimeline(userID, event, keep) {
			continue
		}
		if len(events) == limit {
			return events, true
		}
		events = append(events, event)
	}
	return events, false
}

// Forward is like Backward, but returns the oldest events first.
func (r *Room) Forward(userID string, after, before int64, limit int, keep func(*Event) bool) (events []*Event, more bool) {
	r.mu.RLock()
	all := slices.Clone(r.order)
	r.mu.RUnlock()
	for _, event := range all {
		if event.Position <= after || event.Position >= before || !r.inTimeline(userID, event, keep) {
			continue
		}
		if len(events) == limit {
			return events, true
		}
		events = append(events, event)
	}
	return events, false
}

func (r *Room) inTimeline(userID string, event *Event, keep func(*Event) bool) bool {
	return r.shown(event) && r.VisibleToUser(userID, event) && (keep == nil || keep(event))
}

// Resent returns the member events to send to clients again, because their members were verified after one position and
// up to another (MSC4014, Changes 6.2).
func (r *Room) Resent(after, upTo int64) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var events []*Event
	for _, one := range r.resent {
		if event := r.events[one.eventID]; one.position > after && one.position <= upTo && event != nil && !slices.Contains(events, event) {
			events = append(events, event)
		}
	}
	return events
}

// HasMoreHistory reports whether there are events before the earliest that the server has.
func (r *Room) HasMoreHistory() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, event := range r.order {
		for _, id := range event.PrevEvents() {
			if before := r.events[id]; before == nil || before.Outlier() {
				return true
			}
		}
	}
	return false
}
