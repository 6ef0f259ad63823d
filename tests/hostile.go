package main

// Chapter resilience, hostile input: member events and mappings that no honest server writes (helpers/hostile), told along
// the paths by which a server meets member events. Whatever becomes of them, the server stays up: after each batch it
// serves the room that they were told in and others, to clients and to peers. What breaks that is told in its smallest form.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

const (
	staysUp = "resilience/stays-up"
	// batchSize is how many hostile inputs a server is told before it is looked at.
	batchSize = 20
	// shrinkingLimit is how many smaller inputs are tried.
	shrinkingLimit = 30
	// shrinkingTime is what must be left of the check's time for another try.
	shrinkingTime = 12 * time.Second
	// shownEvent is how much of the smallest event is shown, in bytes; all of it is kept in a file.
	shownEvent = 1500
)

// attack is a server that is told hostile events: mallory's user carol is an honest member of alice's room, and the
// liars are others of its users.
type attack struct {
	*stage.Stage
	alice   *stage.User
	mallory *stage.Peer
	carol   *federation.User
	room    *stage.Room
	// elsewhere is an honest room, of alice's and an honest peer.
	elsewhere *stage.Room
	neighbour *federation.User
}

// hostilePath is a way by which hostile events are told. tell returns when the server has answered, or did not within
// its time; what it answers is not looked at.
type hostilePath struct {
	name   string
	inputs int
	tell   func(a *attack, inputs []hostile.Input)
}

var hostilePaths = []hostilePath{
	{"send", 160, func(a *attack, inputs []hostile.Input) {
		for _, event := range a.forgeAll(inputs) {
			a.asks(func(ctx context.Context) error {
				_, err := a.mallory.SendTransaction(ctx, a.ServerName(1), []federation.Event{event}, nil)
				return err
			})
		}
	}},
	{"send_join", 100, func(a *attack, inputs []hostile.Input) {
		for _, event := range a.forgeAll(inputs) {
			a.asks(func(ctx context.Context) error {
				uri := "/_matrix/federation/v2/send_join/" + csapi.Path(a.room.ID(), event.ID())[1:]
				_, err := a.mallory.Do(ctx, a.ServerName(1), http.MethodPut, uri, event.JSON())
				return err
			})
		}
	}},
	{"the state of send_join", 160, func(a *attack, inputs []hostile.Input) {
		room := a.mallory.Makes(federation.RoomOptions{Creator: a.carol})
		events := a.forgeIn(room, inputs)
		a.mallory.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
			return withHostile(honest(), "state", events)
		})
		a.asks(func(ctx context.Context) error {
			_, err := a.alice.JoinRoom(ctx, room.ID(), a.mallory.Name())
			return err
		})
	}},
	{"get_missing_events", 160, func(a *attack, inputs []hostile.Input) {
		events := a.forgeAll(inputs)
		a.mallory.Handle(federation.GetMissingEvents, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
			return withHostile(honest(), "events", events)
		})
		ids := a.room.Extremities()
		for _, event := range events[:min(len(events), 10)] {
			ids = append(ids, event.ID())
		}
		template, err := a.room.Template(federation.Proto{Type: "m.room.message", Sender: a.carol, Content: text("said after a gap")})
		if err != nil {
			a.C.SuiteError(err)
		}
		after, err := template.Alter(federation.SetField("prev_events", ids)).Build()
		if err != nil {
			a.C.SuiteError(err)
		}
		a.asks(func(ctx context.Context) error {
			_, err := a.mallory.SendTransaction(ctx, a.ServerName(1), []federation.Event{after}, nil)
			return err
		})
	}},
	{"the completed invite", 40, func(a *attack, inputs []hostile.Input) {
		for i, input := range inputs {
			liar := a.mallory.User(fmt.Sprintf("invited%d", i))
			remove := a.mallory.Handle(federation.Invite, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer := honest()
				forged := a.honest(a.room, liar, []byte(answer.Get("event").Raw)).Forge(input)
				a.marks(forged)
				return federation.Answer{Status: answer.Status, Body: append(append([]byte(`{"event":`), forged.JSON...), '}')}
			})
			a.asks(func(ctx context.Context) error { return a.alice.Invite(ctx, a.room.ID(), liar.ID()) })
			remove()
		}
	}},
}

func init() {
	for i, path := range hostilePaths {
		check.Register("hostile member events, by "+path.name, check.Requires(staysUp), check.Path(path.name), check.Slow(),
			func(c *check.C) { path.play(c, hostile.Inputs(c.Seed(), uint64(i), path.inputs)) })
	}
}

