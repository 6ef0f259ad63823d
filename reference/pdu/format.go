package pdu

// This file defines how the events of a room version are spelled and redacted.

import "encoding/json"

// Dialect is a choice of names for the fields that hold a sender key.
type Dialect string

const (
	DialectMSC4014  Dialect = "msc4014"  // the text's
	DialectDendrite Dialect = "dendrite" // that of deployed servers
)

// SenderField returns the name of the event's field with the key of its sender (MSC4014, Proposal 1).
func (d Dialect) SenderField() string { return d.name("sender_key", "sender") }

// MappingKeyField returns the name of the mapping's field with the key (MSC4014, Proposal 4).
func (d Dialect) MappingKeyField() string { return d.name("sender_key", "user_room_key") }

func (d Dialect) name(proposed, deployed string) string {
	if d == DialectMSC4014 {
		return proposed
	}
	return deployed
}

// RoomVersion is the identifier of the pseudonymous room version. The text has none; this is what deployed servers use.
const RoomVersion = "org.matrix.msc4014"

// Format is how the events of a room are spelled and redacted.
type Format struct {
	RoomVersion  string
	Dialect      Dialect // "" if not pseudonymous
	Pseudonymous bool    // senders are keys, which sign the events; else they are user IDs, whose servers sign

	// RedactionKeepsSenderKey is a reading of "the redaction algorithm will remain the same" (MSC4014, Addressing 3), which
	// names sender, and no sender_key: redaction keeps sender_key in place of sender.
	RedactionKeepsSenderKey bool

	// Base is the version whose redaction, create event and redaction events a pseudonymous version has.
	Base string
}

// BasedOn11 reports whether the version is 11, or has its redaction, create event and redaction events.
func (f Format) BasedOn11() bool { return f.RoomVersion == "11" || f.Pseudonymous && f.Base == "11" }

// The formats. Pseudonymous ones are based on version 10, unless Base says otherwise; the text names no base version.
var (
	FormatV10           = Format{RoomVersion: "10"}
	FormatV11           = Format{RoomVersion: "11"}
	FormatMSC4014       = Format{RoomVersion, DialectMSC4014, true, true, "10"}
	FormatMSC4014Letter = Format{RoomVersion, DialectMSC4014, true, false, "10"} // a redacted event has no sender
	FormatDendrite      = Format{RoomVersion, DialectDendrite, true, false, "10"}
)

// SenderField returns the name of the field with the sender of an event.
func (f Format) SenderField() string {
	if !f.Pseudonymous {
		return "sender"
	}
	return f.Dialect.SenderField()
}

// Sender returns the sender of an event: a user ID, or a sender key if pseudonymous. It validates nothing, and returns ""
// if it finds no string. Of fields with the same name it reads the last.
func (f Format) Sender(event []byte) string {
	var fields object
	if err := json.Unmarshal(event, &fields); err != nil {
		return ""
	}
	sender, _ := fields.lookupText(f.SenderField())
	return sender
}
