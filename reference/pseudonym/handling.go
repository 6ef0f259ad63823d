package pseudonym

// This file decides what becomes of a member event once its mapping is judged.

import (
	"errors"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

var errReplayed = errors.New("the mapping was seen in another room")

// Handling is a way to handle a member event.
type Handling int

const (
	Refuse  Handling = iota // reject it, and return an error to its sender
	Drop                    // reject it silently
	Accept                  // accept it; the judgement decides under which name the directory shows the member
	Conceal                 // accept it into the state that peers are served, but show it to no client
)

// Handle decides how to handle a member event whose mapping has been judged.
//
// If the signature is wrong, we reject the event (MSC1228, Implementation). If the sender cannot be verified, the event
// is accepted, under a fake user ID (MSC4014, Changes 6). The texts overlap for a mapping that is missing, unsigned or
// signed only by other servers (mapping/unproven-handling); by default it is wrong as well. This applies to invites,
// joins and knocks. MSC1228 asks for no mapping in other member events than invites and joins, so a leave or a ban takes
// effect whatever it claims, and a knock may lack a mapping. In the deployed dialect invites lack one as well.
func (r Rules) Handle(membership string, j Judgement) Handling {
	switch {
	case j.Cause == NotAMemberKey:
		return Refuse
	case j.Verdict != Wrong, r.EffectOf(membership) != Sets:
		return Accept
	case j.Cause == Missing && (membership == membershipKnock || membership == membershipInvite && r.invitesLackMapping()):
		return Accept
	case j.Cause == BadSignature && r.Readings.UnprovenHandling != "dropped":
		return Refuse // a signature that a known key disproves is refused under every reading
	}
	switch r.Readings.UnprovenHandling {
	case "placeholder":
		return Accept
	case "accepted-hidden":
		return Conceal
	case "dropped":
		return Drop
	}
	return Refuse
}

// Replayed adjusts the judgement of a mapping that was seen in another room before, with the same key. Nothing in the
// signature binds a mapping to a room; the text leaves that as a TODO (MSC4014, Proposal 4.3). Only the
// holder of the key gains by copying it, since the member event must be signed by the key that the mapping names.
func (r Rules) Replayed(j Judgement) Judgement {
	switch {
	case j.Verdict != Verified || r.Readings.Replayed == "honoured":
		return j
	case r.Readings.Replayed == "refused":
		return Judgement{Wrong, ReplayedMapping, j.Mapping, errReplayed}
	default:
		return Judgement{Unverified, ReplayedMapping, j.Mapping, errReplayed}
	}
}

// MayDeliver reports whether a server may deliver the join of another server's user
// (mapping/delivered-by-third-server). In ordinary rooms a resident server may do so in a transaction, but send_join is
// for a server's own users alone. An unverified mapping counts by the domain that it claims. A server that answers a request, as for
// missing events, delivers nothing.
func (r Rules) MayDeliver(origin string, m pdu.Mapping, bySendJoin bool) bool {
	domain, err := identity.UserIDDomain(m.UserID)
	if err != nil || domain == origin { // a user ID without a domain belongs to no other server
		return true
	}
	switch r.Readings.ThirdServer {
	case "accepted":
		return true
	case "send-join-only":
		return bySendJoin
	case "transaction-only":
		return !bySendJoin
	}
	return false
}
