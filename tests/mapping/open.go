package mapping

// What the texts leave open about true mappings: of another room, by old keys, with further signatures, by another server.

import (
	"time"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// The TODO of the text: nothing in the signature ties a mapping to a room (MSC4014, Proposal 4.3). Its key must sign the
// event that brings it along, so that only who holds the key can take it to another room.
var _ = check.Register(check.Check{
	Name:     "a mapping of another room",
	Requires: []string{"mapping/replayed-into-another-room"},
	Path:     "send",
	Body: func(c *check.C) {
		s := openScene(c, nobody, true)
		user := s.Origin.User("traveller")
		first := s.Room.BuildsMember(user, "join")
		before, _ := s.pushJoin(user, first)
		if before != honoured {
			c.Blocked("membership/remote-joins-us", "the first join of the user was %s", before)
		}
		mapping, _ := pseudoid.MappingOf(first.JSON())
		key := user.KeyIn(s.Room.ID())

		s.Room = s.MakesRoom()
		s.AliceJoins()
		user.UseKey(s.Room.ID(), key)
		fate, refusal := s.pushJoin(user, s.Room.Made(s.Room.MemberTemplate(user, "join").WithMapping(mapping)))
		reading := map[string]string{honoured: honoured, refused: refused, placeholder: "not-honoured", hidden: "not-honoured"}[fate]
		if reading == "" {
			reading = "other"
		}
		c.Observe(reading, "the join that brought it along: %s; the sender was answered with an error: %t", fate, refusal)
	},
})

// Whether the key that signs a mapping must be valid still is not said. Here it is one that its server lists among its old
// keys (server-server API, publishing keys).
var _ = check.Register(check.Check{
	Name:     "a mapping signed by an expired key",
	Requires: []string{"mapping/expired-server-key"},
	Path:     "send",
	Body: func(c *check.C) {
		s := openScene(c, nobody, false)
		expired := retire(s.Origin)
		s.Room = s.MakesRoom()
		s.AliceJoins()
		user := s.Origin.User("olga")
		fate, refusal := s.pushJoin(user, s.Room.Made(s.Room.MemberTemplate(user, "join").MappingSignedBy(expired)))
		reading := fate
		if fate != honoured && fate != refused && fate != placeholder {
			reading = "other"
		}
		c.Observe(reading, "the join: %s; the sender was answered with an error: %t", fate, refusal)
	},
})

// retire makes a peer publish a key that expired an hour ago, and returns a signer with it.
func retire(peer *stage.Peer) federation.Signer {
	pair := pseudoid.GenerateKeyPair()
	expired := federation.Signer{Entity: peer.Name(), KeyID: "ed25519:retired", Key: pair.Private}
	peer.Handle(federation.ServerKeys, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		answer := honest().Delete("signatures").Set("old_verify_keys", map[string]any{
			expired.KeyID: map[string]any{"key": pair.Public, "expired_ts": time.Now().Add(-time.Hour).UnixMilli()},
		})
		signer := peer.Signer()
		signed, err := pseudoid.SignJSON(answer.Body, signer.Entity, signer.KeyID, signer.Key)
		if err != nil {
			return federation.Refusal(500, "M_UNKNOWN", err.Error())
		}
		answer.Body = signed
		return answer
	})
	return expired
}

// A mapping needs the signature of the user ID's domain (MSC4014, Proposal 4). Of others beside it nothing is said.
var _ = check.Register(check.Check{
	Name:     "a mapping with further signatures",
	Requires: []string{"mapping/extra-signatures"},
	Path:     "send",
	Body: func(c *check.C) {
		s := openScene(c, bob, true)
		friend := s.Origin.User("befriended")
		good, _ := s.pushJoin(friend, s.Room.Made(s.Room.MemberTemplate(friend, "join").MappingAlsoSignedBy(s.victim.Signer())))
		other := s.Origin.User("slandered")
		bad, _ := s.pushJoin(other, s.Room.Made(s.Room.MemberTemplate(other, "join").MappingAlsoSignedBy(forged(s.victim.Signer()))))
		reading := "other"
		switch {
		case good == honoured && bad == honoured:
			reading = "ignored"
		case good == honoured:
			reading = "verifiable-only"
		case bad != honoured:
			reading = refused
		}
		c.Observe(reading, "with one that verifies: %s; with one that does not: %s", good, bad)
	},
})

// Whether a server may deliver the join of another server's user is not said: it is signed by the user's key, and its mapping
// by the user's server.
var _ = check.Register(check.Check{
	Name:     "a join that another server brings",
	Requires: []string{"mapping/delivered-by-third-server"},
	Path:     "send_join",
	Body: func(c *check.C) {
		s := openScene(c, bob, true)
		ctx, cancel := s.Origin.Within()
		defer cancel()
		join := s.Room.BuildsMember(s.bob, "join")
		answer, err := s.Origin.SendJoin(ctx, s.ServerName(1), s.Room.ID(), join)
		c.Need("resilience/stays-up", err)
		s.Barrier()
		sent := s.fateOf(join, s.bob.ID())
		bea := s.victim.User("bea")
		pushed, _ := s.pushJoin(bea, s.Room.BuildsMember(bea, "join"))
		reading := "other"
		switch {
		case sent == honoured && pushed == honoured:
			reading = "accepted"
		case sent == refused && pushed == refused:
			reading = refused
		case sent == refused && pushed == honoured:
			reading = "transaction-only"
		case sent == honoured && pushed == refused:
			reading = "send-join-only"
		}
		c.Observe(reading, "by send_join: %s (answered %s); in a transaction: %s",
			sent, delivery.Short(answer.Answer), pushed)
	},
})
