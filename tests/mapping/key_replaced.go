package mapping

// What becomes of mappings when the key that signed them is not published any more.

import (
	"fmt"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// A mapping is signed by a key of the user's server (MSC4014, Proposal 4). What it is worth when that key was replaced is not said:
// when it was verified before, and when it is met afterwards, by a server that knew the old key; under the same key ID, which hides that there was
// another key, and under another one.
var _ = check.Register(check.Check{
	Name:     "mappings signed by a server key that was replaced",
	Requires: []string{"mapping/server-key-replaced"},
	Path:     "the state of send_join",
	Body: func(c *check.C) {
		s := openScene(c, nobody, false)
		sameID := s.replaces(federation.ServerKeyID)
		otherID := s.replaces("ed25519:second")
		c.Observe(readingOfReplaced(sameID, otherID), "under the same key ID: %s; under another key ID: %s", sameID, otherID)
	},
})

// replaced tells in which cases a mapping is honoured whose key was replaced.
type replaced struct{ verifiedBefore, metAfter string } // a fate each

// String describes it as part of a sentence.
func (r replaced) String() string {
	return fmt.Sprintf("a mapping verified before is %s, one met afterwards %s", r.verifiedBefore, r.metAfter)
}

// readingOfReplaced returns the reading.
func readingOfReplaced(sameID, otherID replaced) string {
	before := [2]bool{sameID.verifiedBefore == honoured, otherID.verifiedBefore == honoured}
	after := [2]bool{sameID.metAfter == honoured, otherID.metAfter == honoured}
	both, neither := [2]bool{true, true}, [2]bool{}
	switch {
	case before == both && after == both:
		return "honoured"
	case before == both && after == neither:
		return "verified-before-only"
	case before == [2]bool{false, true} && after == before || before == both && after == [2]bool{false, true}:
		return "same-id-not-honoured"
	case before == [2]bool{true, false} && after == before || before == both && after == [2]bool{true, false}:
		return "other-id-not-honoured"
	case before == neither && after == neither:
		return "not-honoured"
	}
	return "other"
}

// replaces lets a server, whose keys are known, replace its key. A user of it is known before, another one, whose mapping was signed
// before, is met afterwards.
func (s scene) replaces(keyID string) (r replaced) {
	server, public := s.Peer(), s.Alice.Makes(stage.Public)
	s.Room = s.MakesRoom()
	known := s.Room.Applies(s.Room.MemberTemplate(server.User("known"), "join"))
	fate := s.meets(known, server.User("known"))
	if fate != honoured {
		s.Alice.LetsVerify(s.Room.ID(), server.User("known").ID())
		fate = s.fateOf(known, server.User("known").ID())
	}
	if fate != honoured {
		s.C.Need("membership/join-remote", fmt.Errorf("a member of the room joined is %s, with a mapping that its server signed", fate))
	}
	before := s.Room
	s.Room = s.MakesRoom()
	late := s.Room.Applies(s.Room.MemberTemplate(server.User("late"), "join"))
	server.ReplaceKey(keyID)

	after := s.Room
	s.Room = before
	visitor := server.User("visitor")
	if keyID == federation.ServerKeyID { // nothing tells the server that it must ask again
		answer, err := server.MakeJoin(s.C.Context(), s.ServerName(1), public, visitor.ID())
		s.C.Need("resilience/stays-up", err)
		s.C.Notef("a request signed by the new key, under the same key ID, was answered %s", delivery.Short(answer))
	} else if refusal := scenes.AwaitsNewKey(s.Stage, server, public, visitor, func() { s.Barrier() }); refusal != "" {
		s.C.Notef("requests signed by the new key, under %s, were answered %s until the end", keyID, refusal)
	}
	r.verifiedBefore = s.fateOf(known, server.User("known").ID())
	s.Room = after
	r.metAfter = s.meets(late, server.User("late"))
	return r
}

// meets lets Alice join the room, and returns what became of a member's join in its state.
func (s scene) meets(join federation.Event, user *federation.User) string {
	if entered := s.Enters(); entered.KeptOut != nil {
		return "in a room that cannot be entered"
	}
	return s.fateOf(join, user.ID())
}
