// This file knows who acts in a room: a sender key in pseudonymous rooms, a user ID in others. It has everything that
// the rules ask about an identity besides whether two are equal.

package rules

import (
	"strings"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// Rules implements the authorisation rules and state resolution. The zero Rules follows the default readings.
type Rules struct {
	// Pseudonym decides, in pseudonymous rooms, what a sender key is, whether it signed an event, and by its readings how
	// the rules that look for '@' (8 and 9.3) and those that compare domains (1.2 and 3) apply.
	Pseudonym pseudonym.Rules
	// DomainOf returns the domain of the user that sent an event in a pseudonymous room; ok is false if it is not known.
	DomainOf func(*pdu.Event) (domain string, ok bool)
}

// checkMemberKey refuses a member event whose state key is not an identity: "This `user_room_key` is used where we
// currently use an mxid in the DAG: `sender`, `m.room.member`, `m.room.power_levels`" (MSC1228, Proposal).
func (r Rules) checkMemberKey(f pdu.Format, stateKey string) error {
	switch {
	case !f.Pseudonymous:
		return identity.CheckUserID(stateKey)
	case r.Pseudonym.AnyMemberKey():
		return nil
	}
	return r.Pseudonym.CheckKey(stateKey)
}

// bannedInOtherSpelling reports whether the sender's key is banned as another way to write the same 32 bytes, which is possible where
// signing/rejects-noncanonical accepts such keys. Bans are by key (MSC1228, Proposal), however it is written.
func (r Rules) bannedInOtherSpelling(e *pdu.Event, state State) bool {
	if !e.Format().Pseudonymous || !r.Pseudonym.AnyMemberKey() {
		return false
	}
	for key, member := range state {
		if key.Type == memberType && member != nil && member.Membership() == "ban" && r.Pseudonym.SameKey(key.Key, e.Sender()) {
			return true
		}
	}
	return false
}

// mayUseStateKey is rule 8: "If the event has a `state_key` that starts with an `@` and does not match the `sender`,
// reject." Read by key, a state key that is a sender key belongs to its member, as one with '@' does elsewhere; one
// with '@' belongs to nobody, since it matches no sender. A random state key that happens to be spelled like a key is
// refused too. A server whose clients may key state by users that have not joined (client-view/state-key-before-join) cannot
// apply it.
func (r Rules) mayUseStateKey(e *pdu.Event) error {
	stateKey, ok := e.StateKey()
	if !ok || stateKey == e.Sender() {
		return nil
	}
	readings := r.Pseudonym.Readings
	early := readings.StateKeyBeforeJoin == "user-id-on-wire" || readings.StateKeyBeforeJoin == "key-made-early"
	if e.Format().Pseudonymous && (readings.BySigil == "not-applied" || early) {
		return nil
	}
	if strings.HasPrefix(stateKey, "@") {
		return reject("8", "the state key %q begins with '@' and is not the sender", stateKey)
	}
	if !e.Format().Pseudonymous || readings.BySigil == "by-sigil" {
		return nil
	}
	if _, err := identity.ParseSenderKey(stateKey); err == nil {
		return reject("8", "the state key %q is another sender key", stateKey)
	}
	return nil
}

// mayHoldPower is the part of rule 9.3 about the keys of `users` in power levels: "keys that are valid user IDs". In
// pseudonymous rooms these are sender keys (MSC1228, Proposal: see checkMemberKey), and user IDs where
// client-view/power-levels-before-join puts them on the wire.
func (r Rules) mayHoldPower(f pdu.Format, user string) error {
	reading, early := r.Pseudonym.Readings.BySigil, r.Pseudonym.Readings.PowerBeforeJoin
	switch {
	case !f.Pseudonymous:
		return identity.CheckUserID(user)
	case strings.HasPrefix(user, "@") && (early == "user-id-on-wire" || early == "user-id-and-power"):
		return identity.CheckUserID(user)
	case reading == "not-applied":
		return nil
	case reading == "by-sigil":
		if strings.HasPrefix(user, "@") {
			return identity.CheckUserID(user)
		}
		return nil
	}
	return r.Pseudonym.CheckKey(user)
}

// domainRuleHolds reports whether the sender of an event is of a domain, for rules 1.2 and 3. domain is called only if it is
// needed. If either domain is unknown, the rule does not apply.
func (r Rules) domainRuleHolds(e *pdu.Event, domain func() (name string, known bool)) bool {
	if e.Format().Pseudonymous && r.Pseudonym.Readings.ByDomain == "not-applied" {
		return true
	}
	of, known := r.domainOf(e)
	other, otherKnown := domain()
	return !known || !otherKnown || of == other
}

func (r Rules) domainOf(e *pdu.Event) (domain string, known bool) {
	if e.Format().Pseudonymous {
		if r.DomainOf == nil {
			return "", false
		}
		return r.DomainOf(e)
	}
	domain, err := identity.UserIDDomain(e.Sender())
	return domain, err == nil
}

// domainOfRoomID returns what follows the first colon; a room ID without one names no domain.
func domainOfRoomID(roomID string) (domain string, known bool) {
	_, domain, known = strings.Cut(roomID, ":")
	return domain, known
}

// creator returns the creator of the room: `content.creator` in version 10; the sender of the create event in version
// 11, and in pseudonymous rooms: "`creator` is removed as per MSC2175" (MSC1228, Proposal).
func creator(create *pdu.Event) string {
	if create.Format().RoomVersion == "10" {
		return create.Content("creator").Str
	}
	return create.Sender()
}
