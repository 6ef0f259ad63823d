package pdu

// This file parses events, and answers what they say.

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
)

// Limits on events (client-server API, "Size limits"; room version 4, "Event format").
const (
	maxEventBytes = 65536
	maxFieldBytes = 255
	maxPrevEvents = 20
	maxAuthEvents = 10
)

// Event is an event of a room. It is immutable, and has the fields of its stripped form.
type Event struct {
	Stripped
	object     object
	raw        []byte // canonical JSON
	format     Format
	id         string
	prevEvents []string
	authEvents []string
}

// Parse parses an event of a room of format f. It returns an error if the event cannot be canonicalised, is larger than
// allowed, or does not comply with the event format of its room version: such an event is dropped (server-server API,
// "Checks performed on receipt of a PDU", 1). `unsigned` is removed, because nobody signed it. Sender, signatures and
// content hash are not checked.
func Parse(raw []byte, f Format) (*Event, error) {
	o, err := read(raw, "an event of room version "+f.RoomVersion)
	if err != nil {
		return nil, err
	}
	event, err := eventOf(o.without("unsigned"), f)
	if err != nil {
		return nil, fmt.Errorf("reading an event of room version %s: %w", f.RoomVersion, err)
	}
	redacted, err := event.object.redact(f)
	if err != nil {
		return nil, fmt.Errorf("reading an event of room version %s: %w", f.RoomVersion, err)
	}
	event.id = redacted.eventID()
	return event, nil
}

// eventOf returns an event with these fields, without its ID.
func eventOf(o object, f Format) (*Event, error) {
	canonical := o.canonical()
	if len(canonical) > maxEventBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are allowed", len(canonical), maxEventBytes)
	}
	fields := gjson.ParseBytes(canonical).Map()
	if err := checkFields(fields); err != nil {
		return nil, err
	}
	event := &Event{Stripped: strippedOf(fields, f), object: o, raw: canonical, format: f}
	var err error
	if event.prevEvents, err = listedEvents(fields, "prev_events", maxPrevEvents); err != nil {
		return nil, err
	}
	event.authEvents, err = listedEvents(fields, "auth_events", maxAuthEvents)
	return event, err
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

// listedEvents parses a list of at most limit event IDs.
func listedEvents(fields map[string]gjson.Result, name string, limit int) ([]string, error) {
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
func (e *Event) Format() Format { return e.format }

// RoomID returns the room ID.
func (e *Event) RoomID() string { return e.Field("room_id").String() }

// PrevEvents returns the IDs of the event's prev events. They must not be changed.
func (e *Event) PrevEvents() []string { return e.prevEvents }

// AuthEvents returns the IDs of the event's auth events. They must not be changed.
func (e *Event) AuthEvents() []string { return e.authEvents }

// Depth returns the depth that the event claims.
func (e *Event) Depth() int64 { return e.Field("depth").Int() }

// Redacts returns the ID of the event that a redaction redacts, or "": from the content from version 11 on (MSC2174),
// from the top level before.
func (e *Event) Redacts() string {
	if e.format.BasedOn11() {
		return e.content["redacts"].Str
	}
	return e.Field("redacts").String()
}

// Strip returns the stripped form of a state event, with the time at which it was sent.
func (e *Event) Strip() json.RawMessage {
	kept := map[string]json.RawMessage{}
	for _, name := range []string{"type", "state_key", "content", e.format.SenderField(), "origin_server_ts"} {
		if field := e.Field(name); field.Exists() {
			kept[name] = json.RawMessage(field.Raw)
		}
	}
	stripped, err := json.Marshal(kept)
	if err != nil {
		panic("pdu: a part of canonical JSON cannot be written: " + err.Error())
	}
	return stripped
}

// Redacted returns the redacted form of the event. It has the same event ID, and the same sender even if the redacted
// JSON does not name it (Format.RedactionKeepsSenderKey).
func (e *Event) Redacted() (*Event, error) { return e.redacted(nil) }

// RedactedExcept returns the redacted form of the event with its sender and some fields of its content put back. Its
// signatures and its event ID stay valid: they do not cover what redaction removes.
func (e *Event) RedactedExcept(content ...string) (*Event, error) {
	return e.redacted(func(redacted object) object {
		kept, whole := redacted.child("content"), e.object.child("content")
		for _, name := range content {
			if value, there := whole[name]; there {
				kept = kept.with(name, value)
			}
		}
		return redacted.with("content", kept.canonical()).with(e.format.SenderField(), quoted(e.sender))
	})
}

// redacted returns the redacted form of the event, with changes unless change is nil.
func (e *Event) redacted(change func(redacted object) object) (*Event, error) {
	o, err := e.object.redact(e.format)
	if err != nil {
		return nil, fmt.Errorf("redacting event %s: %w", e.id, err)
	}
	if change != nil {
		o = change(o)
	}
	form, err := eventOf(o, e.format)
	if err != nil {
		return nil, fmt.Errorf("reading the redacted form of event %s: %w", e.id, err)
	}
	form.id, form.sender = e.id, e.sender
	return form, nil
}

// CheckContentHash returns an error unless hashes.sha256 of the event is its content hash in unpadded base64. It is
// ErrContentHash if it is another hash, and some other error if there is none, or no base64.
func (e *Event) CheckContentHash() error { return e.object.checkContentHash() }

// VerifySignature returns an error unless a signature of the event, in JSON as it stands somewhere in `signatures`, is by
// that key.
func (e *Event) VerifySignature(signature json.RawMessage, key ed25519.PublicKey) error {
	redacted, err := e.object.redact(e.format)
	if err != nil {
		return fmt.Errorf("verifying event %s: %w", e.id, err)
	}
	return redacted.verifySignature(signature, key)
}
