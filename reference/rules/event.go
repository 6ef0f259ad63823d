// Package rules decides what may happen in a room: it parses events, checks them on receipt, applies the authorisation
// rules and resolves conflicting state, for room versions 10 and 11 and for pseudonymous rooms (MSC4014) in both wire
// dialects. It does no I/O, and its values are immutable.
//
// There is one set of rules for all versions. For most of them MSC4014 only replaces the user ID by a sender key, so a
// rule reads the same in both kinds of room; the few that need the domain or the sigil of a user ID are in identity.go,
// each with the sentence that it is based on. The rules are not gomatrixserverlib's, because those ask for a user ID
// behind every sender (MSC4014 accepts an event whose user ID is not known), read it from unverified mappings, do not
// check the signature of the key that authorises a restricted join, and refuse a create event without a creator;
// resolve.go says what is wrong with its state resolution. The tests compare the two, and say why where they differ.
package rules

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// Limits on events (client-server API, "Size limits"; room version 4, "Event format").
const (
	maxEventBytes = 65536
	maxFieldBytes = 255
	maxPrevEvents = 20
	maxAuthEvents = 10
)

// StateKey identifies a piece of room state: its event type and state key.
type StateKey struct{ Type, Key string }

// Event is an event of a room, as servers exchange it. It is immutable.
type Event struct {
	raw        []byte // canonical JSON
	format     pseudoid.Format
	id         string
	eventType  string
	roomID     string
	sender     string
	stateKey   *string
	content    map[string]gjson.Result
	prevEvents []string
	authEvents []string
}

// NewEvent parses an event of a room of format f. It returns an error if the event cannot be canonicalised, is larger
// than allowed, or does not comply with the event format of its room version: such an event is dropped (server-server
// API, "Checks performed on receipt of a PDU", 1). It does not check signatures and hashes: Receive does.
func NewEvent(raw []byte, f pseudoid.Format) (*Event, error) {
	event, err := readEvent(raw, f)
	if err != nil {
		return nil, fmt.Errorf("reading an event of room version %s: %w", f.RoomVersion, err)
	}
	event.sender = event.Field(f.SenderField()).String()
	if err := checkSender(event); err != nil {
		return nil, fmt.Errorf("reading event %s of room version %s: %w", event.id, f.RoomVersion, err)
	}
	return event, nil
}

// NewStoredEvent parses an event that was accepted and stored, with its sender, which a redacted event may no longer
// name.
func NewStoredEvent(raw []byte, f pseudoid.Format, sender string) (*Event, error) {
	event, err := readEvent(raw, f)
	if err != nil {
		return nil, fmt.Errorf("reading a stored event of room version %s: %w", f.RoomVersion, err)
	}
	event.sender = sender
	return event, nil
}

// readEvent parses everything but the sender.
func readEvent(raw []byte, f pseudoid.Format) (*Event, error) {
	canonical, err := pseudoid.CanonicalJSON(raw)
	if err != nil {
		return nil, err
	}
	if len(canonical) > maxEventBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are allowed", len(canonical), maxEventBytes)
	}
	object := gjson.ParseBytes(canonical)
	if !object.IsObject() {
		return nil, errors.New("it is not a JSON object")
	}
	fields := object.Map()
	if err := checkFields(fields); err != nil {
		return nil, err
	}
	event := &Event{
		raw: canonical, format: f,
		eventType: fields["type"].String(), roomID: fields["room_id"].String(), content: fields["content"].Map(),
	}
	if key, ok := fields["state_key"]; ok {
		event.stateKey = new(key.String())
	}
	if event.prevEvents, err = eventIDs(fields, "prev_events", maxPrevEvents); err != nil {
		return nil, err
	}
	if event.authEvents, err = eventIDs(fields, "auth_events", maxAuthEvents); err != nil {
		return nil, err
	}
	if event.id, err = pseudoid.EventID(canonical, f); err != nil {
		return nil, err
	}
	return event, nil
}

// checkFields checks presence, type and size of the fields that every version has (room version 4, "Event format").
func checkFields(fields map[string]gjson.Result) error {
	for _, name := range []string{"type", "room_id"} {
		if fields[name].Type != gjson.String {
			return fmt.Errorf("its %s is missing or not a string", name)
		}
	}
	for _, name := range []string{"content", "hashes", "signatures"} {
		if !fields[name].IsObject() {
			return fmt.Errorf("its %s is missing or not an object", name)
		}
	}
	for _, name := range []string{"depth", "origin_server_ts"} {
		if fields[name].Type != gjson.Number { // canonical JSON has only integers
			return fmt.Errorf("its %s is missing or not an integer", name)
		}
	}
	for _, name := range []string{"state_key", "redacts"} {
		if field, ok := fields[name]; ok && field.Type != gjson.String {
			return fmt.Errorf("its %s is not a string", name)
		}
	}
	for _, name := range []string{"type", "room_id", "state_key", "sender", "sender_key", "event_id"} {
		if length := len(fields[name].String()); length > maxFieldBytes {
			return fmt.Errorf("its %s has %d bytes, at most %d are allowed", name, length, maxFieldBytes)
		}
	}
	if roomID := fields["room_id"].String(); roomID == "" || roomID[0] != '!' {
		return errors.New("its room_id does not begin with '!'")
	}
	return nil
}

