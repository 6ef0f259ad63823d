package rooms

// This file shows events to clients: with user IDs, in redacted form if they were redacted, and with the unsigned
// fields that the server adds.

import (
	"encoding/json"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// Viewer is the user and device that an event is shown to.
type Viewer struct {
	UserID string
	Device string
}

// View returns an event as a client sees it. more has further unsigned fields, such as m.relations; it may be nil.
func (r *Room) View(event *Event, viewer Viewer, more map[string]any) json.RawMessage {
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
			additions.PrevContent = r.contentForClients(r.Event(replaced.ID()))
			additions.PrevSender = pseudoid.SenderKey(replaced.Sender())
		}
	}
	wire := r.forClients(event)
	if id := r.RedactionOf(event.ID()); id != "" {
		if redaction := r.Event(id); redaction != nil {
			additions.RedactedBecause = r.named(redaction)
		}
	}
	view, err := r.clientEvent(wire, additions, event.Position)
	if err != nil {
		r.rooms.Log.Error("an event cannot be shown", "room", r.id, "event", event.ID(), "error", err)
		return json.RawMessage(`{}`)
	}
	return view
}

// clientEvent returns the client view of an event on the wire.
func (r *Room) clientEvent(wire []byte, additions pseudonym.Additions, position int64) (json.RawMessage, error) {
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.ClientEvent(wire, additions, r.directory.At(position))
	}
	return ordinaryView(wire, additions), nil
}

// forClients returns an event as served to clients, but still in wire format, with its ID.
func (r *Room) forClients(event *Event) []byte {
	wire := r.named(event)
	if r.RedactionOf(event.ID()) == "" {
		return wire
	}
	var redacted []byte
	var err error
	if r.format.Pseudonymous {
		redacted, err = r.rooms.Pseudonym.RedactForClients(event.JSON())
	} else {
		redacted, err = pseudoid.Redact(event.JSON(), r.format)
	}
	if err != nil {
		return wire
	}
	if redacted, err = sjson.SetBytes(redacted, "event_id", event.ID()); err != nil {
		return wire
	}
	return redacted
}

// named returns an event in wire format with its ID, and with its sender if the wire format no longer names it.
func (r *Room) named(event *Event) []byte {
	wire, err := sjson.SetBytes(event.JSON(), "event_id", event.ID())
	if err != nil {
		return event.JSON()
	}
	if field := r.format.SenderField(); !gjson.GetBytes(wire, field).Exists() {
		if named, err := sjson.SetBytes(wire, field, event.Sender()); err == nil {
			return named
		}
	}
	return wire
}

func (r *Room) contentForClients(event *Event) []byte {
	if event == nil {
		return nil
	}
	return []byte(gjson.GetBytes(r.forClients(event), "content").Raw)
}

// ordinaryView returns the client view of an event of an ordinary room.
func ordinaryView(wire []byte, additions pseudonym.Additions) json.RawMessage {
	view := map[string]json.RawMessage{}
	for _, field := range []string{"type", "room_id", "sender", "state_key", "content", "origin_server_ts", "event_id", "redacts"} {
		if value := gjson.GetBytes(wire, field); value.Exists() {
			view[field] = json.RawMessage(value.Raw)
		}
	}
	if redacts := gjson.GetBytes(wire, "content.redacts"); redacts.Exists() && gjson.GetBytes(wire, "type").String() == redactionType {
		view["redacts"] = json.RawMessage(redacts.Raw) // where older clients look for it (room version 11)
	}
	unsigned := map[string]any{}
	for field, value := range additions.Others {
		unsigned[field] = value
	}
	if additions.PrevContent != nil {
		unsigned["prev_content"] = json.RawMessage(additions.PrevContent)
		unsigned["prev_sender"] = additions.PrevSender
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
func (r *Room) Wire(event *Event) json.RawMessage { return r.forPeers(event) }

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
		key, err := r.rooms.Pseudonym.WireStateKey(eventType, stateKey, r.directory, func(string) (pseudoid.SenderKey, bool, error) {
			return "", false, nil // reading makes no keys
		})
		if err != nil {
			return nil, NotFound("there is no state (%s, %s) in room %s", eventType, stateKey, r.id)
		}
		wireKey = key
	}
	event := state[rules.StateKey{Type: eventType, Key: wireKey}]
	if event == nil {
		return nil, NotFound("there is no state (%s, %s) in room %s", eventType, stateKey, r.id)
	}
	return r.Event(event.ID()), nil
}

// InviteState returns the stripped state that an invited or knocking local user sees of a room that this server is in,
// including the member event.
func (r *Room) InviteState(userID string) []json.RawMessage {
	sender, known := r.Sender(userID)
	member := r.State().Member(sender)
	if !known || member == nil {
		return nil
	}
	state := r.State()
	wire, err := r.stripForInvite(state, member.Sender())
	if err != nil {
		return nil
	}
	var shown []json.RawMessage
	for _, one := range append(wire, r.named(r.Event(member.ID()))) {
		if view, err := r.rooms.strippedView(r.format, one, r.Names()); err == nil {
			shown = append(shown, view)
		}
	}
	return shown
}
