// This file says how the events of a room version are spelled, redacted and signed.

package pseudoid

import (
	"encoding/json"
)

// RoomVersion is the identifier under which rooms with pseudonymous identities are deployed.
const RoomVersion = "org.matrix.msc4014"

// Format says how the events of one room version are spelled, redacted and signed.
type Format struct {
	RoomVersion  string
	Dialect      Dialect // "" for ordinary versions
	Pseudonymous bool    // false: an ordinary room, whose senders are user IDs and whose events server keys sign

	// RedactionKeepsSenderKey is one of two readings of the proposal ("the redaction algorithm will remain the same"):
	// true, that sender_key is kept where version 10 keeps sender; false, to the letter, that it is not, and that a
	// redacted event names no sender. It matters for DialectMSC4014 alone.
	RedactionKeepsSenderKey bool
}

// The formats that the suite knows. Pseudonymous ones are redacted by the rules of version 10, which the deployed
// version is built on; the proposal names no base version.
var (
	FormatDendrite      = Format{RoomVersion: RoomVersion, Dialect: DialectDendrite, Pseudonymous: true}
	FormatMSC4014       = Format{RoomVersion: RoomVersion, Dialect: DialectMSC4014, Pseudonymous: true, RedactionKeepsSenderKey: true}
	FormatMSC4014Letter = Format{RoomVersion: RoomVersion, Dialect: DialectMSC4014, Pseudonymous: true}
	FormatV10           = Format{RoomVersion: "10"}
	FormatV11           = Format{RoomVersion: "11"}
)

// SenderField returns the name of the field that names an event's sender.
func (f Format) SenderField() string {
	if f.Pseudonymous {
		return f.Dialect.SenderField()
	}
	return "sender"
}

// Sender returns who sent the event: a sender key, or a user ID in an ordinary room. It is "" if the field is absent
// or no string, or if the event cannot be read. It reads, and does not judge: events that CanonicalJSON refuses have a
// sender too.
func (f Format) Sender(event []byte) string {
	var sender string
	if json.Unmarshal(topLevel(event)[f.SenderField()], &sender) != nil {
		return ""
	}
	return sender
}

// topLevel returns the members of a JSON object as they stand, the last one where keys repeat, or nil.
func topLevel(object []byte) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return members
}
