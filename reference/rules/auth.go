// This file applies the authorisation rules (room versions 10 and 11, "Authorization rules"); rule numbers are those of
// the specification. The rules for member events are in member.go, those for power levels in power.go.

package rules

import (
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// The event types whose state authorises events.
const (
	createType           = "m.room.create"
	memberType           = "m.room.member"
	powerLevelsType      = "m.room.power_levels"
	joinRulesType        = "m.room.join_rules"
	thirdPartyInviteType = "m.room.third_party_invite"
)

// authoriserField of a join names the member that authorises it under a restricted join rule: a user ID, or a sender key in
// pseudonymous rooms.
const authoriserField = pseudonym.AuthoriserField

// State is the state of a room: one event for each state key. Absent state is nil.
type State map[pdu.StateKey]*pdu.Event

// Get returns the event of a type and state key, or nil.
func (s State) Get(eventType, stateKey string) *pdu.Event {
	return s[pdu.StateKey{Type: eventType, Key: stateKey}]
}

// Create returns the create event, or nil.
func (s State) Create() *pdu.Event { return s.Get(createType, "") }

// Member returns the member event of a sender key or user ID, or nil.
func (s State) Member(key string) *pdu.Event { return s.Get(memberType, key) }

// Membership returns the membership of a sender key or user ID, or "leave" if there is none.
func (s State) Membership(key string) string {
	if member := s.Member(key); member != nil {
		return member.Membership()
	}
	return "leave"
}

// JoinRule returns the join rule, or "invite" if there is none.
func (s State) JoinRule() string {
	if event := s.Get(joinRulesType, ""); event != nil {
		return event.Content("join_rule").Str
	}
	return "invite"
}

// Restricted reports whether the join rule is one under which members may authorise joins.
func (s State) Restricted() bool {
	rule := s.JoinRule()
	return rule == "restricted" || rule == "knock_restricted"
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
func (r Rules) Allowed(e *pdu.Event, state State) error {
	if e.Type() == createType {
		return r.createAllowed(e)
	}
	create := state.Create()
	if create == nil {
		return reject("2.4", "there is no create event")
	}
	if create.RoomID() != e.RoomID() {
		return reject("2", "the event is of room %q, the create event of %q", e.RoomID(), create.RoomID())
	}
	if federate := create.Content("m.federate"); federate.Type == gjson.False {
		if !r.domainRuleHolds(e, func() (string, bool) { return r.domainOf(create) }) {
			return reject("3", "the room does not federate, and the sender is of another server than its creator")
		}
	}
	if e.Type() == memberType {
		return r.memberAllowed(e, state)
	}
	membership := state.Membership(e.Sender())
	if membership != "join" {
		return reject("5", "the sender's membership is %q", membership)
	}
	levels := state.PowerLevels()
	sender := levels.Of(e.Sender())
	if e.Type() == thirdPartyInviteType {
		if invite := levels.For("invite"); sender < invite {
			return reject("6.1", "the sender's power level is %d, to invite takes %d", sender, invite)
		}
		return nil
	}
	_, isState := e.StateKey()
	if required := levels.ForEvent(e.Type(), isState); required > sender {
		return reject("7", "the sender's power level is %d, an event of type %q takes %d", sender, e.Type(), required)
	}
	if err := r.mayUseStateKey(e); err != nil {
		return err
	}
	if e.Type() == powerLevelsType {
		return r.powerLevelsAllowed(e, state)
	}
	return nil
}

// createAllowed is rule 1.
func (r Rules) createAllowed(e *pdu.Event) error {
	if len(e.PrevEvents()) > 0 {
		return reject("1.1", "a create event has no previous events")
	}
	if !e.IsState(createType, "") {
		return reject("1", "the state key of a create event is empty")
	}
	if !r.domainRuleHolds(e, func() (string, bool) { return domainOfRoomID(e.RoomID()) }) {
		return reject("1.2", "the sender is not of the server that the room ID %q names", e.RoomID())
	}
	if version := e.Content("room_version"); version.Exists() && version.Str != e.Format().RoomVersion {
		return reject("1.3", "room version %s is not %q, which the room was taken for", version.Raw, e.Format().RoomVersion)
	}
	if e.Format().RoomVersion == "10" && !e.Content("creator").Exists() {
		return reject("1.4", "the content has no creator")
	}
	return nil
}

// CheckAuthEvents returns an error if an event is rejected by its own auth events: by rule 2, or by any other rule in
// the state that the auth events make up. authEvents are the events that it names, in any order; rejected reports
// whether one of them was itself rejected, and may be nil. The error is a *Rejection, or says which auth event is
// missing.
func (r Rules) CheckAuthEvents(e *pdu.Event, authEvents []*pdu.Event, rejected func(eventID string) bool) error {
	state, err := authState(e, authEvents)
	if err != nil {
		return err
	}
	if e.Type() == createType { // only rule 1 applies
		return r.Allowed(e, state)
	}
	needed := map[pdu.StateKey]bool{}
	for _, key := range authKeysOf(e) {
		needed[key] = true
	}
	for key, authEvent := range state {
		if !needed[key] {
			return reject("2.2", "auth event %s is the state (%q, %q), which does not authorise such an event", authEvent.ID(), key.Type, key.Key)
		}
		if rejected != nil && rejected(authEvent.ID()) {
			return reject("2.3", "auth event %s was rejected", authEvent.ID())
		}
	}
	return r.Allowed(e, state)
}

// authState returns the state made up of an event's auth events.
func authState(e *pdu.Event, authEvents []*pdu.Event) (State, error) {
	byID := map[string]*pdu.Event{}
	for _, authEvent := range authEvents {
		byID[authEvent.ID()] = authEvent
	}
	state := State{}
	for _, id := range e.AuthEvents() {
		authEvent := byID[id]
		if authEvent == nil {
			return nil, fmt.Errorf("authorising event %s: its auth event %s is missing; fetch it first", e.ID(), id)
		}
		key, ok := authEvent.State()
		switch {
		case !ok:
			return nil, reject("2.2", "auth event %s is not a state event", id)
		case authEvent.RoomID() != e.RoomID():
			return nil, reject("2", "auth event %s is of room %q, the event of %q", id, authEvent.RoomID(), e.RoomID())
		case state[key] != nil:
			return nil, reject("2.1", "two auth events are the state (%q, %q)", key.Type, key.Key)
		}
		state[key] = authEvent
	}
	return state, nil
}

// AuthKeys returns which state authorises an event: the auth events selection (server-server API). stateKey is nil for
// events that are not state, content is JSON. It is for a server that has yet to build the event.
func AuthKeys(eventType, sender string, stateKey *string, content []byte) []pdu.StateKey {
	return authKeys(eventType, sender, stateKey, gjson.ParseBytes(content).Map())
}

func authKeysOf(e *pdu.Event) []pdu.StateKey {
	var stateKey *string
	if key, isState := e.StateKey(); isState {
		stateKey = &key
	}
	return authKeys(e.Type(), e.Sender(), stateKey, e.Contents())
}

func authKeys(eventType, sender string, stateKey *string, content map[string]gjson.Result) []pdu.StateKey {
	if eventType == createType {
		return nil
	}
	keys := []pdu.StateKey{{Type: createType}, {Type: powerLevelsType}, {Type: memberType, Key: sender}}
	if eventType != memberType || stateKey == nil {
		return keys
	}
	if *stateKey != sender {
		keys = append(keys, pdu.StateKey{Type: memberType, Key: *stateKey})
	}
	membership := content["membership"].Str
	if membership == "join" || membership == "invite" || membership == "knock" {
		keys = append(keys, pdu.StateKey{Type: joinRulesType})
	}
	if token := content["third_party_invite"].Get("signed").Map()["token"]; membership == "invite" && token.Type == gjson.String {
		keys = append(keys, pdu.StateKey{Type: thirdPartyInviteType, Key: token.String()})
	}
	if authoriser := content[authoriserField].Str; membership == "join" && authoriser != "" && authoriser != sender && authoriser != *stateKey {
		keys = append(keys, pdu.StateKey{Type: memberType, Key: authoriser})
	}
	return keys
}

// MayRedact reports whether a redaction is applied to its target in an ordinary room (room version 3, "Handling
// redactions"); for pseudonymous rooms it is pseudonym.Rules.MayRedact. A redaction that is allowed by the authorisation
// rules may still not be applied. state is that of the redaction.
func (r Rules) MayRedact(redaction, target *pdu.Event, state State) bool {
	levels := state.PowerLevels()
	return levels.Of(redaction.Sender()) >= levels.For("redact") ||
		r.domainRuleHolds(redaction, func() (string, bool) { return r.domainOf(target) })
}
