package monitor

import (
	"bytes"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// PseudonymousEvent looks over an event of a pseudo-ID room as the candidate sent or served it to a peer.
func (m *Monitor) PseudonymousEvent(check string, raw []byte) {
	format := m.options.Format
	event := gjson.ParseBytes(raw)
	sender := format.Sender(raw)
	eventID, err := pseudoid.EventID(raw, format)
	if err != nil {
		m.report("event-format/event-id", check, "an event of type %q has no event ID: %v", event.Get("type").String(), err)
		return
	}
	if m.options.OursKey(sender) || m.options.OursEvent(eventID) {
		return
	}
	name := event.Get("type").String() + " " + eventID
	if _, err := pseudoid.ParseSenderKey(sender); err != nil {
		m.report("event-format/key-encoding", check, "%s: sender %q: %v", name, sender, err)
		return
	}
	if _, err := pseudoid.VerifySenderSignature(raw, format); err != nil {
		m.report("signing/every-event-type", check, "%s: %v", name, err)
	}
	if err := pseudoid.CheckContentHash(raw); err != nil && !redacted(raw, format) {
		m.report("event-format/content-hash", check, "%s: %v", name, err)
	}
	roomID := event.Get("room_id").String()
	if first := m.roomOf(sender, roomID); first != roomID {
		m.report("sender-key/differs-between-rooms", check, "%s: key %s stands in %s and in %s", name, sender, first, roomID)
	}
	m.userIDs(check, name, event)
}

// userIDs looks for a user ID where the event must have a key.
func (m *Monitor) userIDs(check, name string, event gjson.Result) {
	const requirement = "event-format/no-mxid-outside-mapping"
	isUserID := func(text string) bool { return pseudoid.ValidUserID(text) == nil }
	switch event.Get("type").String() {
	case "m.room.member":
		if key := event.Get("state_key").String(); isUserID(key) {
			m.report("event-format/member-state-key", check, "%s: state key %s", name, key)
		}
	case "m.room.create":
		if creator := event.Get("content.creator").String(); isUserID(creator) {
			m.report("event-format/create-names-no-mxid", check, "%s: creator %s", name, creator)
			m.report(requirement, check, "%s: creator %s", name, creator)
		}
	case "m.room.power_levels":
		event.Get("content.users").ForEach(func(user, _ gjson.Result) bool {
			if isUserID(user.String()) {
				m.report("event-format/power-levels-by-key", check, "%s: power is given to %s", name, user.String())
				m.report(requirement, check, "%s: power is given to %s", name, user.String())
			}
			return true
		})
	}
}

// OrdinaryEvent looks over an event of a room of another version.
func (m *Monitor) OrdinaryEvent(check string, raw []byte) {
	event := gjson.ParseBytes(raw)
	if m.options.OursKey(event.Get("sender_key").String()) {
		return
	}
	for _, path := range []string{"sender_key", "content." + pseudoid.MappingField} {
		if event.Get(path).Exists() {
			m.report("room-version/ordinary-rooms-untouched", check, "an event of type %q in the ordinary room %s has %s",
				event.Get("type").String(), event.Get("room_id").String(), path)
		}
	}
}

// redacted tells whether an event is served in its redacted form, whose content hash is that of the whole event.
func redacted(raw []byte, format pseudoid.Format) bool {
	short, err := pseudoid.Redact(raw, format)
	if err != nil {
		return false
	}
	return bytes.Equal(canonicalContent(short), canonicalContent(raw))
}

func canonicalContent(raw []byte) []byte {
	content, err := pseudoid.CanonicalJSON([]byte(gjson.GetBytes(raw, "content").Raw))
	if err != nil {
		return raw
	}
	return content
}
