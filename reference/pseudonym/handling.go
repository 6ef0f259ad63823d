package pseudonym

// This file says what becomes of a member event once its mapping is judged.

import (
	"errors"

	"msc4014/helpers/pseudoid"
)

var errReplayed = errors.New("the mapping was seen in another room")

// Handling is what becomes of a member event.
type Handling int

// The ways to handle a member event.
const (
	Refuse  Handling = iota // reject it, and tell who sent it
	Drop                    // reject it, and tell nobody
	Accept                  // take it; the directory knows by the judgement which name its member has
	Conceal                 // take it into the state that peers are served, and show it to no client
)

// Handle tells what becomes of a member event by the judgement of its mapping.
//
// If the signature is wrong, we reject the event (MSC1228, Implementation). If the sender cannot be verified, the event
// is accepted, under a fake user ID (MSC4014, Changes 6). The texts meet where a mapping is neither: missing, unsigned,
// signed by others (mapping/unproven-handling); by default it is wrong as well. That is said of invites and joins;
// MSC1228 asks for no mapping in another event, so a leave or a ban takes effect whatever it claims, and a knock may be
// without one: the claim alone is not honoured. In the deployed dialect neither do invites have one.
func (r Rules) Handle(membership string, j Judgement) Handling {
	switch {
	case j.Cause == NoMemberEventKey:
		return Refuse
	case j.Verdict != Wrong, r.EffectOf(membership) != Sets:
		return Accept
	case j.Cause == Missing && (membership == membershipKnock || membership == membershipInvite && r.invitesLackMapping()):
		return Accept
	case j.Cause == BadSignature && r.Readings.UnprovenHandling != "dropped":
		return Refuse // what a known key disproves is refused in every reading
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

// Replayed gives the judgement of a mapping that was seen in another room before, with the same key. Nothing in the
// signature ties it to a room; the text knows, and leaves it a TODO (MSC4014, Proposal 4.3). A stranger gains nothing by
// lifting it, since the member event must be signed by the key that the mapping names.
func (r Rules) Replayed(j Judgement) Judgement {
	switch {
	case j.Verdict != Verified || r.Readings.Replayed == "honoured":
		return j
	case r.Readings.Replayed == "refused":
		return Judgement{Wrong, ReplayedMapping, j.Mapping, errReplayed}
	default:
		return Judgement{Unproven, ReplayedMapping, j.Mapping, errReplayed}
	}
}

// MayDeliver tells whether a server may bring the join of a user of another one (mapping/delivered-by-third-server): in
// ordinary rooms it may in a transaction, as a resident does, and send_join is for the own users alone. bySendJoin
// tells the two apart. A mapping that is not verified counts by the domain that it claims.
func (r Rules) MayDeliver(origin string, m pseudoid.Mapping, bySendJoin bool) bool {
	domain, err := pseudoid.UserIDDomain(m.UserID)
	if err != nil || domain == origin { // a member without a domain has no server to be another one than
		return true
	}
	// Who believes what any server signs, or nobody, lets any server bring it.
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
