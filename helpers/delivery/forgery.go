package delivery

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Tampered is the text in events whose content was changed after they were signed.
const Tampered = "tampered with on the way"

// Honestly makes a valid event of a kind by a member, or a join of a user that is not in the room yet.
type Honestly func(sender *federation.User) federation.Template

// Builder makes an event, from the honest one where it alters that.
type Builder func(s Scene, honest Honestly) federation.Template

// Forgery is one way in which an event is invalid. It is delivered along all paths that carry it.
type Forgery struct {
	Requires string
	Name     string
	Kinds    []Kind   // of event that it comes in; a path takes the first of its own that is among them
	Paths    []string // names of paths that it is delivered along; nil: all that carry it
	// Deadly names the paths along which deployed servers crash of it, or of the honest event.
	Deadly []string
	// Before adds events to the room before the event is made, on paths by which Alice enters the room before she does.
	Before func(s Scene, add func(federation.Event))
	// Prepare changes the room once Alice is in it, so that nobody else may join, and Undo lets later joiners in again. Paths by which
	// Alice enters the room are left out with it.
	Prepare, Undo func(s Scene)
	// Honest makes the valid event; nil: it is Dan's. Needs is the requirement that a server breaks if it does not accept that;
	// "": the check is inconclusive then.
	Honest Builder
	Needs  string
	Alter  Builder // makes the invalid event
	// Judge judges what became of the event; nil: it must be refused.
	Judge func(s Scene, forgery Forgery, delivered Delivered)
}

func (f Forgery) honestly(s Scene, honest Honestly) federation.Template {
	if f.Honest == nil {
		return honest(s.Dan)
	}
	return f.Honest(s, honest)
}

// Register registers a check of each forgery along each path that carries it.
func Register(blueprint stage.Blueprint, forgeries []Forgery) {
	for _, forgery := range forgeries {
		for _, path := range Paths {
			kind, carried := path.Carries(forgery.Kinds)
			if !carried || path.Enters && forgery.Prepare != nil || forgery.Paths != nil && !slices.Contains(forgery.Paths, path.Name) {
				continue
			}
			check.Register(check.Check{
				Name:     forgery.Name + ", by " + path.Name,
				Requires: []string{forgery.Requires},
				Path:     path.Name,
				Deadly:   slices.Contains(forgery.Deadly, path.Name),
				Body:     func(c *check.C) { forgery.judge(Open(stage.Open(c, blueprint)), path, kind) },
			})
		}
	}
}

// judge delivers the honest event, which must be accepted, and then the forgery, which it looks for as Alice's client and as a
// server that joins later.
func (f Forgery) judge(s Scene, path Path, kind Kind) {
	c := s.C
	if !path.Enters && !path.Gap {
		f.opensRoom(&s)
	}
	control := func() error {
		honest := f.deliver(s, path, kind, f.honestly)
		if f.Before != nil && honest.KeptOut != nil {
			// A room can be joined whatever its members did to each other before.
			c.Need("membership/join-remote", honest.KeptOut)
		}
		return WithAnswer(honest.IsShown(s.Alice), honest.Answer)
	}
	if path.HasRoomOfItsOwn() && f.Honest == nil && f.Before == nil && f.Prepare == nil {
		s.SharesControl(fmt.Sprintf("%s, by %s", kind, path.Name), f.Needs, control)
	} else {
		c.Controlling()
		accepted := control()
		if f.Needs != "" {
			c.Need(f.Needs, accepted)
		}
		c.Control(accepted)
	}

	forged := f.deliver(s, path, kind, func(s Scene, honest Honestly) federation.Template {
		c.UnderTest()
		return f.Alter(s, honest)
	})
	s.Room = forged.Room
	c.Notef("the server answered the forged event with %s", forged.Answer)
	switch {
	case forged.KeptOut != nil:
		s.KeepsOut("the forged event", forged.KeptOut)
	case f.Judge == nil:
		isRefused(s, f, forged)
	default:
		f.Judge(s, f, forged)
	}
}

