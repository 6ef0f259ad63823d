package pseudonym

// This file turns events on the wire into what clients are shown: user IDs wherever clients expect them, with the
// sender keys beside them. Clients must work without any changes to their code, and must have enough data sent to them
// to become aware of keys (MSC4014, Hard requirements).

import (
	"encoding/json"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// Additions are what this server adds to an event for a client. The event's own unsigned is not shown: any server could
// have written it.
type Additions struct {
	Replaced        *pdu.Event     // the state event that this one replaced, in the form served to clients, or nil
	RedactedBecause *pdu.Event     // the redaction event, or nil
	Others          map[string]any // age, transaction_id, replaces_state, m.relations and so on, already in client form
}

// ClientEvent returns an event in the format of the client-server API.
//
// The sender field is used to let clients work transparently, and is always a user ID; sender_key is sent to them too,
// and is always a key (MSC4014, Proposal 1.1, Changes 5). There is no verified_sender_mxid. Member events and state
// owned by a member have a user ID as their state key, and power levels, creator and prev_sender name user IDs, as
// unchanged clients expect (Hard requirements). Fields that only concern the event graph (hashes, signatures,
// references, origin) are left out.
func (r Rules) ClientEvent(event *pdu.Event, additions Additions, names Names) []byte {
	names = inEvent(event, names)
	view := r.clientFields(&event.Stripped, names)
	for _, field := range []string{"origin_server_ts", "room_id", "redacts"} {
		if value := event.Field(field); value.Exists() {
			view[field] = json.RawMessage(value.Raw)
		}
	}
	if redacts := event.Redacts(); redacts != "" && event.Type() == "m.room.redaction" {
		view.set("redacts", redacts) // where older clients look for it (room version 11)
	}
	view.set("event_id", event.ID())
	if added := r.clientUnsigned(additions, names); len(added) > 0 {
		view.set("unsigned", added)
	}
	return view.raw()
}

// ServiceEvent returns an event as it is pushed to application services, which are clients of a kind: as ClientEvent, but whether with
// sender_key is open (client-view/sender-key-elsewhere).
func (r Rules) ServiceEvent(event *pdu.Event, additions Additions, names Names) []byte {
	r.keyless = r.Readings.KeyElsewhere != "both" && r.Readings.KeyElsewhere != "push-only"
	return r.ClientEvent(event, additions, names)
}

// StrippedState returns a stripped event as clients see it in invite_state and knock_state: type, state key, content and
// sender; by default with the sender key, as in any other event (client-view/sender-key-elsewhere).
func (r Rules) StrippedState(event *pdu.Stripped, names Names) []byte {
	r.keyless = r.Readings.KeyElsewhere != "both" && r.Readings.KeyElsewhere != "stripped-state-only"
	view := r.clientFields(event, names)
	return view.raw()
}

// clientFields returns the fields that whole and stripped events share.
func (r Rules) clientFields(event *pdu.Stripped, names Names) object {
	view := object{}
	view.set("type", event.Type())
	sender := identity.SenderKey(event.Sender())
	view.set("sender", names.UserID(sender))
	if !r.keyless && validKey(string(sender)) {
		view.set("sender_key", sender)
	}
	if stateKey, ok := event.StateKey(); ok {
		view.set("state_key", r.clientStateKey(event.Type(), stateKey, names))
	}
	view.set("content", r.clientContent(event, names))
	return view
}

// clientStateKey returns the state key that clients see. For a member event, and for state that a member keyed by its
// own user ID, it is the user ID. Any other state key is the text that a client wrote.
func (r Rules) clientStateKey(eventType, stateKey string, names Names) string {
	key := identity.SenderKey(stateKey)
	if eventType == memberEvent || validKey(stateKey) && names.Knows(key) {
		return names.UserID(key)
	}
	return stateKey
}

// clientContent translates the parts of an event's content that the protocol defines; the rest is left as the client
// wrote it. The authoriser of a restricted join stays the sender key that it is now (MSC4014, Additional notes): it is
// there for servers, and no client acts on it (client-view/no-key-elsewhere).
func (r Rules) clientContent(event *pdu.Stripped, names Names) object {
	view := objectOf(event.Contents())
	switch event.Type() {
	case memberEvent:
		if !r.showsMapping(event, names) {
			delete(view, pdu.MappingField)
		}
	case "m.room.power_levels":
		if users := view.child("users"); users != nil {
			view.set("users", r.clientUsers(users, names))
		}
	case "m.room.create":
		r.clientKeyField(view, "creator", names, true)
	case "m.widget", "im.vector.modular.widgets":
		r.clientKeyField(view, "creatorUserId", names, false)
	}
	return view
}

// clientKeyField replaces a key in a field by its user ID: always, or only if the key is a member's.
func (r Rules) clientKeyField(view object, field string, names Names, always bool) {
	key, ok := view.lookupText(field)
	if ok && validKey(key) && (always || names.Knows(identity.SenderKey(key))) {
		view.set(field, names.UserID(identity.SenderKey(key)))
	}
}

// showsMapping reports whether clients see a member event's mapping (client-view/mapping-present). By default an
// unverified one is removed, to stop client developers relying on it (MSC1228, Implementation, its question;
// unverified/mapping-in-content).
func (r Rules) showsMapping(event *pdu.Stripped, names Names) bool {
	if r.Readings.MappingPresent == "no-view" {
		return false
	}
	if r.Readings.UnverifiedInContent == "served" {
		return true
	}
	mapping, present, err := event.Mapping()
	stateKey, _ := event.StateKey()
	userID, verified := names.Verified(identity.SenderKey(stateKey))
	return present && err == nil && verified && string(mapping.Key) == stateKey && mapping.UserID == userID
}

// clientUsers returns power levels by user ID. If two keys are shown by the same user ID, the level of the key that
// clients know the user by wins. A user ID on the wire is kept unless a member has it; anything that is neither a key
// nor a user ID is dropped. A key that is nobody's gets a placeholder, which cannot be written back, or as the reading says
// (client-view/power-of-unknown-key).
func (r Rules) clientUsers(users object, names Names) object {
	view := object{}
	for user, level := range users {
		key := identity.SenderKey(user)
		if !validKey(user) {
			_, member := names.Key(user)
			if !member && identity.CheckUserID(user) == nil {
				view[user] = level
			}
			continue
		}
		if !names.Knows(key) && r.Readings.UnknownPower != "user-id-shown-and-lost" {
			if r.Readings.UnknownPower == "key-shown-and-kept" {
				view[user] = level
			}
			continue
		}
		userID := names.UserID(key)
		if known, ok := names.Key(userID); !ok || known == key {
			view[userID] = level
		}
	}
	return view
}

// clientUnsigned returns the unsigned object that the server adds to an event.
func (r Rules) clientUnsigned(u Additions, names Names) object {
	view := object{}
	for field, value := range u.Others {
		view.set(field, value)
	}
	if u.Replaced != nil {
		view.set("prev_content", r.clientContent(&u.Replaced.Stripped, names))
		view.set("prev_sender", names.UserID(identity.SenderKey(u.Replaced.Sender())))
	}
	if u.RedactedBecause != nil {
		view["redacted_because"] = r.ClientEvent(u.RedactedBecause, Additions{}, names)
	}
	return view
}
