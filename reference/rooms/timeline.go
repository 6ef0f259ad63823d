package rooms

// This file gives clients the events of a room in order, for /sync and /messages.

import (
	"context"
	"slices"

	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Membership is what an own user has to do with a room.
type Membership struct {
	RoomID     string
	Room       *Room // nil for a room that the server is not in
	Outside    *Outside
	Membership string // "join", "invite", "knock", "leave" or "ban"
	Since      int64  // the position from which the membership is this one
}

// MembershipsOf returns all rooms that an own user has or had to do with and did not forget, in the order of their IDs.
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

// membershipSince returns the present membership of a member, and the position from which it is this one.
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

// MembershipAt returns the membership of an own user as it was at a position, "" if there was none.
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

// StateAt returns the room's state as it was, for this server, at a position.
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

// ShownStateAt returns the events of the state at a position that clients are shown.
func (r *Room) ShownStateAt(position int64) []*Event { return r.shownState(r.StateAt(position)) }

// ShownState returns those events of a state that clients are shown.
func (r *Room) ShownState(state rules.State) []*Event { return r.shownState(state) }

// Backward returns events before a position, itself not included, the newest first, that an own user may see and keep
// lets through, at most limit. It ends at the position after, not included. more tells that there are further ones.
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

// Forward returns events after a position, itself not included, the oldest first, as Backward does.
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

// Resent returns the member events that clients are to be sent again, since who they are about was verified between two
// positions, the first not included (MSC4014, Changes 6.2).
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

// HasMoreHistory tells whether there are events before the earliest that the server has.
func (r *Room) HasMoreHistory(context.Context) bool {
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
