// This file defines the two dialects of events and detects which one an event has.

package pseudoid

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Dialect is a set of field names of events and mappings.
type Dialect string

// The two dialects.
const (
	DialectMSC4014  Dialect = "msc4014"  // as proposed
	DialectDendrite Dialect = "dendrite" // as deployed
)

// SenderField returns the name of the field of an event that holds the sender key.
func (d Dialect) SenderField() string {
	if d == DialectMSC4014 {
		return "sender_key"
	}
	return "sender"
}

// MappingKeyField returns the name of the field of a mapping that holds the sender key.
func (d Dialect) MappingKeyField() string {
	if d == DialectMSC4014 {
		return "sender_key"
	}
	return "user_room_key"
}

// ErrMixedDialects says that an event and its mapping are of different dialects.
var ErrMixedDialects = errors.New("the event is of one dialect and its mapping of another")

// DetectDialect returns the dialect of an event in the federation format, by the field that holds its sender key and, in a member
// event, by the mapping's field for the key. A sender that is not a sender key (a user ID in an ordinary room or in the client
// format) is an error. If event and mapping disagree, it returns the event's dialect and ErrMixedDialects; with any other error the
// dialect is "".
func DetectDialect(event []byte) (Dialect, error) {
	members := topLevel(event)
	if members == nil {
		return "", errors.New("detecting the dialect: the event is not a JSON object")
	}
	dialect, err := detectByField(members, Dialect.SenderField)
	if err != nil {
		return "", fmt.Errorf("detecting the dialect by the event's sender: %w", err)
	}
	var eventType string
	mapping, ok := MappingOf(event)
	if !ok || json.Unmarshal(members["type"], &eventType) != nil || eventType != "m.room.member" {
		return dialect, nil
	}
	ofMapping, err := detectByField(topLevel(mapping), Dialect.MappingKeyField)
	if err != nil || ofMapping == dialect { // a malformed mapping does not change the event's own dialect
		return dialect, nil
	}
	return dialect, fmt.Errorf("detecting the dialect: %w: the event has %q, the mapping %q",
		ErrMixedDialects, dialect.SenderField(), ofMapping.MappingKeyField())
}

// detectByField returns the dialect whose field holds a sender key.
func detectByField(members map[string]json.RawMessage, field func(Dialect) string) (Dialect, error) {
	var found []Dialect
	for _, d := range []Dialect{DialectMSC4014, DialectDendrite} {
		var key string
		if json.Unmarshal(members[field(d)], &key) != nil {
			continue
		}
		if _, err := ParseSenderKey(key); err == nil {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("neither %q nor %q holds a sender key", field(DialectMSC4014), field(DialectDendrite))
	default:
		return "", fmt.Errorf("both %q and %q hold a sender key", field(DialectMSC4014), field(DialectDendrite))
	}
}
