package twins

// What a session is: a cast and steps, which are data, so that it can be shortened and told.

import (
	"fmt"
	"slices"
	"strings"
)

// Cast says who takes part in a session.
type Cast struct {
	Name string
	// Users has the place of each user's server, counted from 1. The first user makes the room.
	Users []int
	// Guests is the number of users of a peer.
	Guests int
}

// The casts.
var (
	OneServer  = Cast{Name: "one server", Users: []int{1, 1, 1}}
	TwoServers = Cast{Name: "two servers", Users: []int{1, 2, 1}}
	WithPeer   = Cast{Name: "a peer's user", Users: []int{1, 1}, Guests: 1}
)

// size returns the number of users, those of the peer included.
func (c Cast) size() int { return len(c.Users) + c.Guests }

// guest reports whether a user is one of the peer's, who come last.
func (c Cast) guest(user int) bool { return user >= len(c.Users) }

// place is where a user's server is, 0 for the peer.
func (c Cast) place(user int) int {
	if c.guest(user) {
		return 0
	}
	return c.Users[user]
}

// neighbour returns another user of the server of the first, which each cast has.
func (c Cast) neighbour() int {
	return 1 + slices.Index(c.Users[1:], c.Users[0])
}

// far returns the first user that is not on the server of who makes the room, or the second user.
func (c Cast) far() int {
	for user := range c.size() {
		if c.place(user) != c.Users[0] {
			return user
		}
	}
	return 1
}

// first reports whether a user is the first of a homeserver of the cast.
func (c Cast) first(user int) bool {
	return !c.guest(user) && slices.Index(c.Users, c.Users[user]) == user
}

// nobody stands for no user, and nothing for no step.
const (
	nobody  = -1
	nothing = -1
)

// names are what stories call the users.
var names = []string{"alice", "bob", "carol", "dave", "erin"}

// Session is a script of client requests.
type Session struct {
	Cast  Cast
	Seed  uint64
	Steps []Step
}

// Step is one request.
type Step struct {
	ID   int // stays the same when others are dropped
	Kind string
	By   int    // the user that asks
	Whom int    // the user that is named, or nobody
	Of   int    // the ID of the step whose event is named, or nothing
	Arg  string // what else varies, by kind
	Look bool   // all views are compared after it
}

// without returns the session without some steps, and without those that name an event of one of them.
func (s Session) without(gone ...int) Session {
	dropped := map[int]bool{}
	for _, id := range gone {
		dropped[id] = true
	}
	shorter := s
	shorter.Steps = nil
	for _, step := range s.Steps {
		if dropped[step.ID] || dropped[step.Of] {
			dropped[step.ID] = true
			continue
		}
		shorter.Steps = append(shorter.Steps, step)
	}
	return shorter
}

// past returns the session without the steps after which the rooms took different ways: what one room refused a user, from then on, or, if
// an event was lost, all steps of its kind. If it was the creation, the room is created by its preset alone. The session has no steps if nothing is left
// to try.
func (s Session) past(parting Difference) Session {
	if parting.StepID == s.Steps[0].ID {
		if len(s.words()) < 2 {
			return Session{}
		}
		return s.createdBy(s.words()[0])
	}
	kind, by := kindsByName[parting.Step], s.by(parting.StepID)
	gone := []int{parting.StepID}
	for _, step := range s.Steps {
		lost := parting.losesEvent() && (kind.event || kind.account)
		refused := !parting.losesEvent() && step.By == by && step.ID >= parting.StepID
		if step.Kind == parting.Step && (lost || refused) {
			gone = append(gone, step.ID)
		}
	}
	return s.without(gone...)
}

// by returns the user whose step it is, or nobody.
func (s Session) by(id int) int {
	for _, step := range s.Steps {
		if step.ID == id {
			return step.By
		}
	}
	return nobody
}

// words are those that say how the room is created.
func (s Session) words() []string { return strings.Fields(s.Steps[0].Arg) }

// createdBy returns the session with a room that is created by these words.
func (s Session) createdBy(words ...string) Session {
	s.Steps = slices.Clone(s.Steps)
	s.Steps[0].Arg = strings.Join(words, " ")
	return s
}

// until returns the session up to a step.
func (s Session) until(id int) Session {
	at := slices.IndexFunc(s.Steps, func(step Step) bool { return step.ID == id })
	if at >= 0 {
		s.Steps = slices.Clone(s.Steps[:at+1])
	}
	return s
}

// merged returns the session with one user's part given to another of the same server, and without the last user if it is not needed.
func (s Session) merged(from, into int) Session {
	merged := s
	merged.Steps = slices.Clone(s.Steps)
	for i := range merged.Steps {
		if merged.Steps[i].By == from {
			merged.Steps[i].By = into
		}
		if merged.Steps[i].Whom == from {
			merged.Steps[i].Whom = into
		}
	}
	return merged
}

// String returns one line about a step: "3 bob: kick (carol)".
func (s Step) String() string {
	text := fmt.Sprintf("%s: %s", names[s.By], s.Kind)
	if s.Whom != nobody {
		text += " " + names[s.Whom]
	}
	if s.Of != nothing {
		text += fmt.Sprintf(", of the event of step %d", s.Of)
	}
	if s.Arg != "" {
		text += fmt.Sprintf(" (%s)", s.Arg)
	}
	return text
}
