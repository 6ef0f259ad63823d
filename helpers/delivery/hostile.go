package delivery

// The paths along which hostile member events are told, and who tells them.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

// Attack is a server that is told hostile events: mallory's user carol is an honest member of alice's room, and the
// liars are others of its users.
type Attack struct {
	*stage.Stage
	Alice   *stage.User
	Mallory *stage.Peer
	carol   *federation.User
	Room    *stage.Room
	Entered []string // rooms of mallory's that alice tried to join since the server was looked at
	liars   int      // how many of mallory's users were made
	// elsewhere is an honest room, of alice's and an honest peer.
	Elsewhere *stage.Room
	Neighbour *federation.User
}

// HostilePath is a way by which hostile events are told. tell returns when the server has answered, or did not within
// its time; what it answers is not looked at.
type HostilePath struct {
	Name   string
	Inputs int
	// batch is how many inputs a server is told before it is looked at. Told in one answer, each may have the others refused.
	Batch int
	Tell  func(a *Attack, inputs []hostile.Input)
}

var HostilePaths = []HostilePath{
	{"send", 160, 40, func(a *Attack, inputs []hostile.Input) {
		for _, event := range a.forgeAll(inputs) {
			a.asks(func(ctx context.Context) error {
				_, err := a.Mallory.SendTransaction(ctx, a.ServerName(1), []federation.Event{event}, nil)
				return err
			})
		}
	}},
	{"send_join", 100, 50, func(a *Attack, inputs []hostile.Input) {
		for _, event := range a.forgeAll(inputs) {
			a.asks(func(ctx context.Context) error {
				uri := "/_matrix/federation/v2/send_join/" + csapi.Path(a.Room.ID(), event.ID())[1:]
				_, err := a.Mallory.Do(ctx, a.ServerName(1), http.MethodPut, uri, event.JSON())
				return err
			})
		}
	}},
	{"the state of send_join", 160, 20, func(a *Attack, inputs []hostile.Input) {
		for _, some := range a.apart(inputs) {
			a.entersAmong(some)
		}
	}},
	{"get_missing_events", 160, 20, func(a *Attack, inputs []hostile.Input) {
		for _, some := range a.apart(inputs) {
			a.saysAfter(some)
		}
	}},
	{"the completed invite", 40, 40, func(a *Attack, inputs []hostile.Input) {
		for _, input := range inputs {
			liar := a.liar()
			remove := a.Mallory.Handle(federation.Invite, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer := honest()
				forged := a.Honest(a.Room, liar, []byte(answer.Get("event").Raw)).Forge(input)
				a.marks(forged)
				return federation.Answer{Status: answer.Status, Body: append(append([]byte(`{"event":`), forged.JSON...), '}')}
			})
			a.asks(func(ctx context.Context) error { return a.Alice.Invite(ctx, a.Room.ID(), liar.ID()) })
			remove()
		}
	}},
}

// entersAmong has alice enter a room of mallory's with hostile members.
func (a *Attack) entersAmong(members []hostile.Input) {
	room := a.Mallory.Makes(federation.RoomOptions{Creator: a.carol})
	events := a.forgeIn(room, members)
	remove := a.Mallory.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		return withHostile(honest(), "state", events)
	})
	defer remove()
	a.Entered = append(a.Entered, room.ID())
	a.asks(func(ctx context.Context) error {
		_, err := a.Alice.JoinRoom(ctx, room.ID(), a.Mallory.Name())
		return err
	})
}

// saysAfter has carol say something that stands on hostile events, which the server must ask mallory for.
func (a *Attack) saysAfter(missing []hostile.Input) {
	events := a.forgeAll(missing)
	remove := a.Mallory.Handle(federation.GetMissingEvents, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		return withHostile(honest(), "events", events)
	})
	defer remove()
	ids := a.Room.Extremities()
	for _, event := range events[:min(len(events), 10)] {
		ids = append(ids, event.ID())
	}
	said := a.template(federation.Proto{Type: "m.room.message", Sender: a.carol, Content: Text("said after a gap")})
	after, err := said.Alter(federation.SetField("prev_events", ids)).Build()
	if err != nil {
		a.C.SuiteError(err)
	}
	a.asks(func(ctx context.Context) error {
		_, err := a.Mallory.SendTransaction(ctx, a.ServerName(1), []federation.Event{after}, nil)
		return err
	})
}

// template makes a template in alice's room.
func (a *Attack) template(proto federation.Proto) federation.Template {
	template, err := a.Room.Template(proto)
	if err != nil {
		a.C.SuiteError(err)
	}
	return template
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

// OpensAttack prepares rooms on a server that may be ill already: the error says so.
func OpensAttack(s *stage.Stage) (*Attack, error) {
	a := &Attack{Stage: s, Mallory: s.Peer()}
	a.carol = a.Mallory.User("carol")
	honest := s.Peer()
	a.Neighbour = honest.User("neighbour")
	var err error
	if a.Alice, err = s.TryUser(1, "alice"); err == nil {
		a.Room, err = a.opens(a.Mallory, a.carol)
	}
	if err == nil {
		a.Elsewhere, err = a.opens(honest, a.Neighbour)
	}
	return a, a.OrDied(err)
}

// opens makes a room of alice's, which a user of a peer joins.
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

// forgeIn makes events of inputs, each of another of mallory's users.
func (a *Attack) forgeIn(room *stage.Room, inputs []hostile.Input) (events []federation.Event) {
	for _, input := range inputs {
		forged := a.Honest(room, a.liar(), nil).Forge(input)
		events = append(events, a.marks(forged))
	}
	return events
}

// liar is one more of mallory's users.
func (a *Attack) liar() *federation.User {
	a.liars++
	return a.Mallory.User(fmt.Sprintf("liar%d", a.liars))
}

// marks marks a hostile event as the suite's own.
func (a *Attack) marks(forged hostile.Forged) federation.Event {
	return a.Mallory.Marks(forged.JSON, forged.ID, forged.Key)
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
