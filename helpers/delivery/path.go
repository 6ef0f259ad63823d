// Package delivery holds the delivery paths: the ways by which a server receives events of other servers, each written once,
// and the scenes in which events are delivered.
package delivery

import (
	"errors"
	"slices"

	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

// Path is one delivery path. Not every path can carry every event, so that a field may be nil.
type Path struct {
	Name string
	// Kinds are the kinds of event that it carries, the usual one first.
	Kinds []Kind
	// Enters: the server under test joins a room that has the event already.
	Enters bool
	// Gap: the server under test misses events before the one that it is sent. Of several gaps in one room deployed servers
	// fill the first alone, so that each event has a room of its own.
	Gap bool
	// Known: the server knows the sender by another event, too.
	Known bool
	// Push sends the event itself to the server under test.
	Push Push
	// Deliver delivers an event to the server under test, and returns when the server has processed it. joiner is whom the
	// event makes a member; only paths of JoinPaths use it.
	Deliver func(s Scene, event federation.Event, joiner *federation.User) Delivery
	// Introduce delivers the join and a message of a member in a room of its own, and between them the joins of others. It returns an
	// error if clients are not shown what the member wrote, whatever becomes of the others.
	Introduce func(s Scene, member *federation.User, others ...Other) (Introduction, error)
	// Attack delivers hostile events, and returns when the server has answered or ran out of time. The answers are ignored.
	Attack func(a *Attack, inputs []hostile.Input)
	// Documents are what hostile inputs change; nil: member events.
	Documents []hostile.Document
	// Placeholders are those of the documents besides those of all (Attack.Write); nil: none.
	Placeholders func(a *Attack) []string
	// Uses are what the path is for: what works before an attack must work after it.
	Uses []Use
}

// Push sends an event of a peer to the server under test. It returns the answer, or an error if none came.
type Push func(room *stage.Room, event federation.Event) (federation.Answer, error)

// Delivery is what became of an event that was delivered.
type Delivery struct {
	Answer  string // of the server under test, or whether Alice could join the room
	KeptOut error  // why the server under test did not join the room; nil if it did
	// Shows is an event of the joiner that clients are shown if its join is honoured; zero: the join itself.
	Shows federation.Event
	// Barrier is a message that Alice was shown after the delivery, and that does not depend on what was delivered.
	Barrier federation.Event
}

var (
	// Paths carry any event of the kinds that they name.
	Paths = []Path{Send, SendJoin, StateOfSendJoin, Backfill, GetMissingEvents, State}
	// JoinPaths carry joins.
	JoinPaths = []Path{
		Send, SendJoin, StateOfSendJoin, GetMissingEvents, State,
		AuthChainOfSendJoin, BackfillOfMember, EventAuth, CompletedInvite,
	}
	// MembershipPaths carry member events that are not joins.
	MembershipPaths = []Path{SendLeave, SendKnock}
)

// Carries returns the first of the path's kinds that is among kinds.
func (p Path) Carries(kinds []Kind) (Kind, bool) {
	for _, kind := range p.Kinds {
		if slices.Contains(kinds, kind) {
			return kind, true
		}
	}
	return 0, false
}

// pushed returns a Deliver that pushes the event and waits for a barrier.
func pushed(push Push) func(Scene, federation.Event, *federation.User) Delivery {
	return func(s Scene, event federation.Event, _ *federation.User) Delivery {
		answer, err := push(s.Room, event)
		s.C.Need("resilience/stays-up", err)
		return Delivery{Answer: Short(answer), Barrier: s.Barrier()}
	}
}

// Short returns an answer in short: that to an accepted join has the whole state of the room.
func Short(answer federation.Answer) string {
	if answer.OK() && answer.Get("state").Exists() {
		return "200 and the room's state"
	}
	return answer.String()
}

// WithAnswer adds the answer of the server to an error.
func WithAnswer(err error, answer string) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, errors.New("the server answered "+answer))
}
