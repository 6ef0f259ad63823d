package routing

// Whether access control lists look at mappings, besides the name of the server that sends.

import (
	"fmt"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/verdict"
)

// A list names servers, and the texts do not say whether a key whose mapping names one is meant. An allowed server brings what a
// user of a denied one wrote, whose mapping is proven, and what one wrote whose mapping is only a claim: its server's keys cannot
// be had.
var _ = check.Register(check.Check{
	Name:     "whether a room's list looks at mappings",
	Requires: []string{"routing/acl-and-claims"},
	Path:     "send",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		unproven := l.Peer()
		claimant := unproven.User("claimant")
		unproven.PlayDead(federation.DeadRefusing, federation.ServerKeys, federation.KeyQuery)
		join := l.dansRoom.BuildsMember(claimant, "join")
		pushes(c, l.dansRoom, join)
		l.barrier()
		if _, err := l.alice.Event(c.Context(), l.roomID, join.ID()); err == nil {
			l.dansRoom.Apply(join)
		}

		brings := func(user *federation.User, text string) bool {
			said := l.dansRoom.Builds(federation.TextMessage(user, text))
			answer, err := l.dansRoom.Pushes(said)
			c.Need("resilience/stays-up", err)
			c.Notef("the server answered an event of %s, brought by an allowed server, with %s", user.ID(), delivery.Short(answer.Answer))
			l.barrier()
			_, err = l.alice.Event(c.Context(), l.roomID, said.ID())
			return err == nil
		}
		if !brings(l.carol, "said before the list") {
			c.Observe(verdict.NoneSeen, "an event of another server's user is not taken before the list either")
			return
		}
		claimTaken := brings(claimant, "said before the list")
		set := l.alice.Sets(l.roomID, "m.room.server_acl", "", map[string]any{
			"allow": []string{"*"}, "deny": []string{hostOf(l.denied.Name()), hostOf(unproven.Name())}, "allow_ip_literals": true,
		})
		l.dansRoom.Blaming("routing/reaches-members").AwaitsEvent(set)
		proven, claim := brings(l.carol, "said after the list"), brings(claimant, "said after the list")
		detail := fmt.Sprintf("of a member of a denied server whose mapping is proven, an event that an allowed server brings is taken: %t; "+
			"of one whose mapping is not: before the list %t, after it %t", proven, claimTaken, claim)
		switch {
		case !claimTaken:
			c.Observe(verdict.NoneSeen, "what a list does to a mapping that is only a claim cannot be told: %s", detail)
		case proven && claim:
			c.Observe("never", "%s", detail)
		case claim:
			c.Observe("proven-only", "%s", detail)
		case !proven:
			c.Observe("claimed-too", "%s", detail)
		default:
			c.Observe("other", "%s", detail)
		}
	},
})
