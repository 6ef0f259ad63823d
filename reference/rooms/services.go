package rooms

// This file shows events to application services.

import (
	"encoding/json"
	"slices"
)

// Due is an event, and the position from which services may see it.
type Due struct {
	*Event
	At int64
}

// EventsAfter returns the events that are due after one position and up to another and that clients may see, whoever they are, oldest
// first. The create event is due with the creator's join, the event after it: before that nobody's user ID is known in the room.
func (r *Room) EventsAfter(after, upTo int64) []Due {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var events []Due
	for i, event := range slices.Backward(r.order) {
		if event.Position <= after || event.Position <= 0 { // those of before the server was in the room are not new
			break
		}
		if event.Position > upTo || event.Type() == createType || !event.Visible() || !r.shown(event) {
			continue
		}
		events = append(events, Due{event, event.Position})
		if i > 0 && r.order[i-1].Type() == createType && r.order[i-1].Position > 0 {
			events = append(events, Due{r.order[i-1], event.Position})
		}
	}
	slices.Reverse(events)
	return events
}

// Concerned returns the user IDs, as clients see them, of those whom an event concerns: its sender, the user of a member event, and all
// who were in the room then.
func (r *Room) Concerned(event *Event) []string {
	userIDs := []string{r.UserID(event.Sender())}
	if key, isState := event.StateKey(); isState && event.Type() == memberType {
		userIDs = append(userIDs, r.UserID(key))
	}
	for key, member := range event.current.state {
		if key.Type == memberType && member.Membership() == "join" {
			userIDs = append(userIDs, r.UserID(key.Key))
		}
	}
	return userIDs
}

// ServiceView returns an event as it is pushed to application services.
func (r *Room) ServiceView(event *Event) json.RawMessage {
	additions := r.additions(event, Viewer{}, nil)
	delete(additions.Others, "age") // it would be wrong when the transaction is sent again, which must not differ
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.ServiceEvent(r.forClients(event), additions, r.directory.At(event.Position))
	}
	return ordinaryView(r.forClients(event), additions)
}