// play tells the server one batch after the other, and looks for the smallest input that does it harm.
func (p hostilePath) play(c *check.C, inputs []hostile.Input) {
	c.Notef("%d hostile inputs from seed %d", len(inputs), c.Seed())
	told, harm := p.tellAll(stage.OpenExpendable(c, blueprints.AttackedServer, false), inputs)
	if harm == nil {
		return
	}
	// The server is shared with the other paths: it is not known whose harm it is.
	culprits, harm := p.alone(c, inputs[:told], false)
	if harm == nil {
		c.Notef("another path did the server harm; this one does not, alone")
		if _, harm = p.alone(c, inputs[told:], false); harm == nil {
			return
		}
		culprits = inputs[told:]
	}
	culprits, harm = p.shrink(c, culprits, harm)
	p.tellOf(c, culprits, harm)
}

// tellAll tells inputs to a server, and returns how many, and the harm that they did.
func (p hostilePath) tellAll(s *stage.Stage, inputs []hostile.Input) (told int, harm error) {
	for told < len(inputs) {
		batch := inputs[told:min(told+batchSize, len(inputs))]
		told += len(batch)
		a, err := opensAttack(s)
		if err == nil {
			p.tell(a, batch)
			err = a.isServed()
		}
		if err != nil {
			return told, err
		}
	}
	return told, nil
}

// alone tells inputs to a fresh server. It returns those of the batch that did harm, with those before it, and the harm.
func (p hostilePath) alone(c *check.C, inputs []hostile.Input, keepLog bool) ([]hostile.Input, error) {
	s := stage.OpenExpendable(c, blueprints.AttackedServer, true)
	told, harm := p.tellAll(s, inputs)
	c.Discard(s.Deployment, keepLog)
	return inputs[:told], harm
}

// shrink looks for fewer and smaller inputs that do harm: it halves the list, then takes from the one that is left.
func (p hostilePath) shrink(c *check.C, inputs []hostile.Input, harm error) ([]hostile.Input, error) {
	tries := 0
	worse := func(smaller []hostile.Input) bool {
		deadline, limited := c.Context().Deadline()
		if tries++; tries > shrinkingLimit || limited && time.Until(deadline) < shrinkingTime {
			return false
		}
		_, found := p.alone(c, smaller, false)
		if found != nil {
			inputs, harm = smaller, found
		}
		return found != nil
	}
	for len(inputs) > 1 {
		half := len(inputs) / 2
		if !worse(inputs[half:]) && !worse(inputs[:half]) {
			break
		}
	}
	for shrunk := true; shrunk && len(inputs) == 1; {
		shrunk = false
		for _, smaller := range inputs[0].Smaller() {
			if shrunk = worse([]hostile.Input{smaller}); shrunk {
				break
			}
		}
	}
	c.Notef("found in %d tries on fresh servers", tries)
	return inputs, harm
}

// tellOf fails the check, with the smallest inputs that do harm written out.
func (p hostilePath) tellOf(c *check.C, inputs []hostile.Input, harm error) {
	s := stage.OpenExpendable(c, blueprints.AttackedServer, true)
	a, err := opensAttack(s)
	var events []string
	if err == nil {
		for _, input := range inputs {
			forged := a.honest(a.room, a.mallory.User("liar"), nil).Forge(input)
			events = append(events, forged.Shown(len(forged.JSON)))
			if len(inputs) == 1 {
				c.Notef("such an event: %s", forged.Shown(shownEvent))
			}
		}
		p.tell(a, inputs)
		_ = a.isServed()
	}
	c.Discard(s.Deployment, true)
	kept, err := json.MarshalIndent(map[string]any{
		"seed": c.Seed(), "path": p.name, "harm": harm.Error(), "inputs": inputs, "events": events,
	}, "", "  ")
	if err != nil {
		c.SuiteError(err)
	}
	c.Attach("input.json", kept)
	what := inputs[0].String()
	if len(inputs) > 1 {
		what = fmt.Sprintf("%d events together, the last of them one where %s", len(inputs), inputs[len(inputs)-1])
	}
	c.Failf("%v, after a member event by %s in which %s (seed %d)", harm, p.name, what, c.Seed())
}

// opensAttack prepares rooms on a server that may be ill already: the error says so.
func opensAttack(s *stage.Stage) (*attack, error) {
	a := &attack{Stage: s, mallory: s.Peer()}
	a.carol = a.mallory.User("carol")
	honest := s.Peer()
	a.neighbour = honest.User("neighbour")
	var err error
	if a.alice, err = s.TryUser(1, "alice"); err == nil {
		a.room, err = a.opens(a.mallory, a.carol)
	}
	if err == nil {
		a.elsewhere, err = a.opens(honest, a.neighbour)
	}
	return a, a.orDied(err)
}

