package rooms

// This file shows events to application services.

import (
	"encoding/json"
	"slices"
)

// EventsAfter returns the events after one position and up to another that clients may see, whoever they are, oldest first. The create
// event comes with the creator's join, before which nobody's user ID is known in the room.
func (r *Room) EventsAfter(after, upTo int64) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var events []*Event
	for _, event := range slices.Backward(r.order) {
		if event.Position <= after || event.Position <= 0 { // those of before the server was in the room are not new
			break
		}
		if event.Position > upTo || event.Type() == createType || !event.Visible() || !r.shown(event) {
			continue
		}
		events = append(events, event)
		for _, id := range event.PrevEvents() {
			if create := r.events[id]; create != nil && create.Type() == createType && create.Position > 0 {
				events = append(events, create)
			}
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
	delete(additions.Others, "age") // a transaction that is sent again must not differ
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.ServiceEvent(r.forClients(event), additions, r.directory.At(event.Position))
	}
	return ordinaryView(r.forClients(event), additions)
}