// opensRoom opens the scene's room and prepares it.
func (f Forgery) opensRoom(s *Scene) {
	s.OpensRoom()
	if f.Before != nil {
		f.Before(*s, s.Room.Delivers)
		s.Barrier()
	}
	if f.Prepare != nil {
		f.Prepare(*s)
	}
}

// deliver builds and delivers an event of a kind, in a room of its own where the path needs one.
func (f Forgery) deliver(s Scene, path Path, kind Kind, build Builder) Delivered {
	switch {
	case path.Enters:
		s.Room = s.MakesRoom()
		if f.Before != nil {
			f.Before(s, s.Room.Apply)
		}
	case path.Gap:
		f.opensRoom(&s)
	}
	joiner := s.Origin.User(fmt.Sprintf("newcomer-%d", len(s.Room.Events())))
	event := s.Room.Made(build(s, func(sender *federation.User) federation.Template { return s.honest(kind, sender, joiner) }))
	return Delivered{Delivery: path.Deliver(s, event, joiner), Kind: kind, Room: s.Room, Joiner: joiner, Event: event}
}

// honest makes a valid event of a kind, at the end of the room.
func (s Scene) honest(kind Kind, sender, joiner *federation.User) federation.Template {
	switch kind {
	case Join:
		return s.Room.MemberTemplate(joiner, "join")
	case Message:
		return s.TextMessage(sender, "said by a member")
	}
	state := MemberStateUnder(sender, joiner.ID()[1:])
	if kind == PrivilegedState {
		state.Type = PrivilegedStateType
	}
	return s.Template(state)
}

// Delivered is an event that was delivered, and what became of it.
type Delivered struct {
	Delivery
	Kind   Kind
	Room   *stage.Room // as Origin knows it
	Joiner *federation.User
	Event  federation.Event
}

// IsShown returns an error if the event is in none of a client's views.
func (d Delivered) IsShown(client *stage.User) error {
	if d.KeptOut != nil {
		return fmt.Errorf("the room with the event in it could not be entered: %w", d.KeptOut)
	}
	if client.SomeView(d.Room.ID(), func(view stage.View) bool { return view.Has(d.Event.ID()) }) {
		return nil
	}
	return fmt.Errorf("no view shows %s", d.Event)
}

// isRefused ensures that an event is in no client view, that its user is not a member, that no server is served it, and that the
// server builds nothing on it.
func isRefused(s Scene, forgery Forgery, delivered Delivered) {
	views := s.Alice.Refused(delivered.Room.ID(), delivered.Event)
	if delivered.Kind == Join {
		for _, view := range views {
			if where := view.Shows(delivered.Joiner.ID()); where != "" {
				s.C.Errorf("%s shows the user of a join that must be refused, %s", view.Name, where)
			}
		}
	}
	if forgery.Undo != nil {
		forgery.Undo(s)
	}
	later := LaterJoiner(s.Stage, delivered.Room.ID())
	later.NotServed(delivered.Event)
	later.NotReferredTo(delivered.Event, s.Alice)
}

// IsRedacted ensures that an event whose content is not what its hash says is accepted without that content. A join
// loses its mapping with it, and whether it is still one is another question (mapping/missing-not-honoured).
func IsRedacted(s Scene, _ Forgery, delivered Delivered) {
	c := s.C
	shown := false
	for _, view := range s.Alice.Views(delivered.Room.ID()) {
		shown = shown || view.Has(delivered.Event.ID())
		for _, event := range view.Events {
			if strings.Contains(event.Raw, Tampered) {
				c.Errorf("%s shows the content that does not fit the hash of the event: %s", view.Name, event.Get("content").Raw)
			}
		}
	}
	if !shown && delivered.Kind != Join {
		c.Errorf("an event whose content hash is wrong is not taken in its redacted form: clients are not shown it at all")
	}
	for _, event := range LaterJoiner(s.Stage, delivered.Room.ID()).Events() {
		if strings.Contains(string(event.JSON()), Tampered) {
			c.Errorf("peers are served the content that does not fit the hash of the event, in %s", event)
		}
	}
}
