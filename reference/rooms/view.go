package rooms

// This file shows events to clients: with user IDs, in redacted form if they were redacted, and with the unsigned
// fields that the server adds.

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// Viewer is the user and device that an event is shown to.
type Viewer struct {
	UserID string
	Device string
}

// View returns an event as a client sees it. more has further unsigned fields, such as m.relations; it may be nil.
func (r *Room) View(event *Event, viewer Viewer, more map[string]any) json.RawMessage {
	additions := r.additions(event, viewer, more)
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.ClientEvent(r.forClients(event), additions, r.directory.At(event.Position))
	}
	return ordinaryView(r.forClients(event), additions)
}

// additions are what the server adds to an event for a client.
func (r *Room) additions(event *Event, viewer Viewer, more map[string]any) pseudonym.Additions {
	additions := pseudonym.Additions{Others: map[string]any{"age": max(0, now()-event.OriginServerTS())}}
	for field, value := range more {
		additions.Others[field] = value
	}
	if event.Transaction != "" && event.Device == viewer.Device && r.UserID(event.Sender()) == viewer.UserID {
		additions.Others["transaction_id"] = event.Transaction
	}
	if key, isState := event.State(); isState && !event.Outlier() {
		if replaced := event.before.state[key]; replaced != nil && replaced.ID() != event.ID() {
			additions.Others["replaces_state"] = replaced.ID()
			additions.Replaced = r.forClients(r.Event(replaced.ID()))
		}
	}
	if redaction := r.Event(r.RedactionOf(event.ID())); redaction != nil {
		additions.RedactedBecause = redaction.Event
	}
	return additions
}

// forClients returns an event in the form served to clients.
func (r *Room) forClients(event *Event) *pdu.Event {
	if r.RedactionOf(event.ID()) == "" {
		return event.Event
	}
	redact := r.rooms.Pseudonym.RedactForClients
	if !r.format.Pseudonymous {
		redact = (*pdu.Event).Redacted
	}
	redacted, err := redact(event.Event)
	if err != nil {
		return event.Event
	}
	return redacted
}

// ordinaryView returns the client view of an event of an ordinary room.
func ordinaryView(event *pdu.Event, additions pseudonym.Additions) json.RawMessage {
	view := map[string]json.RawMessage{"event_id": raw(event.ID())}
	for _, field := range []string{"type", "room_id", "sender", "state_key", "content", "origin_server_ts", "redacts"} {
		if value := event.Field(field); value.Exists() {
			view[field] = json.RawMessage(value.Raw)
		}
	}
	if redacts := event.Content("redacts"); redacts.Exists() && event.Type() == redactionType {
		view["redacts"] = json.RawMessage(redacts.Raw) // where older clients look for it (room version 11)
	}
	unsigned := map[string]any{}
	for field, value := range additions.Others {
		unsigned[field] = value
	}
	if additions.Replaced != nil {
		unsigned["prev_content"] = json.RawMessage(contentOf(additions.Replaced))
		unsigned["prev_sender"] = additions.Replaced.Sender()
	}
	if additions.RedactedBecause != nil {
		unsigned["redacted_because"] = ordinaryView(additions.RedactedBecause, pseudonym.Additions{})
	}
	if len(unsigned) > 0 {
		view["unsigned"] = raw(unsigned)
	}
	return raw(view)
}

// Wire returns an event in federation format, for clients that ask for it.
func (r *Room) Wire(event *Event) json.RawMessage { return r.forPeers(event).JSON() }

// Content returns the content of an event as a client sees it.
func (r *Room) Content(event *Event) json.RawMessage {
	return json.RawMessage(gjson.GetBytes(r.View(event, Viewer{}, nil), "content").Raw)
}

// StateEvent returns the state event with the type and state key that a client wrote, if the local user may see it.
func (r *Room) StateEvent(userID, eventType, stateKey string) (*Event, error) {
	state, ok := r.stateSeenBy(userID)
	if !ok {
		return nil, Forbidden("%s may not see the state of room %s", userID, r.id)
	}
	wireKey := stateKey
	if r.format.Pseudonymous {
		key, err := r.rooms.Pseudonym.WireStateKey(eventType, stateKey, r.directory, func(string) (identity.SenderKey, bool, error) {
			return "", false, nil // reading makes no keys
		})
		if err != nil {
			return nil, NotFound("there is no state (%s, %s) in room %s", eventType, stateKey, r.id)
		}
		wireKey = key
	}
	event := state.Get(eventType, wireKey)
	if event == nil {
		return nil, NotFound("there is no state (%s, %s) in room %s", eventType, stateKey, r.id)
	}
	return r.Event(event.ID()), nil
}

// InviteState returns the stripped state that an invited or knocking local user sees of a room that this server is in,
// including the member event.
func (r *Room) InviteState(userID string) []json.RawMessage {
	sender, known := r.Sender(userID)
	state := r.State()
	member := state.Member(sender)
	if !known || member == nil {
		return nil
	}
	other := member.Sender()
	if other == sender { // a knock, which nobody else sends; see SendKnock
		other = state.Create().Sender()
	}
	var events []*pdu.Stripped
	for _, event := range append(r.inviteState(state, other), r.Event(member.ID())) {
		events = append(events, &r.forClients(event).Stripped)
	}
	return r.rooms.strippedViews(r.format, events, r.Names())
}
