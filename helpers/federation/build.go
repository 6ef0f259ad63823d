package federation

// Building events: the fields that a check gives, and the place in the room that the model gives (prev_events,
// auth_events, depth).

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// Proto is an event to be built. What is left empty is chosen.
type Proto struct {
	Type     string
	StateKey *string // nil: not a state event
	Content  any     // anything that encoding/json can write; []byte and json.RawMessage stand as they are
	Sender   *User
	Redacts  string // the event ID that a redaction is about
	// OriginServerTS is in milliseconds; 0 means now.
	OriginServerTS int64
}

// TextMessage is a text message of a user.
func TextMessage(sender *User, body string) Proto {
	return Proto{Type: "m.room.message", Sender: sender, Content: map[string]string{"msgtype": "m.text", "body": body}}
}

// StateKey returns a pointer to a state key, for Proto.
func StateKey(key string) *string { return &key }

// Build makes an event at the room's end, hashed and signed, without applying or sending it.
func (r *Room) Build(proto Proto) (Event, error) {
	template, err := r.Template(proto)
	if err != nil {
		return Event{}, err
	}
	return template.Build()
}

// Template makes a template from which the event, and lies that differ from it in one field, are built.
func (r *Room) Template(proto Proto) (Template, error) {
	if proto.Sender == nil {
		return Template{}, fmt.Errorf("an event of type %s needs a sender", proto.Type)
	}
	content, err := contentOf(proto.Content)
	if err != nil {
		return Template{}, fmt.Errorf("the content of the %s event is no JSON object: %w", proto.Type, err)
	}
	if proto.Redacts != "" && r.format.RoomVersion == pseudoid.FormatV11.RoomVersion {
		// Room version 11 moved the field into the content.
		if content, err = sjson.SetBytes(bytes.Clone(content), "redacts", proto.Redacts); err != nil {
			return Template{}, err
		}
		proto.Redacts = ""
	}
	template := Template{
		peer: r.peer, roomID: r.id, format: r.format, place: r.place,
		eventType: proto.Type, stateKey: proto.StateKey, content: content, redacts: proto.Redacts, timestamp: proto.OriginServerTS,
	}
	return template.as(proto.Sender), nil
}

func contentOf(content any) ([]byte, error) {
	var raw []byte
	switch given := content.(type) {
	case nil:
		raw = []byte("{}")
	case []byte:
		raw = given
	case json.RawMessage:
		raw = given
	default:
		written, err := marshal(content)
		if err != nil {
			return nil, err
		}
		raw = written
	}
	if !gjson.ValidBytes(raw) || !gjson.ParseBytes(raw).IsObject() {
		return nil, errors.New(string(raw))
	}
	return raw, nil
}

// placement says where in the room an event stands.
type placement struct {
	prev, auth []string
	depth      int64
}

// maximumPrevEvents is how many prev_events an event may have (event format, "prev_events").
const maximumPrevEvents = 20

// place puts an event at the room's end, with the auth events that the room's current state has for it.
func (r *Room) place(eventType, sender string, stateKey *string, content []byte) placement {
	r.mu.Lock()
	defer r.mu.Unlock()
	where := placement{prev: slices.Clone(r.extremities), depth: r.depth() + 1}
	if len(where.prev) > maximumPrevEvents {
		where.prev = where.prev[len(where.prev)-maximumPrevEvents:]
	}
	for _, tuple := range authTuples(eventType, sender, stateKey, content) {
		if id, ok := r.current[tuple]; ok && !slices.Contains(where.auth, id) {
			where.auth = append(where.auth, id)
		}
	}
	return where
}

// authTuples returns which state authorises an event (server-server API, auth events selection), by key.
func authTuples(eventType, sender string, stateKey *string, content []byte) []StateTuple {
	if eventType == "m.room.create" {
		return nil
	}
	tuples := []StateTuple{{"m.room.create", ""}, {"m.room.power_levels", ""}, {"m.room.member", sender}}
	if eventType != "m.room.member" || stateKey == nil {
		return tuples
	}
	tuples = append(tuples, StateTuple{"m.room.member", *stateKey})
	parsed := gjson.ParseBytes(content)
	switch membership := parsed.Get("membership").String(); membership {
	case "join", "invite", "knock":
		tuples = append(tuples, StateTuple{"m.room.join_rules", ""})
		if token := parsed.Get("third_party_invite.signed.token"); membership == "invite" && token.Exists() {
			tuples = append(tuples, StateTuple{"m.room.third_party_invite", token.String()})
		}
		if authoriser := parsed.Get("join_authorised_via_users_server"); membership == "join" && authoriser.Exists() {
			tuples = append(tuples, StateTuple{"m.room.member", authoriser.String()})
		}
	}
	return tuples
}
