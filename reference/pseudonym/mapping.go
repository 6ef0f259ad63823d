package pseudonym

// This file writes the link of a sender key to a user ID into the own users' member events.

import (
	"encoding/json"
	"fmt"

	"msc4014/helpers/pseudoid"
)

// NewMapping makes the mapping of an own user's key: the key, the user ID, and a signature over both by the domain of
// the user ID, without which any server could claim the link (MSC4014, Proposal 4 and 4.1). It is an error if the user
// is not of the server that signs. No room ID is signed with it: that is a TODO of the text (Proposal 4.3).
func (r Rules) NewMapping(key pseudoid.SenderKey, userID string, by ServerSigner) ([]byte, error) {
	domain, err := pseudoid.UserIDDomain(userID)
	if err != nil {
		return nil, fmt.Errorf("making a mapping: %w", err)
	}
	if domain != by.Name {
		return nil, fmt.Errorf("making a mapping: %s is of %s, for which %s cannot sign", userID, domain, by.Name)
	}
	mapping := pseudoid.NewMapping(r.Dialect, key, userID)
	return pseudoid.SignMapping(mapping, by.Name, by.KeyID, by.Key)
}

// MemberContent returns the content of a member event with the mapping in it, or without one where it has no place.
// Whatever stood in the field before, written by a client, is gone. mapping is that of the member whose key is the
// state key; for another's kick or ban it is the one that the member's own server signed, or nil if none is known.
func (r Rules) MemberContent(content []byte, mapping []byte, byMember bool) ([]byte, error) {
	o, err := parseObject(content, "the content of a member event")
	if err != nil {
		return nil, err
	}
	delete(o, pseudoid.MappingField)
	if mapping != nil && r.CarriesMapping(o.text("membership"), byMember) {
		o[pseudoid.MappingField] = json.RawMessage(mapping)
	}
	return o.raw(), nil
}

// CarriesMapping tells which own member events carry a mapping; byMember says that the member itself is the sender.
//
// There is a new field in the content of m.room.member events (MSC4014, Proposal 4): all of them, to the letter. Invite
// and join events include it (MSC1228, Proposal): these two. Joins are profile changes too. For the others it is open
// (mapping/in-leave-ban-knock); by default those have it that a member writes about itself, since whoever sees a knock
// or a leave and no join before it has nothing else to know the member by.
func (r Rules) CarriesMapping(membership string, byMember bool) bool {
	switch membership {
	case membershipJoin, membershipInvite:
		return true
	}
	switch r.Readings.InLeaveBanKnock {
	case "all":
		return true
	case "own-only":
		return byMember
	}
	return false
}

// Effect says what the mapping of a member event can do.
type Effect int

// The effects.
const (
	NoEffect   Effect = iota
	Introduces        // it names a member of whom nothing is known, and replaces nothing
	Sets              // it is the member's newest
)

// EffectOf tells which member events may change which user a key stands for: "when a new invite/join event turns up"
// (MSC1228, Implementation). A knock is how a server that has not joined yet introduces its user, so it counts as they
// do. A leave or a ban may bring the mapping along for those who have never seen another, and changes none that is there.
func (r Rules) EffectOf(membership string) Effect {
	switch membership {
	case membershipJoin, membershipInvite, membershipKnock:
		return Sets
	case membershipLeave, membershipBan:
		return Introduces
	}
	return NoEffect
}
