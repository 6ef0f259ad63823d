// This file applies the authorisation rules (room versions 10 and 11, "Authorization rules"); rule numbers are those of
// the specification. The rules for member events are in member.go, those for power levels in power.go.

package rules

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
)

// The event types whose state authorises events.
const (
	createType           = "m.room.create"
	memberType           = "m.room.member"
	powerLevelsType      = "m.room.power_levels"
	joinRulesType        = "m.room.join_rules"
	thirdPartyInviteType = "m.room.third_party_invite"
)

// authoriserField of a join names the member that authorises it under a restricted join rule.
const authoriserField = "join_authorised_via_users_server"

// State is the state of a room: one event for each state key. Absent state is nil.
type State map[StateKey]*Event

// Create returns the create event, or nil.
func (s State) Create() *Event { return s[StateKey{createType, ""}] }

// Member returns the member event of a sender key or user ID, or nil.
func (s State) Member(key string) *Event { return s[StateKey{memberType, key}] }

// Membership returns the membership of a sender key or user ID, or "leave" if there is none.
func (s State) Membership(key string) string {
	if member := s.Member(key); member != nil {
		return member.Membership()
	}
	return "leave"
}

// JoinRule returns the join rule, or "invite" if there is none.
func (s State) JoinRule() string {
	if event := s[StateKey{joinRulesType, ""}]; event != nil {
		return text(event.Content("join_rule"))
	}
	return "invite"
}

// Rejection reports which rule an event breaks, and how.
type Rejection struct {
	Rule   string // its number, such as "4.3.2"
	Reason string
}

func (r *Rejection) Error() string { return fmt.Sprintf("authorisation rule %s: %s", r.Rule, r.Reason) }

func reject(rule, format string, args ...any) error {
	return &Rejection{Rule: rule, Reason: fmt.Sprintf(format, args...)}
}

// Allowed returns a *Rejection if the authorisation rules reject an event in a state of its room. It applies all rules
// but rule 2, which is CheckAuthEvents.
func (r Rules) Allowed(e *Event, state State) error {
	if e.eventType == createType {
		return r.createAllowed(e)
	}
	create := state.Create()
	if create == nil {
		return reject("2.4", "there is no create event")
	}
	if create.roomID != e.roomID {
		return reject("2", "the event is of room %q, the create event of %q", e.roomID, create.roomID)
	}
	if federate := create.Content("m.federate"); federate.Type == gjson.False {
		if !r.sameDomain(e, func() (string, bool) { return r.domainOf(create) }) {
			return reject("3", "the room does not federate, and the sender is of another server than its creator")
		}
	}
	if e.eventType == memberType {
		return r.memberAllowed(e, state)
	}
	membership := state.Membership(e.sender)
	if membership != "join" {
		return reject("5", "the sender's membership is %q", membership)
	}
	levels := state.powerLevels()
	sender := levels.user(e.sender)
	if e.eventType == thirdPartyInviteType {
		if invite := levels.named("invite"); sender < invite {
			return reject("6.1", "the sender's power level is %d, to invite takes %d", sender, invite)
		}
		return nil
	}
	_, isState := e.StateKey()
	if required := levels.event(e.eventType, isState); required > sender {
		return reject("7", "the sender's power level is %d, an event of type %q takes %d", sender, e.eventType, required)
	}
	if err := r.mayUseStateKey(e); err != nil {
		return err
	}
	if e.eventType == powerLevelsType {
		return r.powerLevelsAllowed(e, state)
	}
	return nil
}

// createAllowed is rule 1.
func (r Rules) createAllowed(e *Event) error {
	if len(e.prevEvents) > 0 {
		return reject("1.1", "a create event has no previous events")
	}
	if !e.IsState(createType, "") {
		return reject("1", "the state key of a create event is empty")
	}
	if !r.sameDomain(e, func() (string, bool) { return domainOfRoomID(e.roomID) }) {
		return reject("1.2", "the sender is not of the server that the room ID %q names", e.roomID)
	}
	if version := e.Content("room_version"); version.Exists() && text(version) != e.format.RoomVersion {
		return reject("1.3", "room version %s is not %q, which the room was taken for", version.Raw, e.format.RoomVersion)
	}
	if e.format.RoomVersion == "10" && !e.Content("creator").Exists() {
		return reject("1.4", "the content has no creator")
	}
	return nil
}

