package routing

// How many requests a domain gets because of members who claim it without proof.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// claimants is how many members claim users of the domain.
const claimants = 6

// A mapping is verified with a key of the domain that it claims (MSC4014, Proposal 4.1), so anybody can have other servers ask a domain
// for keys. Nothing bounds how often. The claims are signed under key IDs that the domain does not publish, each under another one, so
// that no answer settles two of them, and all are met at once, in the state of a room.
var _ = check.Register(check.Check{
	Name:     "how many requests members who claim a domain without proof lead to",
	Requires: []string{"routing/look-ups-bounded"},
	Path:     "the state of send_join",
	Body: func(c *check.C) {
		s := delivery.Open(stage.Open(c, blueprints.OneServer))
		domain := s.Peer()
		s.Room = s.MakesRoom()
		for i := range claimants {
			liar := s.Origin.User(fmt.Sprintf("liar%d", i))
			signer := federation.Signer{Entity: domain.Name(), KeyID: fmt.Sprintf("ed25519:claim%d", i), Key: pseudoid.GenerateKeyPair().Private}
			claim := s.Room.MemberTemplate(liar, "join").Claiming(domain.User(fmt.Sprintf("user%d", i)).ID())
			s.Room.Applies(claim.MappingSignedBy(signer))
		}
		entered := s.Enters()
		requests := domain.Requests()
		c.Observe(boundOf(len(requests)), "%d members claim the domain; it got %s, and the room was answered with %s",
			claimants, describeRequests(requests), entered.Answer)
	},
})

// boundOf returns the reading of so many requests.
func boundOf(requests int) string {
	switch {
	case requests == 0:
		return "none"
	case requests < claimants:
		return "fewer-than-members"
	case requests == claimants:
		return "one-a-member"
	}
	return "more-than-members"
}

// describeRequests counts requests by endpoint.
func describeRequests(requests []federation.Request) string {
	if len(requests) == 0 {
		return "no request"
	}
	text, counted := "", map[federation.Endpoint]int{}
	for _, request := range requests {
		counted[request.Endpoint]++
	}
	for _, request := range requests {
		if count := counted[request.Endpoint]; count > 0 {
			text += fmt.Sprintf(", %d of %v", count, request.Endpoint)
			counted[request.Endpoint] = 0
		}
	}
	return text[2:]
}
