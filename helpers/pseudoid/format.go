// This file defines the event formats of room versions.

package pseudoid

import (
	"encoding/json"
)

// RoomVersion is the deployed room version with pseudonymous identities.
const RoomVersion = "org.matrix.msc4014"

// Format is the event format of a room version: field names, redaction and signatures.
type Format struct {
	RoomVersion  string
	Dialect      Dialect // "" for ordinary versions
	Pseudonymous bool    // false for ordinary versions, in which senders are user IDs and server keys sign events

	// RedactionKeepsSenderKey selects one of two readings of the proposal ("the redaction algorithm will remain the same"): true
	// means that sender_key is kept where version 10 keeps sender; false, the literal reading, that it is not, and that a redacted
	// event has no sender. It only matters for DialectMSC4014.
	RedactionKeepsSenderKey bool
}

// The formats that the suite knows. Pseudonymous ones use the redaction rules of version 10, on which the deployed version is based;
// the proposal does not specify a base version.
var (
	FormatDendrite      = Format{RoomVersion: RoomVersion, Dialect: DialectDendrite, Pseudonymous: true}
	FormatMSC4014       = Format{RoomVersion: RoomVersion, Dialect: DialectMSC4014, Pseudonymous: true, RedactionKeepsSenderKey: true}
	FormatMSC4014Letter = Format{RoomVersion: RoomVersion, Dialect: DialectMSC4014, Pseudonymous: true}
	FormatV10           = Format{RoomVersion: "10"}
	FormatV11           = Format{RoomVersion: "11"}
)

// SenderField returns the name of the field that holds an event's sender.
func (f Format) SenderField() string {
	if f.Pseudonymous {
		return f.Dialect.SenderField()
	}
	return "sender"
}

// Sender returns the sender of the event: a sender key, or a user ID in an ordinary room. It is "" if the field is absent or not a
// string, or if the event is not JSON. It is lenient: events that CanonicalJSON refuses may have a sender, too.
func (f Format) Sender(event []byte) string {
	var sender string
	if json.Unmarshal(topLevel(event)[f.SenderField()], &sender) != nil {
		return ""
	}
	return sender
}

// topLevel returns the raw members of a JSON object, or nil. Of duplicate keys the last one counts.
func topLevel(object []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members
}
