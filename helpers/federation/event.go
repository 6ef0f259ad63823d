package federation

// Events as raw JSON, so that their bytes do not change, together with their format.

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// Event is an event of a room in the federation format. It is immutable; the zero value means no event.
type Event struct {
	json   []byte
	format pseudoid.Format
	id     string
}

// NewEvent returns an event of the format. If its event ID cannot be computed because it is not canonical JSON, the ID is a hash of
// the bytes, so that the event can still be named and sent.
func NewEvent(raw []byte, format pseudoid.Format) Event {
	id, err := pseudoid.EventID(raw, format)
	if err != nil {
		sum := sha256.Sum256(raw)
		id = "$" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return Event{json: raw, format: format, id: id}
}

// IsZero reports whether this is the zero Event.
func (e Event) IsZero() bool { return len(e.json) == 0 }

// ID returns the event ID.
func (e Event) ID() string { return e.id }

// JSON returns the event in the federation format. The caller must not change it.
func (e Event) JSON() []byte { return e.json }

// MarshalJSON returns the event unchanged.
func (e Event) MarshalJSON() ([]byte, error) { return e.json, nil }

// Format returns the format of the event.
func (e Event) Format() pseudoid.Format { return e.format }

// Get returns the field at a gjson path.
func (e Event) Get(path string) gjson.Result {
	if !gjson.ValidBytes(e.json) {
		return gjson.Result{}
	}
	return gjson.GetBytes(e.json, path)
}

// Type returns the event type.
func (e Event) Type() string { return e.Get("type").String() }

// RoomID returns the room ID.
func (e Event) RoomID() string { return e.Get("room_id").String() }

// Sender returns the sender: a sender key in pseudonymous rooms, a user ID in others.
func (e Event) Sender() string { return e.Get(e.format.SenderField()).String() }

// StateKey returns the state key; ok is false for message events.
func (e Event) StateKey() (key string, ok bool) {
	value := e.Get("state_key")
	return value.String(), value.Exists()
}

// IsState reports whether the event is a state event of that type and state key.
func (e Event) IsState(eventType, stateKey string) bool {
	key, ok := e.StateKey()
	return ok && key == stateKey && e.Type() == eventType
}

// Membership returns content.membership, or "".
func (e Event) Membership() string { return e.Get("content.membership").String() }

// MappedUserID returns the user ID in content.mxid_mapping, or "".
func (e Event) MappedUserID() string {
	return e.Get("content." + pseudoid.MappingField + ".user_id").String()
}

// PrevEvents returns the event IDs in prev_events.
func (e Event) PrevEvents() []string { return stringsOf(e.Get("prev_events")) }

// AuthEvents returns the event IDs in auth_events.
func (e Event) AuthEvents() []string { return stringsOf(e.Get("auth_events")) }

// Depth returns the depth.
func (e Event) Depth() int64 { return e.Get("depth").Int() }

// String describes the event in one line.
func (e Event) String() string {
	if e.IsZero() {
		return "no event"
	}
	what := e.Type()
	if membership := e.Membership(); membership != "" {
		what += " (" + membership + ")"
	}
	return fmt.Sprintf("%s %s by %s", shorten(what), e.id, shorten(e.Sender()))
}

func stringsOf(list gjson.Result) []string {
	var texts []string
	for _, item := range list.Array() {
		if item.Type == gjson.String {
			texts = append(texts, item.Str)
		}
	}
	return texts
}

// eventsOf parses an array of events.
func eventsOf(list gjson.Result, format pseudoid.Format) []Event {
	var read []Event
	for _, item := range list.Array() {
		read = append(read, NewEvent([]byte(item.Raw), format))
	}
	return read
}

// formatOf returns the format of an event of a room version ("" if it is unknown): that of the room if the peer is in it. Else it is
// the peer's own for its room version, whatever the event looks like: what a template holds is open, and no sign of the format. An
// event of an unknown version with a user ID as its sender is an ordinary one.
func (p *Peer) formatOf(raw []byte, roomVersion string) pseudoid.Format {
	parsed := gjson.ParseBytes(raw)
	if room := p.Room(parsed.Get("room_id").String()); room != nil {
		return room.format
	}
	switch own := p.Format(); {
	case roomVersion == own.RoomVersion:
		return own
	case roomVersion == pseudoid.FormatV11.RoomVersion:
		return pseudoid.FormatV11
	case roomVersion == "" && !strings.HasPrefix(parsed.Get("sender").String(), "@"):
		return own
	}
	return pseudoid.FormatV10
}
