package monitor

// Events that peers receive, of pseudo-ID rooms and of ordinary ones.

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// noUserID is the requirement that only the mapping has user IDs.
const noUserID = "event-format/no-mxid-outside-mapping"

// PseudonymousEvent examines an event of a pseudo-ID room that the candidate sent or returned to a peer.
func (m *Monitor) PseudonymousEvent(check string, raw []byte) {
	format := m.options.Format
	event := gjson.ParseBytes(raw)
	if m.ours(func(field string) string { return event.Get(field).String() }) || m.options.OursEvent(idOfBytes(raw)) {
		return
	}
	eventID, err := pseudoid.EventID(raw, format)
	if err != nil {
		m.report(finding("event-format/event-id", check, "an event of type %q has no event ID: %v", event.Get("type").String(), err))
		return
	}
	if m.options.OursEvent(eventID) {
		return
	}
	name := event.Get("type").String() + " " + eventID
	m.userIDs(check, name, event)
	if !m.senderKey(check, name, raw) {
		return
	}
	sender, roomID := format.Sender(raw), event.Get("room_id").String()
	if completedByPeer := event.Get("content.membership").String() == "invite" && m.options.OursKey(event.Get("state_key").String()); completedByPeer {
		return // the peer made hash and signatures
	}
	if err := pseudoid.CheckContentHash(raw); err != nil && !redacted(raw, format) {
		m.report(finding("event-format/content-hash", check, "%s: %v", name, err))
	}
	if _, err := pseudoid.VerifySenderSignature(raw, format); err != nil {
		m.report(finding("signing/every-event-type", check, "%s: %v", name, err))
		return // the sender does not have that key
	}
	m.learn(sender)
	if first := m.roomOf(sender, roomID); roomID != "" && first != roomID {
		m.report(finding("sender-key/differs-between-rooms", check, "%s: key %s is used in %s and in %s", name, sender, first, roomID))
	}
	m.noteMember(roomID, sender, event)
}

// senderKey examines the sender of an event and reports whether it is a sender key.
func (m *Monitor) senderKey(check, name string, raw []byte) bool {
	format := m.options.Format
	value := gjson.GetBytes(raw, format.SenderField())
	if old := gjson.GetBytes(raw, "sender"); format.Dialect == pseudoid.DialectMSC4014 && old.Exists() {
		m.report(finding("event-format/no-sender-field", check, "%s: it has the sender %s", name, old.String()))
		m.userID(noUserID, check, name+": sender", old)
	}
	if value.Type != gjson.String {
		// By the wording of MSC4014, a redacted event has no sender (redaction/sender-key-kept).
		if !redacted(raw, format) {
			m.report(finding("event-format/sender-key-field", check, "%s: its %q is missing or not a string", name, format.SenderField()))
		}
		return false
	}
	if m.userID(noUserID, check, name+": "+format.SenderField(), value) {
		return false
	}
	if _, err := pseudoid.ParseSenderKey(value.String()); err != nil {
		m.report(finding("event-format/key-encoding", check, "%s: sender %q: %v", name, value.String(), err))
		return false
	}
	return true
}

// userID reports a finding if value is a user ID, and returns whether it is one.
func (m *Monitor) userID(requirement, check, what string, value gjson.Result) bool {
	if pseudoid.ValidUserID(value.String()) != nil {
		return false
	}
	m.report(finding(requirement, check, "%s %s", what, value.String()))
	return true
}

// userIDs finds user IDs where an event must have sender keys.
func (m *Monitor) userIDs(check, name string, event gjson.Result) {
	report := func(requirement, what string, value gjson.Result) {
		if m.userID(requirement, check, name+": "+what, value) {
			m.userID(noUserID, check, name+": "+what, value)
		}
	}
	switch event.Get("type").String() {
	case "m.room.member":
		// What a third-party invite is redeemed to is open (membership/third-party-invite): whom it names is for the redeeming server.
		if !event.Get("content.third_party_invite").Exists() {
			report("event-format/member-state-key", "state key", event.Get("state_key"))
		}
	case "m.room.create":
		report("event-format/create-names-no-mxid", "creator", event.Get("content.creator"))
	case "m.room.power_levels":
		roomID, given := event.Get("room_id").String(), power{
			sender: m.options.Format.Sender([]byte(event.Raw)), depth: event.Get("depth").Int(), check: check, name: name, at: time.Now(),
		}
		event.Get("content.users").ForEach(func(user, _ gjson.Result) bool {
			if given.userID = user.String(); pseudoid.ValidUserID(given.userID) == nil {
				m.suspectPower(roomID, given)
			}
			return true
		})
	}
}

// OrdinaryEvent examines an event of a room of another version.
func (m *Monitor) OrdinaryEvent(check string, raw []byte) {
	event := gjson.ParseBytes(raw)
	if m.ours(func(field string) string { return event.Get(field).String() }) || m.options.OursEvent(idOfBytes(raw)) {
		return
	}
	for _, format := range []pseudoid.Format{pseudoid.FormatV10, pseudoid.FormatV11} {
		if eventID, err := pseudoid.EventID(raw, format); err == nil && m.options.OursEvent(eventID) {
			return
		}
	}
	paths := []string{"sender_key"}
	if event.Get("type").String() == "m.room.member" { // contents of other types are the clients' own
		paths = append(paths, "content."+pseudoid.MappingField)
	}
	for _, path := range paths {
		if event.Get(path).Exists() {
			m.report(finding("room-version/ordinary-rooms-untouched", check, "an event of type %q in the ordinary room %s has %s",
				event.Get("type").String(), event.Get("room_id").String(), path))
		}
	}
}

// idOfBytes returns the ID that federation.NewEvent gives to an event whose event ID cannot be computed.
func idOfBytes(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "$" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// redacted reports whether an event may be in its redacted form, whose content hash is that of the original event. The mapping
// may be kept (redaction/mapping-field-stays).
func redacted(raw []byte, format pseudoid.Format) bool {
	without, err := sjson.DeleteBytes(bytes.Clone(raw), "content."+pseudoid.MappingField)
	if err != nil {
		return false
	}
	short, err := pseudoid.Redact(raw, format)
	if err != nil {
		return false
	}
	return bytes.Equal(canonicalContent(short), canonicalContent(without))
}

func canonicalContent(raw []byte) []byte {
	content, err := pseudoid.CanonicalJSON([]byte(gjson.GetBytes(raw, "content").Raw))
	if err != nil {
		return raw
	}
	return content
}
