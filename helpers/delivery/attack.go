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
	Entered []string // rooms of Origin that Alice tried to join since the server was looked at
	liars   int      // users of Origin that hostile events are of
	// Elsewhere is an honest room, of Alice and Neighbour, a user of an honest peer.
	Elsewhere *stage.Room
	Neighbour *federation.User
}

// apart puts inputs that make what holds them no JSON, or too deep for most readers, apart from the others, which would
// not be read at all beside them.
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

// OpenAttack prepares rooms on a server that may be ill already: the error says so.
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

// opens makes a room of Alice, which a user of a peer joins.
func (a *Attack) opens(peer *stage.Peer, user *federation.User) (*stage.Room, error) {
	roomID, err := a.Alice.TryRoom(a.Format().RoomVersion, stage.Public)
	if err != nil {
		return nil, fmt.Errorf("a client that makes another room: %w", err)
	}
	return peer.TryJoin(a.ServerName(1), roomID, user)
}

// dyingTime is how long the end of a server may stay unknown, on a quiet machine, when it does not answer.
const dyingTime = time.Second

// OrDied returns err, or in its place that the server died, which says more.
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

// asks makes a request whose answer is not looked at, while the server lives.
func (a *Attack) asks(request func(ctx context.Context) error) {
	ctx, cancel := a.While()
	defer cancel()
	if err := request(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.C.Notef("a hostile request got no answer: %v", err)
	}
}

// While is a context for one request: it ends when the server dies.
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

// Honest is what hostile member events of a user are made of; event nil: the user's join at the room's end.
func (a *Attack) Honest(room *stage.Room, user *federation.User, event []byte) hostile.Honest {
	if event == nil {
		event = room.BuildsMember(user, "join").JSON()
	}
	signer := user.Peer().Signer()
	return hostile.Honest{
		Event: event, Format: room.Format(), Key: user.KeyIn(room.ID()), KeyID: federation.SenderKeyID,
		Server: signer.Entity, ServerKeyID: signer.KeyID, ServerKey: signer.Key, UnderTest: a.ServerName(1),
	}
}

func (a *Attack) forgeAll(inputs []hostile.Input) []federation.Event {
	return a.forgeIn(a.Room, inputs)
}

// forgeIn makes events of inputs, each of another user of Origin.
func (a *Attack) forgeIn(room *stage.Room, inputs []hostile.Input) (events []federation.Event) {
	for _, input := range inputs {
		forged := a.Honest(room, a.liar(), nil).Forge(input)
		events = append(events, a.marks(forged))
	}
	return events
}

// liar is one more user of Origin.
func (a *Attack) liar() *federation.User {
	a.liars++
	return a.Origin.User(fmt.Sprintf("liar%d", a.liars))
}

// marks marks a hostile event as the suite's own.
func (a *Attack) marks(forged hostile.Forged) federation.Event {
	return a.Origin.Marks(forged.JSON, forged.ID, forged.Key)
}

// withHostile adds events to a list in an answer, byte for byte.
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
