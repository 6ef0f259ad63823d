package federation

// Building events from the fields that a check sets and the placement that the model computes (prev_events, auth_events,
// depth).

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

// Proto holds the fields of an event to build.
type Proto struct {
	Type     string
	StateKey *string // nil for message events
	Content  any     // a value to marshal, or JSON as []byte or json.RawMessage
	Sender   *User
	Redacts  string // for redactions: the ID of the redacted event
	// OriginServerTS is in milliseconds; 0 means now.
	OriginServerTS int64
}

// TextMessage returns a text message.
func TextMessage(sender *User, body string) Proto {
	return Proto{Type: "m.room.message", Sender: sender, Content: map[string]string{"msgtype": "m.text", "body": body}}
}

// StateKey returns a pointer to a state key, for Proto.
func StateKey(key string) *string { return &key }

// Build returns an event at the end of the room, hashed and signed. It does not apply or send it.
func (r *Room) Build(proto Proto) (Event, error) {
	template, err := r.Template(proto)
	if err != nil {
		return Event{}, err
	}
	return template.Build()
}

// Template returns a template for the event and for forgeries that differ from it in one field.
func (r *Room) Template(proto Proto) (Template, error) {
	if proto.Sender == nil {
		return Template{}, fmt.Errorf("an event of type %s needs a sender", proto.Type)
	}
	content, err := contentOf(proto.Content)
	if err != nil {
		return Template{}, fmt.Errorf("the content of the %s event is not a JSON object: %w", proto.Type, err)
	}
	if proto.Redacts != "" && r.format.Base == pseudoid.FormatV11.Base {
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

// placement is the position of an event in the room.
type placement struct {
	prev, auth []string
	depth      int64
}

// maxPrevEvents is the limit of prev_events (room versions, event format).
const maxPrevEvents = 20

// place returns the placement at the end of the room, with auth events from the current state.
func (r *Room) place(eventType, sender string, stateKey *string, content []byte) placement {
	r.mu.Lock()
	defer r.mu.Unlock()
	where := placement{prev: slices.Clone(r.extremities), depth: r.depth() + 1}
	if len(where.prev) > maxPrevEvents {
		where.prev = where.prev[len(where.prev)-maxPrevEvents:]
	}
	for _, tuple := range authTuples(eventType, sender, stateKey, content) {
		if id, ok := r.current[tuple]; ok && !slices.Contains(where.auth, id) {
			where.auth = append(where.auth, id)
		}
	}
	return where
}

// authTuples returns the types and state keys of the state that authorises an event (server-server API, auth events selection).
func authTuples(eventType, sender string, stateKey *string, content []byte) []stateTuple {
	if eventType == "m.room.create" {
		return nil
	}
	tuples := []stateTuple{{"m.room.create", ""}, {"m.room.power_levels", ""}, {"m.room.member", sender}}
	if eventType != "m.room.member" || stateKey == nil {
		return tuples
	}
	tuples = append(tuples, stateTuple{"m.room.member", *stateKey})
	parsed := gjson.ParseBytes(content)
	switch membership := parsed.Get("membership").String(); membership {
	case "join", "invite", "knock":
		tuples = append(tuples, stateTuple{"m.room.join_rules", ""})
		if token := parsed.Get("third_party_invite.signed.token"); membership == "invite" && token.Exists() {
			tuples = append(tuples, stateTuple{"m.room.third_party_invite", token.String()})
		}
		if authoriser := parsed.Get("join_authorised_via_users_server"); membership == "join" && authoriser.Exists() {
			tuples = append(tuples, stateTuple{"m.room.member", authoriser.String()})
		}
	}
	return tuples
}
