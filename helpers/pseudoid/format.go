// This file defines the event formats of room versions.

package pseudoid

import (
	"encoding/json"
)

// RoomVersion is the deployed room version with pseudonymous identities.
const RoomVersion = "org.matrix.msc4014"

// Format is the wire format of a room version: field names, redaction, signatures and invites. The proposal leaves most of it open,
// and each field stands for a decision of its own.
type Format struct {
	RoomVersion  string
	Base         string  // the version whose redaction, create event and redaction events it has: "10" or "11"
	Dialect      Dialect // "" for ordinary versions
	Pseudonymous bool    // false for ordinary versions, in which senders are user IDs and server keys sign events

	// RedactionKeepsSenderKey selects one of two readings of the proposal ("the redaction algorithm will remain the same"): true
	// means that sender_key is kept where version 10 keeps sender; false, the literal reading, that it is not, and that a redacted
	// event has no sender. It only matters for DialectMSC4014.
	RedactionKeepsSenderKey bool

	// Signature is the place of a sender key's signature (event-format/signature-entity).
	Signature SignaturePlace
	// InviteByEventID selects the path of partial invites (invite/endpoint): true for MSC1228's, which names the event, false for
	// the deployed one, which names the room.
	InviteByEventID bool
	// TemplatesByKey selects by what an asking server names its user in make_join, make_leave and make_knock
	// (membership/make-template): true for the sender key, false for the user ID.
	TemplatesByKey bool
}

// SignaturePlace is the place of a sender key's signature in the signatures of an event.
type SignaturePlace struct {
	ByServer bool   // the entity is the name of the sender's server; otherwise it is the key
	KeyID    string // "" for MSC1228's bare form, in which the signature itself is the entity's value
}

// The formats that the suite knows. Pseudonymous ones are based on version 10 and sign and invite as the deployed version does, unless
// a candidate's events show something else.
var (
	FormatDendrite      = pseudonymous(DialectDendrite, false)
	FormatMSC4014       = pseudonymous(DialectMSC4014, true)
	FormatMSC4014Letter = pseudonymous(DialectMSC4014, false)
	FormatV10           = Format{RoomVersion: "10", Base: "10"}
	FormatV11           = Format{RoomVersion: "11", Base: "11"}
)

func pseudonymous(dialect Dialect, redactionKeepsSenderKey bool) Format {
	return Format{
		RoomVersion: RoomVersion, Base: "10", Dialect: dialect, Pseudonymous: true, RedactionKeepsSenderKey: redactionKeepsSenderKey,
		Signature: SignaturePlace{KeyID: SenderKeyID},
	}
}

// Redactions returns the format with each redaction that a candidate may have: based on version 10 or 11 and, in a dialect in which that
// is open, keeping the sender key or not.
func (f Format) Redactions() []Format {
	if !f.Pseudonymous {
		return []Format{f}
	}
	var all []Format
	for _, base := range []string{FormatV10.Base, FormatV11.Base} {
		f.Base = base
		for _, keeps := range []bool{true, false} {
			if f.RedactionKeepsSenderKey = keeps && f.Dialect == DialectMSC4014; f.RedactionKeepsSenderKey == keeps {
				all = append(all, f)
			}
		}
	}
	return all
}

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
