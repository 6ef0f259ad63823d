package rooms

// This file shows events to clients: by user ID, redacted where they are, with what the server adds to them.

import (
	"encoding/json"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// Viewer is who looks at an event.
type Viewer struct {
	UserID string
	Device string
}

// View returns an event as a client sees it. more is what is added to unsigned besides age, transaction_id,
// replaces_state, prev_content, prev_sender, redacted_because and the state of an invite: m.relations, say; it may be nil.
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

// clientEvent makes the view of an event on the wire.
func (r *Room) clientEvent(wire []byte, additions pseudonym.Additions, position int64) (json.RawMessage, error) {
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.ClientEvent(wire, additions, r.directory.At(position))
	}
	view := ordinaryView(wire, additions)
	return view, nil
}

// forClients returns an event as clients are served it, still as on the wire, with its ID.
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

// named returns an event on the wire with its ID, and with its sender where the wire does not name it any more.
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

// ordinaryView makes the view of an event of an ordinary room.
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

// Wire returns an event as other servers get it, for clients that ask for that form.
func (r *Room) Wire(event *Event) json.RawMessage { return r.forPeers(event) }

// Content returns the content of an event as a client sees it.
func (r *Room) Content(event *Event) json.RawMessage {
	return json.RawMessage(gjson.GetBytes(r.View(event, Viewer{}, nil), "content").Raw)
}

// StateEvent returns the state event that an own user may see by type and state key as clients write them, or nil.
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

// InviteState returns the stripped state that an invited or knocking own user sees of a room that the server is in, with
// the member event itself.
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
