// This file knows who acts in a room: a sender key in pseudonymous rooms, a user ID in others. It has everything that
// the rules ask about an identity besides whether two are equal.

package rules

import (
	"errors"
	"fmt"
	"strings"

	"msc4014/helpers/pseudoid"
)

// SigilReading is how the rules that look for '@' (8 and 9.3) apply in pseudonymous rooms. The proposal does not say:
// keys have no sigil.
type SigilReading string

// The readings of the rules that look for '@'.
const (
	SigilByKey      SigilReading = "by-key"      // they apply to keys as they do to user IDs elsewhere
	SigilBySigil    SigilReading = "by-sigil"    // they look for '@' alone, so they never apply to keys
	SigilNotApplied SigilReading = "not-applied" // they do not apply, not even to user IDs
)

// DomainReading is how the rules that compare domains (1.2 and 3) apply in pseudonymous rooms.
type DomainReading string

// The readings of the rules that compare domains.
const (
	DomainNotApplied DomainReading = "not-applied" // a key has no domain
	DomainByMapping  DomainReading = "by-mapping"  // they compare the domain that Rules.DomainOf returns, if it is known
)

// Rules implements the authorisation rules and state resolution. The zero Rules applies the rules about sigils to keys,
// and those about domains not at all.
type Rules struct {
	Sigil  SigilReading  // "" means by-key
	Domain DomainReading // "" means not-applied

	// AnyKey accepts any state key in member events, however it is spelled and even if it is of small order: the
	// signatures are checked elsewhere (signing/rejects-noncanonical).
	AnyKey bool

	// DomainOf returns the domain of the user that sent an event, for DomainByMapping; ok is false if it is not known.
	DomainOf func(*Event) (domain string, ok bool)
}

// checkSender refuses an event whose sender is not spelled as its version demands.
//
// "Events no longer have a `sender` field. Events now have a `sender_key` field, which is a base-64 encoded ed25519
// public key (encoded the same way as other binary event data in Matrix)" (MSC4014, Proposal). That is unpadded
// standard base64, so a key has one spelling, and a ban or a power level of a key cannot be evaded by another. A key of
// small order belongs to nobody: anyone can make signatures that verify for any event.
func checkSender(e *Event) error {
	field := e.format.SenderField()
	if !e.format.Pseudonymous {
		if err := pseudoid.ValidUserID(e.sender); err != nil {
			return fmt.Errorf("its %s: %w", field, err)
		}
		return nil
	}
	if err := checkSenderKey(e.sender); err != nil {
		return fmt.Errorf("its %s: %w", field, err)
	}
	if field != "sender" && e.Field("sender").Exists() {
		return errors.New("it has a sender field, which events of this version no longer have")
	}
	return nil
}

func checkSenderKey(s string) error {
	key, err := pseudoid.ParseSenderKey(s)
	if err != nil {
		return err
	}
	if pseudoid.SmallOrder(key) {
		return errors.New("sender key: it is a point of small order, for which anybody can sign")
	}
	return nil
}

// checkMemberKey refuses a member event whose state key is no identity: "This `user_room_key` is used where we
// currently use an mxid in the DAG: `sender`, `m.room.member`, `m.room.power_levels`" (MSC1228, Proposal).
func (r Rules) checkMemberKey(f pseudoid.Format, stateKey string) error {
	if f.Pseudonymous {
		if r.AnyMemberKey() {
			return nil
		}
		return checkSenderKey(stateKey)
	}
	return pseudoid.ValidUserID(stateKey)
}

// AnyMemberKey reports whether member events are accepted whatever their state key is.
func (r Rules) AnyMemberKey() bool {
	return r.AnyKey
}

// mayUseStateKey is rule 8: "If the event has a `state_key` that starts with an `@` and does not match the `sender`,
// reject." Read by key, a state key that is a sender key belongs to its member, as one with '@' does elsewhere; one
// with '@' belongs to nobody, since it matches no sender. A random state key that happens to be spelled like a key is
// refused too.
func (r Rules) mayUseStateKey(e *Event) error {
	stateKey, ok := e.StateKey()
	if !ok || stateKey == e.sender || e.format.Pseudonymous && r.Sigil == SigilNotApplied {
		return nil
	}
	if strings.HasPrefix(stateKey, "@") {
		return reject("8", "the state key %q begins with '@' and is not the sender", stateKey)
	}
	if !e.format.Pseudonymous || r.Sigil == SigilBySigil {
		return nil
	}
	if _, err := pseudoid.ParseSenderKey(stateKey); err == nil {
		return reject("8", "the state key %q is another sender key", stateKey)
	}
	return nil
}

// mayHoldPower is the part of rule 9.3 about the keys of `users` in power levels: "keys that are valid user IDs". In
// pseudonymous rooms these are sender keys (MSC1228, Proposal: see checkMemberKey).
func (r Rules) mayHoldPower(f pseudoid.Format, user string) error {
	switch {
	case !f.Pseudonymous:
		return pseudoid.ValidUserID(user)
	case r.Sigil == SigilNotApplied:
		return nil
	case r.Sigil == SigilBySigil:
		if strings.HasPrefix(user, "@") {
			return pseudoid.ValidUserID(user)
		}
		return nil
	}
	return checkSenderKey(user)
}

// sameDomain reports whether the sender of an event is of a domain, for rules 1.2 and 3. domain is called only if it is
// needed. If either domain is unknown, the rule does not apply.
func (r Rules) sameDomain(e *Event, domain func() (name string, known bool)) bool {
	if e.format.Pseudonymous && r.Domain != DomainByMapping {
		return true
	}
	of, known := r.domainOf(e)
	other, otherKnown := domain()
	return !known || !otherKnown || of == other
}

func (r Rules) domainOf(e *Event) (domain string, known bool) {
	if e.format.Pseudonymous {
		if r.DomainOf == nil {
			return "", false
		}
		return r.DomainOf(e)
	}
	domain, err := pseudoid.UserIDDomain(e.sender)
	return domain, err == nil
}

// domainOfRoomID returns what follows the first colon; a room ID without one names no domain.
func domainOfRoomID(roomID string) (domain string, known bool) {
	_, domain, known = strings.Cut(roomID, ":")
	return domain, known
}

// creator returns the creator of the room: `content.creator` in version 10; the sender of the create event in version
// 11, and in pseudonymous rooms: "`creator` is removed as per MSC2175" (MSC1228, Proposal).
func creator(create *Event) string {
	if create.format.RoomVersion == "10" {
		return text(create.Content("creator"))
	}
	return create.sender
}

// signedBySenderKey returns an error if an event has no valid signature by that sender key. The proposal does not say
// under which entity and key ID such signatures go, so all are tried.
func signedBySenderKey(e *Event, senderKey string) error {
	key, err := pseudoid.ParseSenderKey(senderKey)
	if err != nil {
		return err
	}
	err = fmt.Errorf("%w of sender key %s", pseudoid.ErrNoSignature, senderKey)
	for entity, signatures := range e.Field("signatures").Map() {
		for keyID := range signatures.Map() {
			if pseudoid.VerifyEventSignature(e.raw, e.format, entity, keyID, key) == nil {
				return nil
			}
		}
	}
	return err
}