// eventIDs parses a list of at most limit event IDs.
func eventIDs(fields map[string]gjson.Result, name string, limit int) ([]string, error) {
	if !fields[name].IsArray() {
		return nil, fmt.Errorf("its %s is missing or not an array", name)
	}
	var ids []string
	for _, id := range fields[name].Array() {
		if id.Type != gjson.String {
			return nil, fmt.Errorf("its %s has an element that is not a string", name)
		}
		ids = append(ids, id.String())
	}
	if len(ids) > limit {
		return nil, fmt.Errorf("its %s has %d elements, at most %d are allowed", name, len(ids), limit)
	}
	return ids, nil
}

// ID returns the event ID.
func (e *Event) ID() string { return e.id }

// JSON returns the event in canonical JSON. It must not be changed.
func (e *Event) JSON() []byte { return e.raw }

// MarshalJSON returns the event in canonical JSON.
func (e *Event) MarshalJSON() ([]byte, error) { return e.raw, nil }

// Format returns the format that the event was parsed with.
func (e *Event) Format() pseudoid.Format { return e.format }

// Type returns the event type.
func (e *Event) Type() string { return e.eventType }

// RoomID returns the room ID.
func (e *Event) RoomID() string { return e.roomID }

// Sender returns the sender: a sender key in pseudonymous rooms, a user ID in others.
func (e *Event) Sender() string { return e.sender }

// StateKey returns the state key; ok is false for events that are not state.
func (e *Event) StateKey() (key string, ok bool) {
	if e.stateKey == nil {
		return "", false
	}
	return *e.stateKey, true
}

// State returns which piece of state the event is; ok is false for events that are not state.
func (e *Event) State() (key StateKey, ok bool) {
	stateKey, ok := e.StateKey()
	return StateKey{e.eventType, stateKey}, ok
}

// IsState reports whether the event is the state of that type and state key.
func (e *Event) IsState(eventType, stateKey string) bool {
	key, ok := e.State()
	return ok && key == StateKey{eventType, stateKey}
}

// Content returns a field of the content by its exact name. If the field is absent, its Exists is false.
func (e *Event) Content(name string) gjson.Result { return e.content[name] }

// Field returns a field of the event, by its exact name.
func (e *Event) Field(name string) gjson.Result { return gjson.GetBytes(e.raw, gjson.Escape(name)) }

// Membership returns content.membership of a member event, or "".
func (e *Event) Membership() string { return text(e.content["membership"]) }

// PrevEvents returns the IDs of the event's prev events. They must not be changed.
func (e *Event) PrevEvents() []string { return e.prevEvents }

// AuthEvents returns the IDs of the event's auth events. They must not be changed.
func (e *Event) AuthEvents() []string { return e.authEvents }

// Depth returns the depth that the event claims.
func (e *Event) Depth() int64 { return e.Field("depth").Int() }

// OriginServerTS returns when the event claims to have been sent, in milliseconds since 1970.
func (e *Event) OriginServerTS() int64 { return e.Field("origin_server_ts").Int() }

// Redacts returns the ID of the event that a redaction redacts, or "": from the content from version 11 on (MSC2174),
// from the top level before.
func (e *Event) Redacts() string {
	if e.format.RoomVersion == "11" {
		return text(e.content["redacts"])
	}
	return e.Field("redacts").String()
}

// Redacted returns the redacted form of the event. It has the same event ID, and the same sender even if the redacted
// JSON does not name it (pseudoid.Format.RedactionKeepsSenderKey).
func (e *Event) Redacted() (*Event, error) {
	raw, err := pseudoid.Redact(e.raw, e.format)
	if err != nil {
		return nil, fmt.Errorf("redacting event %s: %w", e.id, err)
	}
	redacted, err := readEvent(raw, e.format)
	if err != nil {
		return nil, fmt.Errorf("reading the redacted form of event %s: %w", e.id, err)
	}
	redacted.sender = e.sender
	return redacted, nil
}

// text returns a string value, or "" if the value is not a string.
func text(value gjson.Result) string {
	if value.Type != gjson.String {
		return ""
	}
	return value.String()
}
