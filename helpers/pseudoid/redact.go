// This file redacts events: it removes what the room version's redaction algorithm does not keep (Matrix
// specification, rooms, versions 10 and 11, "Redactions"). Hashes and signatures are computed over the result.

package pseudoid

import (
	"cmp"
	"errors"
	"fmt"
)

// ErrNotRedactable says that an event cannot be redacted: it has no type, or its content is not an object.
var ErrNotRedactable = errors.New("event cannot be redacted")

// redactionRules are the fields of an event that redaction keeps.
type redactionRules struct {
	topLevel []string
	content  map[string][]string // by event type
	version  string
}

// rulesV10 are those of room versions 9 and 10.
var rulesV10 = redactionRules{
	version: "10",
	topLevel: []string{
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

// rulesV11 are those of room version 11 (MSC2174, MSC2176, MSC3821), without the exceptions in redactContent.
var rulesV11 = redactionRules{
	version: "11",
	topLevel: []string{
		"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events",
		"auth_events", "origin_server_ts",
	},
	content: map[string][]string{
		"m.room.member":     {"membership", "join_authorised_via_users_server"},
		"m.room.join_rules": {"join_rule", "allow"},
		"m.room.power_levels": {
			"ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users", "users_default",
		},
		"m.room.history_visibility": {"history_visibility"},
		"m.room.redaction":          {"redacts"},
	},
}

// rules returns the redaction rules of a format.
func (f Format) rules() (redactionRules, error) {
	switch base := cmp.Or(f.Base, f.RoomVersion); base {
	case "9", "10":
		return rulesV10, nil
	case "11":
		return rulesV11, nil
	default:
		return redactionRules{}, fmt.Errorf("redaction of room version %q is not known; known are 9, 10, 11 and what is based on them", base)
	}
}

// Redact returns the event, in canonical JSON, redacted by the format's algorithm. The event must be a JSON object that CanonicalJSON
// accepts, with a type and an object as its content (else ErrNotRedactable).
func Redact(event []byte, f Format) ([]byte, error) {
	v, err := parseObject(event, "an event")
	if err != nil {
		return nil, err
	}
	redacted, err := redact(v, f)
	if err != nil {
		return nil, err
	}
	return redacted.canonical(), nil
}

func redact(event value, f Format) (value, error) {
	rules, err := f.rules()
	if err != nil {
		return value{}, fmt.Errorf("redacting an event: %w", err)
	}
	eventType, ok := event.get("type")
	if !ok || eventType.kind != kindString {
		return value{}, fmt.Errorf("%w: its type is missing or not a string", ErrNotRedactable)
	}
	content, ok := event.get("content")
	if !ok || content.kind != kindObject {
		return value{}, fmt.Errorf("%w: its type is %s, its content is missing or not an object", ErrNotRedactable, quote(eventType.text))
	}
	keep := rules.topLevel
	if f.Pseudonymous && f.Dialect == DialectMSC4014 && f.RedactionKeepsSenderKey {
		keep = senderKeyInPlaceOfSender(keep)
	}
	return event.only(keep...).with("content", redactContent(eventType.text, content, rules)), nil
}

// senderKeyInPlaceOfSender returns the list with sender replaced by sender_key.
func senderKeyInPlaceOfSender(keep []string) []string {
	replaced := make([]string, len(keep))
	for i, key := range keep {
		if key == "sender" {
			key = "sender_key"
		}
		replaced[i] = key
	}
	return replaced
}

func redactContent(eventType string, content value, rules redactionRules) value {
	if rules.version == "11" && eventType == "m.room.create" { // MSC2176: all of it is kept
		return content
	}
	redacted := content.only(rules.content[eventType]...)
	if rules.version == "11" && eventType == "m.room.member" { // MSC3821: the signed part of the invite is kept
		if invite, ok := content.get("third_party_invite"); ok && invite.kind == kindObject {
			redacted = redacted.with("third_party_invite", invite.only("signed"))
		}
	}
	return redacted
}
