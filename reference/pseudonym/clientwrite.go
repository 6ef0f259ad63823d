package pseudonym

// This file turns what clients write, with user IDs, into what goes over the wire, with sender keys.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// NoKeyError reports that a client named a user that has no key in the room yet. The proposal gives no mechanism for
// that.
type NoKeyError struct{ UserID string }

func (e *NoKeyError) Error() string {
	return fmt.Sprintf("%s has no sender key in the room yet: only members and those invited have one", e.UserID)
}

// KeyMaker makes the key of a local user that has none in the room (SenderKey). For remote users ok is false: only
// their own server can make their keys.
type KeyMaker func(userID string) (key identity.SenderKey, ok bool, err error)

// WireStateKey returns the state key on the wire for the stateKey that a client wrote. For a member event it is the
// member's key (MSC1228, Proposal), and so it is for state that a member keyed by its own user ID, since it may write
// that and nobody else may (Matrix specification, authorisation rules: the state key is the sender). For a user without
// a key see client-view/state-key-before-join and, for member events, MemberTarget; the error is then a NoKeyError. Any
// other state key is kept as it is.
func (r Rules) WireStateKey(eventType, stateKey string, names Names, makeKey KeyMaker) (string, error) {
	if eventType != memberEvent && (stateKey == "" || stateKey[0] != '@') {
		return stateKey, nil
	}
	if key, ok := names.Key(stateKey); ok {
		return string(key), nil
	}
	if eventType == memberEvent {
		return "", &NoKeyError{stateKey}
	}
	switch r.Readings.StateKeyBeforeJoin {
	case "user-id-on-wire":
		return stateKey, nil
	case "key-made-early":
		return makeEarly(stateKey, makeKey)
	}
	return "", &NoKeyError{stateKey}
}

// makeEarly makes the key of a local user in advance, and returns a NoKeyError if the user is not local.
func makeEarly(userID string, makeKey KeyMaker) (string, error) {
	key, ok, err := makeKey(userID)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", &NoKeyError{userID}
	}
	return string(key), nil
}

// MemberTarget returns the key to kick, ban or unban for a user ID. For a user that was never in the room (membership/ban-before-join),
// the error is a NoKeyError by default; ok is false if the ban succeeds without effect.
func (r Rules) MemberTarget(userID string, names Names, makeKey KeyMaker) (key identity.SenderKey, ok bool, err error) {
	if key, ok = names.Key(userID); ok {
		return key, true, nil
	}
	switch r.Readings.BanBeforeJoin {
	case "no-effect":
		return "", false, nil
	case "differs-by-user":
		early, err := makeEarly(userID, makeKey)
		return identity.SenderKey(early), err == nil, err
	}
	return "", false, &NoKeyError{userID}
}

// Written is the content of an event as it goes over the wire.
type Written struct {
	Content []byte
	// Deferred has the power levels that a client gave to users without a key, by user ID. The server adds each to the
	// power levels event once the user has joined (client-view/power-levels-before-join, "applied-on-join").
	Deferred map[string]json.RawMessage
}

// WireContent returns the content of an event that the holder of sender wrote as a client. The users of power levels,
// creator and creatorUserId are keys on the wire (MSC1228, Proposal). A mapping, and the authoriser of a restricted
// join, are for the server to write, so a client's are dropped. Everything else stays as it is.
func (r Rules) WireContent(eventType string, content []byte, sender identity.SenderKey, names Names, makeKey KeyMaker) (Written, error) {
	if eventType == "m.room.third_party_invite" && r.Readings.ThirdPartyInvite == "refused" {
		return Written{}, errors.New("a third-party invite cannot be redeemed in this room: it names its user by user ID")
	}
	o, err := parseObject(content, "the content of an event")
	if err != nil {
		return Written{}, err
	}
	var deferred map[string]json.RawMessage
	switch eventType {
	case memberEvent:
		delete(o, pdu.MappingField)
		delete(o, AuthoriserField)
	case "m.room.power_levels":
		if users := o.child("users"); users != nil {
			wire, later, err := r.wireUsers(users, names, makeKey)
			if err != nil {
				return Written{}, err
			}
			o.set("users", wire)
			deferred = later
		}
	case "m.room.create":
		r.wireCreator(o, sender)
	case "m.widget", "im.vector.modular.widgets":
		if err := r.wireWidget(o, names); err != nil {
			return Written{}, err
		}
	}
	return Written{Content: o.raw(), Deferred: deferred}, nil
}

// wireUsers returns power levels by sender key. What becomes of a user without a key is
// client-view/power-levels-before-join.
func (r Rules) wireUsers(users object, names Names, makeKey KeyMaker) (wire object, deferred map[string]json.RawMessage, err error) {
	wire, deferred = object{}, map[string]json.RawMessage{}
	for user, level := range users {
		if key, ok := names.Key(user); ok {
			wire[string(key)] = level
			continue
		}
		if validKey(user) { // from a client that is aware of keys
			wire[user] = level
			continue
		}
		switch r.Readings.PowerBeforeJoin {
		case "refused":
			return nil, nil, &NoKeyError{user}
		case "user-id-on-wire":
			wire[user] = level
		case "user-id-and-power":
			wire[user], deferred[user] = level, level
		case "applied-on-join":
			deferred[user] = level
		case "key-made-early":
			key, err := makeEarly(user, makeKey)
			if err != nil {
				return nil, nil, err
			}
			wire[key] = level
		}
	}
	return wire, deferred, nil
}

// Deferred is a power level that was given to a user without a key.
type Deferred struct {
	UserID string
	Level  json.RawMessage
	// Stays reports whether the user ID, if it is named, stays beside the key: nobody may remove a level that is not below their
	// own (room version 11, authorisation rule 9.8).
	Stays bool
}

// ApplyDeferred gives a deferred power level to the user's key, now that there is one, in the content of a power levels event on the
// wire. The key takes the place of the user ID. changed is false if there is nothing new to send.
func ApplyDeferred(powerLevels []byte, key identity.SenderKey, d Deferred) (content []byte, changed bool, err error) {
	o, err := parseObject(powerLevels, "the content of power levels")
	if err != nil {
		return nil, false, err
	}
	users := o.child("users")
	if users == nil {
		users = object{}
	}
	_, named := users[d.UserID]
	removes := named && !d.Stays
	if !removes && bytes.Equal(users[string(key)], d.Level) {
		return powerLevels, false, nil
	}
	if removes {
		delete(users, d.UserID)
	}
	users[string(key)] = d.Level
	o.set("users", users)
	return o.raw(), true, nil
}

// wireCreator removes creator (MSC1228, Proposal, by MSC2175). In the deployed dialect, on the rules of version 10, it sets it to
// the sender key.
func (r Rules) wireCreator(content object, sender identity.SenderKey) {
	delete(content, "creator")
	if r.Dialect == pdu.DialectDendrite && !r.Format().BasedOn11() {
		content.set("creator", sender)
	}
}

// wireWidget replaces the user ID of a widget's creator (event-format/widget-creator): the key is used for
// creatorUserId, too (MSC1228, Proposal).
func (r Rules) wireWidget(content object, names Names) error {
	userID, ok := content.lookupText("creatorUserId")
	if !ok {
		return nil
	}
	switch r.Readings.WidgetCreator {
	case "removed":
		delete(content, "creatorUserId")
	case "refused":
		return fmt.Errorf("creatorUserId names %s: no user ID may stand in an event", userID)
	case "replaced-by-key":
		if key, ok := names.Key(userID); ok {
			content.set("creatorUserId", key)
		}
	}
	return nil
}
