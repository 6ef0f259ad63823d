package pseudonym

// This file writes the mapping from a sender key to a user ID into the member events of local users.

import (
	"encoding/json"
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// NewMapping returns the mapping of a local user's key: the key, the user ID, and a signature over both by the domain
// of the user ID, without which any server could claim the link (MSC4014, Proposal 4 and 4.1). It returns an error if
// the user is not of the server that signs. The signature does not cover a room ID: that is a TODO of the text
// (Proposal 4.3).
func (r Rules) NewMapping(key identity.SenderKey, userID string, by ServerSigner) ([]byte, error) {
	domain, err := identity.UserIDDomain(userID)
	if err != nil {
		return nil, fmt.Errorf("making a mapping: %w", err)
	}
	if domain != by.Name {
		return nil, fmt.Errorf("making a mapping: %s is of %s, for which %s cannot sign", userID, domain, by.Name)
	}
	mapping := pdu.UnsignedMapping(r.Dialect, key, userID)
	return pdu.SignJSON(mapping, by.Name, by.KeyID, by.Key)
}

// MemberContent returns the content of a member event with its mapping, or without one if the event carries none.
// Anything that a client wrote in the field is removed. mapping is that of the member whose key is the state key; for a
// kick or ban of another server's user it is the one that the user's server signed, or nil if none is known.
func (r Rules) MemberContent(content []byte, mapping []byte, byMember bool) ([]byte, error) {
	o, err := parseObject(content, "the content of a member event")
	if err != nil {
		return nil, err
	}
	delete(o, pdu.MappingField)
	if mapping != nil && r.CarriesMapping(o.text("membership"), byMember) {
		o[pdu.MappingField] = json.RawMessage(mapping)
	}
	return o.raw(), nil
}

// CarriesMapping reports whether a member event made here carries a mapping; byMember means that the member itself is
// the sender.
//
// There is a new field in the content of m.room.member events (MSC4014, Proposal 4): to the letter, all of them. Invite
// and join events include it (MSC1228, Proposal): these two. Profile changes are joins too. For the other memberships
// it is open (mapping/in-leave-ban-knock). By default the events that a member sends about itself carry one: a server
// that sees a knock or a leave without a join before it has no other way to know the member.
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

// Effect is what the mapping of a member event may change.
type Effect int

const (
	NoEffect   Effect = iota
	Introduces        // it names a member that has no mapping yet, but replaces none
	Sets              // it is the member's newest mapping
)

// EffectOf returns the effect of the mapping in an event with this membership: "when a new invite/join event turns up"
// (MSC1228, Implementation). A knock is how a server that has not joined yet introduces its user, so it counts like
// them. A leave or a ban may introduce the mapping to servers that have not seen one, but replaces none.
func (r Rules) EffectOf(membership string) Effect {
	switch membership {
	case membershipJoin, membershipInvite, membershipKnock:
		return Sets
	case membershipLeave, membershipBan:
		return Introduces
	}
	return NoEffect
}
