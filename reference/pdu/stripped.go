package pdu

// This file reads what stripped events have in common with whole ones.

import (
	"errors"
	"sync"

	"github.com/tidwall/gjson"
)

// StateKey identifies a piece of room state: its event type and state key.
type StateKey struct{ Type, Key string }

// memberType is the type of the events that have a membership, and in pseudonymous rooms a mapping.
const memberType = "m.room.member"

// Stripped is a stripped event (client-server API, "Stripped state"), or that part of a whole one. It is immutable.
type Stripped struct {
	fields    map[string]gjson.Result
	content   map[string]gjson.Result
	eventType string
	sender    string
	stateKey  *string
	mapping   func() (Mapping, error) // parses the mapping when it is first asked for
}

// ParseStripped parses a stripped event of a room of format f. It is lenient, since nothing in it is signed: fields that
// are missing or of the wrong type read as empty. It returns an error if raw is not a JSON object.
func ParseStripped(raw []byte, f Format) (*Stripped, error) {
	if !gjson.ValidBytes(raw) || !gjson.ParseBytes(raw).IsObject() {
		return nil, errors.New("reading a stripped event: it is not a JSON object")
	}
	stripped := strippedOf(gjson.ParseBytes(raw).Map(), f)
	return &stripped, nil
}

// strippedOf returns the stripped part of the fields of an event.
func strippedOf(fields map[string]gjson.Result, f Format) Stripped {
	s := Stripped{fields: fields, eventType: fields["type"].Str, sender: fields[f.SenderField()].Str}
	if content := fields["content"]; content.IsObject() {
		s.content = content.Map()
	}
	if key := fields["state_key"]; key.Type == gjson.String {
		s.stateKey = new(key.String())
	}
	raw := []byte(s.content[MappingField].Raw)
	s.mapping = sync.OnceValues(func() (Mapping, error) { return ParseMapping(raw) })
	return s
}

// Type returns the event type.
func (s *Stripped) Type() string { return s.eventType }

// Sender returns the sender: a sender key in pseudonymous rooms, a user ID in others.
func (s *Stripped) Sender() string { return s.sender }

// StateKey returns the state key; ok is false for events that are not state.
func (s *Stripped) StateKey() (key string, ok bool) {
	if s.stateKey == nil {
		return "", false
	}
	return *s.stateKey, true
}

// State returns which piece of state the event is; ok is false for events that are not state.
func (s *Stripped) State() (key StateKey, ok bool) {
	stateKey, ok := s.StateKey()
	return StateKey{s.eventType, stateKey}, ok
}

// IsState reports whether the event is the state of that type and state key.
func (s *Stripped) IsState(eventType, stateKey string) bool {
	key, ok := s.State()
	return ok && key == StateKey{eventType, stateKey}
}

// Member returns whose membership the event is: the state key of a member event. isMember is false for other events.
func (s *Stripped) Member() (member string, isMember bool) {
	key, isState := s.State()
	return key.Key, isState && key.Type == memberType
}

// Membership returns content.membership, or "".
func (s *Stripped) Membership() string { return s.content["membership"].Str }

// Content returns a field of the content by its exact name. If the field is absent, its Exists is false.
func (s *Stripped) Content(name string) gjson.Result { return s.content[name] }

// Contents returns the fields of the content by name. The map must not be changed.
func (s *Stripped) Contents() map[string]gjson.Result { return s.content }

// Field returns a field of the event by its exact name. If the field is absent, its Exists is false.
func (s *Stripped) Field(name string) gjson.Result { return s.fields[name] }

// Fields returns the fields of the event by name. The map must not be changed.
func (s *Stripped) Fields() map[string]gjson.Result { return s.fields }

// OriginServerTS returns when the event claims to have been sent, in milliseconds since 1970.
func (s *Stripped) OriginServerTS() int64 { return s.fields["origin_server_ts"].Int() }

// Mapping returns the mapping of a sender key to a user ID in the content, parsed. present is false if there is none.
// With an error it is malformed. Whether it is true is not known: pseudonym.Rules.Judge decides that.
func (s *Stripped) Mapping() (mapping Mapping, present bool, err error) {
	if !s.content[MappingField].Exists() {
		return Mapping{}, false, nil
	}
	mapping, err = s.mapping()
	return mapping, true, err
}
