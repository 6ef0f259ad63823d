package pdu

// This file redacts events: it strips what the redaction algorithm of the room version does not keep.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// kept is what redaction keeps: fields of the event and, by its type, fields of its content. "a.b" is the field b of the
// object a, "*" are all fields.
type kept struct {
	fields  []string
	content map[string][]string
}

// keptInV10 is the list of room version 9, which version 10 keeps ("Redactions").
var keptInV10 = kept{
	fields: []string{
		"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events",
		"prev_state", "auth_events", "origin", "origin_server_ts", "membership",
	},
	content: map[string][]string{
		"m.room.member":     {"membership", "join_authorised_via_users_server"},
		"m.room.create":     {"creator"},
		"m.room.join_rules": {"join_rule", "allow"},
		"m.room.power_levels": {
			"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default",
		},
		"m.room.history_visibility": {"history_visibility"},
	},
}

// keptInV11 is the list of room version 11 ("Redactions").
var keptInV11 = kept{
	fields: []string{
		"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events",
		"auth_events", "origin_server_ts",
	},
	content: map[string][]string{
		"m.room.member":     {"membership", "join_authorised_via_users_server", "third_party_invite.signed"},
		"m.room.create":     {"*"},
		"m.room.join_rules": {"join_rule", "allow"},
		"m.room.power_levels": {
			"ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
		},
		"m.room.history_visibility": {"history_visibility"},
		"m.room.redaction":          {"redacts"},
	},
}

// redact returns what redaction keeps of an event. It is an error if the event has no type or no content, or if the format's
// room version is not known.
func (o object) redact(f Format) (object, error) {
	list, err := f.kept()
	if err != nil {
		return nil, err
	}
	eventType, ok := o.lookupText("type")
	content := o.child("content")
	if !ok || content == nil {
		return nil, errors.New("it has no type or no content")
	}
	return o.only(list.fields...).with("content", content.only(list.content[eventType]...).canonical()), nil
}

// kept returns what redaction keeps in a format.
func (f Format) kept() (kept, error) {
	list := keptInV10
	switch {
	case f.BasedOn11():
		list = keptInV11
	case !f.Pseudonymous && f.RoomVersion != FormatV10.RoomVersion:
		return kept{}, fmt.Errorf("what room version %.60q keeps is not known", f.RoomVersion)
	}
	if f.Dialect == DialectMSC4014 && f.RedactionKeepsSenderKey {
		fields := slices.Clone(list.fields)
		fields[slices.Index(fields, "sender")] = f.SenderField()
		list.fields = fields
	}
	return list, nil
}

// only returns the fields that are named as in kept.
func (o object) only(names ...string) object {
	chosen := object{}
	for _, name := range names {
		outer, inner, nested := strings.Cut(name, ".")
		value, ok := o[outer]
		switch {
		case name == "*":
			return o
		case ok && !nested:
			chosen[outer] = value
		case ok && o.child(outer) != nil:
			chosen[outer] = o.child(outer).only(inner).canonical()
		}
	}
	return chosen
}
