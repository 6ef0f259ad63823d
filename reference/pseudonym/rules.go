package pseudonym

import (
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// Rules is what a server follows: a wire dialect, its own name, and a reading of whatever the text leaves open.
type Rules struct {
	Dialect  pdu.Dialect
	Server   string // the name of this server
	Readings Readings
	keyless  bool // while an event is shown: without sender keys
}

// Format returns how events are spelled and redacted. MSC4014, Addressing 3: the redaction algorithm stays the same,
// and names no sender_key; whether a redacted event keeps it is redaction/sender-key-kept.
// The version that it builds on is room-version/identifier.
func (r Rules) Format() pdu.Format {
	format := pdu.FormatMSC4014
	switch {
	case r.Dialect == pdu.DialectDendrite:
		format = pdu.FormatDendrite
	case r.Readings.RedactedSenderKey == "removed":
		format = pdu.FormatMSC4014Letter
	}
	if r.Readings.Identifier == "msc4014-base-11" {
		format.Base = pdu.FormatV11.RoomVersion
	}
	return format
}

// NewRoomID returns the ID of a new room with the given opaque part. There is no room_key (MSC4014, Changes 2), from which
// MSC1228 makes room IDs; what takes its place is event-format/room-id.
func (r Rules) NewRoomID(opaque string) string {
	if r.Readings.RoomID == "opaque" {
		return "!" + opaque
	}
	return "!" + opaque + ":" + r.Server
}

// memberEvent is the type of the events that carry mappings.
const memberEvent = "m.room.member"

// The memberships.
const (
	membershipJoin   = "join"
	membershipInvite = "invite"
	membershipKnock  = "knock"
	membershipLeave  = "leave"
	membershipBan    = "ban"
)

// validKey reports whether s is spelled as a sender key.
func validKey(s string) bool {
	_, err := identity.ParseSenderKey(s)
	return err == nil
}
