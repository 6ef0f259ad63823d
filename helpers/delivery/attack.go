package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

// Attack is a scene in which Origin delivers hostile events: Carol is an honest member of a room of Alice's, and the events are
// of other users.
type Attack struct {
	Scene
	// Entered are the rooms of Origin that Alice joined since the last health check, or may have, and KeptOut those that the server did
	// not let her join.
	Entered, KeptOut []string
	liars            int // users of Origin whose events are hostile
	// Chances are how many gaps hostile events were in, or hostile answers the peer had, and Taken how many of these the server asked for.
	Chances, Taken int
	// Given are the client views of a room that she made that Alice was given before hostile events came, by name.
	Given map[string]bool
	// Elsewhere is an honest room, of Alice and Neighbour, a user of an honest peer.
	Elsewhere *stage.Room
	Neighbour *federation.User
	Uses      []Use  // what must still work
	aliasMade string // of the honest room
	numbers   int    // given so far
}

// apart separates inputs whose events are not valid JSON, or nest too deep for most parsers, from the others, which no server
// would parse in one list with them.
func (a *Attack) apart(inputs []hostile.Input) (groups [][]hostile.Input) {
	var whole, broken []hostile.Input
	for i, event := range a.forgeAll(inputs) {
		if json.Valid(event.JSON()) {
			whole = append(whole, inputs[i])
		} else {
			broken = append(broken, inputs[i])
		}
	}
	return slices.DeleteFunc([][]hostile.Input{whole, broken}, func(group []hostile.Input) bool { return len(group) == 0 })
}

// togetherOrApart delivers inputs together. If the server refuses that, because of some of them, it delivers each by itself, so that these
// hide nothing of the others. Halving the list would take more deliveries, because servers refuse most of the inputs.
func togetherOrApart(inputs []hostile.Input, deliver func([]hostile.Input) (refused bool)) {
	if refused := deliver(inputs); refused && len(inputs) > 1 {
		for i := range inputs {
			deliver(inputs[i : i+1])
		}
	}
}

// OpenAttack makes the rooms of an attack. It returns an error if the server does not work already.
func OpenAttack(s *stage.Stage) (*Attack, error) {
	a := &Attack{Scene: Scene{Stage: s, Origin: s.Peer()}}
	a.Carol = a.Origin.User("carol")
	honest := s.Peer()
	a.Neighbour = honest.User("neighbour")
	var err error
	if a.Alice, err = s.TryUser(1, "alice"); err == nil {
		a.Room, err = a.opens(a.Origin, a.Carol)
	}
	if err == nil {
		a.Elsewhere, err = a.opens(honest, a.Neighbour)
	}
	return a, a.OrDied(err)
}

// opens makes a room of Alice that a user of a peer joins.
func (a *Attack) opens(peer *stage.Peer, user *federation.User) (*stage.Room, error) {
	roomID, err := a.Alice.TryRoom(a.Format().RoomVersion, stage.Public)
	if err != nil {
		return nil, fmt.Errorf("a client cannot create another room: %w", err)
	}
	return peer.TryJoin(a.ServerName(1), roomID, user)
}

// dyingTime is how long it may take until the end of a server that does not answer is known, on a quiet machine.
const dyingTime = time.Second

// OrDied returns err, or the death of the server in its place if it died.
func (a *Attack) OrDied(err error) error {
	patience := time.Duration(0)
	if err != nil {
		patience = dyingTime
	}
	ctx, cancel := a.C.Within(patience)
	defer cancel()
	select {
	case <-a.Deployment.Died():
	case <-ctx.Done():
	}
	if cause := a.Deployment.Death().Cause; cause != "" {
		return fmt.Errorf("the server died: %s", cause)
	}
	return err
}

// asks sends a request and ignores the answer. The request ends when the server dies.
func (a *Attack) asks(request func(ctx context.Context) error) {
	ctx, cancel := a.While()
	defer cancel()
	if err := request(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.C.Notef("a hostile request got no answer: %v", err)
	}
}

// While returns a context for one request, which ends when the server dies.
func (a *Attack) While() (context.Context, context.CancelFunc) {
	ctx, cancel := a.C.Within(stage.Patience)
	go func() {
		select {
		case <-a.Deployment.Died():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Honest returns what hostile member events of a user are made from: event, or if that is nil the user's join at the end of
// the room.
func (a *Attack) Honest(room *stage.Room, user *federation.User, event []byte) hostile.Honest {
	if event == nil {
		event = room.BuildsMember(user, "join").JSON()
	}
	signer := user.Peer().Signer()
	return hostile.Honest{
		Event: event, Format: room.Format(), Key: user.KeyIn(room.ID()),
		Server: signer.Entity, ServerKeyID: signer.KeyID, ServerKey: signer.Key, UnderTest: a.ServerName(1),
	}
}

func (a *Attack) forgeAll(inputs []hostile.Input) []federation.Event {
	return a.forgeIn(a.Room, inputs)
}

// forgeIn makes an event of each input, each by another user of Origin.
func (a *Attack) forgeIn(room *stage.Room, inputs []hostile.Input) (events []federation.Event) {
	for _, input := range inputs {
		forged := a.Honest(room, a.liar(), nil).Forge(input)
		events = append(events, a.marks(forged))
	}
	return events
}

// liar returns another user of Origin.
func (a *Attack) liar() *federation.User {
	a.liars++
	return a.Origin.User(fmt.Sprintf("liar%d", a.liars))
}

// marks marks a hostile event as the suite's own.
func (a *Attack) marks(forged hostile.Forged) federation.Event {
	return a.Origin.Marks(forged.JSON, forged.ID, forged.Key)
}

// withHostile adds events to a list in an answer, byte by byte as they are.
func withHostile(answer federation.Answer, list string, events []federation.Event) federation.Answer {
	if !answer.OK() {
		return answer
	}
	raw := []byte("[")
	for i, event := range answer.Get(list).Array() {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, event.Raw...)
	}
	for _, event := range events {
		if len(raw) > 1 {
			raw = append(raw, ',')
		}
		raw = append(raw, event.JSON()...)
	}
	return answer.SetRaw(list, append(raw, ']'))
}