// CheckAuthEvents returns an error if an event is rejected by its own auth events: by rule 2, or by any other rule in
// the state that the auth events make up. authEvents are the events that it names, in any order; rejected reports
// whether one of them was itself rejected, and may be nil. The error is a *Rejection, or says which auth event is
// missing.
func (r Rules) CheckAuthEvents(e *Event, authEvents []*Event, rejected func(eventID string) bool) error {
	state, err := authState(e, authEvents)
	if err != nil {
		return err
	}
	if e.eventType == createType { // only rule 1 applies
		return r.Allowed(e, state)
	}
	needed := map[StateKey]bool{}
	for _, key := range authKeysOf(e) {
		needed[key] = true
	}
	for key, authEvent := range state {
		if !needed[key] {
			return reject("2.2", "auth event %s is the state (%q, %q), which does not authorise such an event", authEvent.id, key.Type, key.Key)
		}
		if rejected != nil && rejected(authEvent.id) {
			return reject("2.3", "auth event %s was rejected", authEvent.id)
		}
	}
	return r.Allowed(e, state)
}

// authState returns the state made up of an event's auth events.
func authState(e *Event, authEvents []*Event) (State, error) {
	byID := map[string]*Event{}
	for _, authEvent := range authEvents {
		byID[authEvent.id] = authEvent
	}
	state := State{}
	for _, id := range e.authEvents {
		authEvent := byID[id]
		if authEvent == nil {
			return nil, fmt.Errorf("authorising event %s: its auth event %s is missing; fetch it first", e.id, id)
		}
		key, ok := authEvent.State()
		switch {
		case !ok:
			return nil, reject("2.2", "auth event %s is no state event", id)
		case authEvent.roomID != e.roomID:
			return nil, reject("2", "auth event %s is of room %q, the event of %q", id, authEvent.roomID, e.roomID)
		case state[key] != nil:
			return nil, reject("2.1", "two auth events are the state (%q, %q)", key.Type, key.Key)
		}
		state[key] = authEvent
	}
	return state, nil
}

// AuthKeys returns which state authorises an event: the auth events selection (server-server API). stateKey is nil for
// events that are not state, content is JSON. It is for a server that has yet to build the event.
func AuthKeys(eventType, sender string, stateKey *string, content []byte) []StateKey {
	return authKeys(eventType, sender, stateKey, gjson.ParseBytes(content).Map())
}

func authKeysOf(e *Event) []StateKey { return authKeys(e.eventType, e.sender, e.stateKey, e.content) }

func authKeys(eventType, sender string, stateKey *string, content map[string]gjson.Result) []StateKey {
	if eventType == createType {
		return nil
	}
	keys := []StateKey{{createType, ""}, {powerLevelsType, ""}, {memberType, sender}}
	if eventType != memberType || stateKey == nil {
		return keys
	}
	if *stateKey != sender {
		keys = append(keys, StateKey{memberType, *stateKey})
	}
	membership := text(content["membership"])
	if membership == "join" || membership == "invite" || membership == "knock" {
		keys = append(keys, StateKey{joinRulesType, ""})
	}
	if token := content["third_party_invite"].Get("signed").Map()["token"]; membership == "invite" && token.Type == gjson.String {
		keys = append(keys, StateKey{thirdPartyInviteType, token.String()})
	}
	if authoriser := text(content[authoriserField]); membership == "join" && authoriser != "" && authoriser != sender && authoriser != *stateKey {
		keys = append(keys, StateKey{memberType, authoriser})
	}
	return keys
}

// MayRedact returns an error if a redaction must not be applied to its target (room version 3, "Handling redactions").
// A redaction that is allowed by the authorisation rules may still not be applied. state is that of the redaction.
//
// A member may redact its own events. Where ordinary rooms compare domains, pseudonymous rooms compare keys: "Nicer way
// of validating redactions by comparing the `user_room_key` of the message and the redaction which addresses the
// suboptimal solution introduced by MSC1659" (MSC1228, Other things that might fall out nicely).
func (r Rules) MayRedact(redaction, target *Event, state State) error {
	if redaction.roomID != target.roomID || redaction.Redacts() != target.id {
		return errors.New("the redaction is of another event")
	}
	levels := state.powerLevels()
	if levels.user(redaction.sender) >= levels.named("redact") {
		return nil
	}
	if redaction.sender == target.sender {
		return nil
	}
	if !redaction.format.Pseudonymous && r.sameDomain(redaction, func() (string, bool) { return r.domainOf(target) }) {
		return nil
	}
	return fmt.Errorf("%s did not send event %s and has not the power level to redact those of others", redaction.sender, target.id)
}
