package federation

// Events as they stand on the wire: raw JSON, so that nothing is lost or mended on the way, with the format that says
// how to read them.

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// Event is one event of a room. The zero Event means none. Values are not changed after they are made.
type Event struct {
	json   []byte
	format pseudoid.Format
	id     string
}

// NewEvent reads an event of a room of that format. Where the oracle cannot compute its event ID, because it is no
// canonical JSON, the ID is made up from the bytes, so that the event can still be named and sent.
func NewEvent(raw []byte, format pseudoid.Format) Event {
	id, err := pseudoid.EventID(raw, format)
	if err != nil {
		sum := sha256.Sum256(raw)
		id = "$" + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return Event{json: raw, format: format, id: id}
}

// IsZero tells whether this is no event.
func (e Event) IsZero() bool { return len(e.json) == 0 }

// ID returns the event ID.
func (e Event) ID() string { return e.id }

// JSON returns the event as it stands on the wire. It must not be changed.
func (e Event) JSON() []byte { return e.json }

// MarshalJSON writes the event.
func (e Event) MarshalJSON() ([]byte, error) { return e.json, nil }

// Format returns the format that the event is read by.
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

// Sender returns who sent it: a sender key in pseudonymous rooms, a user ID in others.
func (e Event) Sender() string { return e.Get(e.format.SenderField()).String() }

// StateKey returns the state key; ok is false for events that are not state.
func (e Event) StateKey() (key string, ok bool) {
	value := e.Get("state_key")
	return value.String(), value.Exists()
}

// IsState tells whether the event is the state of that type and state key.
func (e Event) IsState(eventType, stateKey string) bool {
	key, ok := e.StateKey()
	return ok && key == stateKey && e.Type() == eventType
}

// Membership returns content.membership, "" if there is none.
func (e Event) Membership() string { return e.Get("content.membership").String() }

// MappedUserID returns the user ID that content.mxid_mapping claims, "" if there is none.
func (e Event) MappedUserID() string {
	return e.Get("content." + pseudoid.MappingField + ".user_id").String()
}

// PrevEvents returns the event IDs of the events before.
func (e Event) PrevEvents() []string { return stringsOf(e.Get("prev_events")) }

// AuthEvents returns the event IDs of the events that authorise this one.
func (e Event) AuthEvents() []string { return stringsOf(e.Get("auth_events")) }

// Depth returns the depth.
func (e Event) Depth() int64 { return e.Get("depth").Int() }

// String tells what the event is in one line.
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

// eventsOf reads an array of events.
func eventsOf(list gjson.Result, format pseudoid.Format) []Event {
	var read []Event
	for _, item := range list.Array() {
		read = append(read, NewEvent([]byte(item.Raw), format))
	}
	return read
}

// formatOf tells by which format to read an event of a room version, "" if the version is not known: that of the room
// if the peer is in it, else by what the event looks like, else the peer's own.
func (p *Peer) formatOf(raw []byte, roomVersion string) pseudoid.Format {
	parsed := gjson.ParseBytes(raw)
	if room := p.Room(parsed.Get("room_id").String()); room != nil {
		return room.format
	}
	own := p.Format()
	switch roomVersion {
	case pseudoid.FormatV10.RoomVersion:
		return pseudoid.FormatV10
	case pseudoid.FormatV11.RoomVersion:
		return pseudoid.FormatV11
	case "", own.RoomVersion:
	default:
		return pseudoid.FormatV10
	}
	sender := parsed.Get(pseudoid.DialectDendrite.SenderField()).String()
	switch {
	case parsed.Get(pseudoid.DialectMSC4014.SenderField()).Exists():
		return inDialect(own, pseudoid.DialectMSC4014)
	case roomVersion == "" && len(sender) > 0 && sender[0] == '@':
		return pseudoid.FormatV10
	case sender != "":
		return inDialect(own, pseudoid.DialectDendrite)
	}
	return own
}

// inDialect returns the format with another dialect; readings that only that dialect knows are kept.
func inDialect(format pseudoid.Format, dialect pseudoid.Dialect) pseudoid.Format {
	if format.Dialect == dialect {
		return format
	}
	version := format.RoomVersion
	format = pseudoid.FormatDendrite
	if dialect == pseudoid.DialectMSC4014 {
		format = pseudoid.FormatMSC4014
	}
	format.RoomVersion = version
	return format
}