// opens makes a room of alice's, which a user of a peer joins.
func (a *attack) opens(peer *stage.Peer, user *federation.User) (*stage.Room, error) {
	roomID, err := a.alice.TryRoom(a.Format().RoomVersion, stage.Public)
	if err != nil {
		return nil, fmt.Errorf("a client that makes another room: %w", err)
	}
	return peer.TryJoin(a.ServerName(1), roomID, user)
}

// dyingTime is how long the end of a server may stay unknown, on a quiet machine, when it does not answer.
const dyingTime = time.Second

// orDied returns err, or in its place that the server died, which says more.
func (a *attack) orDied(err error) error {
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
func (a *attack) asks(request func(ctx context.Context) error) {
	ctx, cancel := a.while()
	defer cancel()
	if err := request(ctx); errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.C.Notef("a hostile request got no answer: %v", err)
	}
}

// while is a context for one request: it ends when the server dies.
func (a *attack) while() (context.Context, context.CancelFunc) {
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

// honest is what hostile member events of a user are made of; event nil: the user's join at the room's end.
func (a *attack) honest(room *stage.Room, user *federation.User, event []byte) hostile.Honest {
	if event == nil {
		event = room.BuildsMember(user, "join").JSON()
	}
	signer := user.Peer().Signer()
	return hostile.Honest{
		Event: event, Format: room.Format(), Key: user.KeyIn(room.ID()), KeyID: federation.SenderKeyID,
		Server: signer.Entity, ServerKeyID: signer.KeyID, ServerKey: signer.Key, UnderTest: a.ServerName(1),
	}
}

func (a *attack) forgeAll(inputs []hostile.Input) []federation.Event {
	return a.forgeIn(a.room, inputs)
}

// forgeIn makes events of inputs, each of another of mallory's users.
func (a *attack) forgeIn(room *stage.Room, inputs []hostile.Input) (events []federation.Event) {
	for i, input := range inputs {
		forged := a.honest(room, a.mallory.User(fmt.Sprintf("liar%d", i)), nil).Forge(input)
		events = append(events, a.marks(forged))
	}
	return events
}

// marks marks a hostile event as the suite's own.
func (a *attack) marks(forged hostile.Forged) federation.Event {
	return a.mallory.Marks(forged.JSON, forged.ID, forged.Key)
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

// isServed tells why the server is ill, or nil: it died, it answers a client of the attacked room with 5xx or not at all,
// or an honest room does not go on.
func (a *attack) isServed() error {
	ctx, cancel := a.while()
	defer cancel()
	err := a.answersClients(ctx)
	if err == nil {
		err = a.goesOnElsewhere(ctx)
	}
	if err == nil {
		err = a.Deployment.Health(ctx)
	}
	return a.orDied(err)
}

// answersClients has a client look at the attacked room in every way.
func (a *attack) answersClients(ctx context.Context) error {
	room := a.room.ID()
	for _, view := range []func() (*csapi.Response, error){
		func() (*csapi.Response, error) { return a.alice.Sync(ctx, "", 0, "") },
		func() (*csapi.Response, error) { return a.alice.Messages(ctx, room, "", "b", 100) },
		func() (*csapi.Response, error) { return a.alice.Members(ctx, room, nil) },
		func() (*csapi.Response, error) { return a.alice.State(ctx, room) },
		func() (*csapi.Response, error) { return a.alice.JoinedMembers(ctx, room) },
	} {
		_, err := view()
		refusal, refused := csapi.Refused(err)
		if csapi.NoAnswer(err) || refused && refusal.Status >= http.StatusInternalServerError {
			return fmt.Errorf("a client in the attacked room: %w", err)
		}
	}
	return nil
}

// goesOnElsewhere has alice and an honest peer talk to each other in another room.
func (a *attack) goesOnElsewhere(ctx context.Context) error {
	eventID, err := a.alice.SendMessage(ctx, a.elsewhere.ID(), "said to an honest peer")
	if err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	if err := a.elsewhere.Receives(eventID); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	said := a.elsewhere.Builds(federation.Proto{Type: "m.room.message", Sender: a.neighbour, Content: text("said by an honest peer")})
	a.elsewhere.Apply(said)
	if _, err := a.elsewhere.Pushes(said); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	if _, err := a.alice.WaitForEvent(ctx, a.elsewhere.ID(), match.EventID(said.ID())); err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	return nil
}
