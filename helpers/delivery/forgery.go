package delivery

// Events that must not be taken as they stand, told along every way by which a server meets events of others. The tables
// of such events are in signing_lies.go and auth_lies.go, the ways in event_ways.go; checks are made of their product.

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Kind is a kind of event that a lie is told by.
type Kind int

const (
	Message         Kind = iota
	MemberState          // state that every member may write
	PrivilegedState      // state that takes power to write
	Join                 // of a user who is not in the room yet
)

// The types of notes and laws, and what is said in messages and notes that are tampered with afterwards.
const (
	MemberStateType     = "org.example.note"
	PrivilegedStateType = "org.example.law"
	Tampered            = "tampered with on the way"
)

// Scene are who plays: alice is a user of the server under test, all others are of mallory's, a peer. Carol made the
// room and has all power in it, dan is a member without power.
type Scene struct {
	*stage.Stage
	Alice      *stage.User
	Mallory    *stage.Peer
	Carol, Dan *federation.User
	Room       *stage.Room // as mallory knows it
	Breaks     string      // the requirement that is broken when clients see no more of the room; "" is membership/join-remote
}

// demand is the requirement that is broken when what is said in the room does not reach alice.
func (p Scene) demand() string {
	if p.Breaks == "" {
		return "membership/join-remote"
	}
	return p.Breaks
}

// Honestly makes a right event of a kind by a member, or a join of a user who is not in the room yet.
type Honestly func(by *federation.User) federation.Template

// Forgery is one way in which an event is not what it must be.
type Forgery struct {
	Requires string
	Name     string
	Kinds    []Kind   // that it can be told by; a way takes the first of its own that is among them
	Paths    []string // that it is told along; nil: all that carry it
	// deadly are the ways along which deployed servers die of it, or of the right event.
	Deadly []string
	// prepare makes the room ready, when alice is in it, and undo lets later joiners in again. Ways that end with alice's
	// entering do not go with it.
	Prepare, Undo func(p Scene)
	// right is what the false event is when it is right, by dan unless it says otherwise; needs is the requirement that a
	// server which does not take that breaks, where it is not a matter of the control alone.
	Honest Builder
	Needs  string
	Alter  Builder // what it is made of instead
	// judge sees to it that the event came to what it must; nil: that it is refused.
	Judge func(p Scene, event Forgery, told Delivered)
}

// honestly makes the event as it is when it is right.
func (e Forgery) honestly(p Scene, honest Honestly) federation.Template {
	if e.Honest == nil {
		return honest(p.Dan)
	}
	return e.Honest(p, honest)
}

// Register makes a check of each event along each way that it can go.
func Register(events []Forgery) {
	for _, event := range events {
		for _, along := range Paths {
			kind, can := along.carries(event)
			if !can {
				continue
			}
			check.Register(check.Check{
				Name:     event.Name + ", by " + along.Name,
				Requires: []string{event.Requires},
				Path:     along.Name,
				Deadly:   slices.Contains(event.Deadly, along.Name),
				Body:     func(c *check.C) { tellFalsely(c, event, along, kind) },
			})
		}
	}
}

// tellFalsely plays one false event along one way: the same event, right, is accepted; then the false one is told, and
// alice's client and a server that joins later look for it.
func tellFalsely(c *check.C, event Forgery, along Path, kind Kind) {
	p := Scene{Stage: stage.Open(c, blueprints.OneServer)}
	p.Alice, p.Mallory = p.User("alice"), p.Peer()
	p.Carol, p.Dan = p.Mallory.User("carol"), p.Mallory.User("dan")
	if !along.Enters && !along.gap {
		p.opensRoom(event)
	}

	right := along.tell(p, event, kind, event.honestly)
	taken := WithAnswer(right.IsShown(p.Alice), right.answer)
	if event.Needs != "" {
		c.Need(event.Needs, taken)
	}
	c.Control(taken)

	lie := along.tell(p, event, kind, event.Alter)
	p.Room = lie.Room
	c.Notef("the server answered the false event with %s", lie.answer)
	if lie.Outside {
		return // who did not enter the room because of it was shown nothing and serves nothing
	}
	if event.Judge == nil {
		isRefused(p, event, lie)
	} else {
		event.Judge(p, event, lie)
	}
}

// isRefused sees to it that an event is in no client view and is served to nobody, and its member is no member.
func isRefused(p Scene, event Forgery, told Delivered) {
	views := p.Alice.Refused(told.Room.ID(), told.Event)
	if told.kind == Join {
		for _, view := range views {
			if where := view.Shows(told.newcomer.ID()); where != "" {
				p.C.Errorf("%s shows the user of a join that must be refused, %s", view.Name, where)
			}
		}
	}
	if event.Undo != nil {
		event.Undo(p)
	}
	later := p.Peer()
	later.Joins(told.Room.ID(), later.User("witness")).NotServed(told.Event)
}

// IsRedacted sees to it that an event whose content is not what its hash says is taken without that content. A join
// loses its mapping with it, and whether it is still one is another question (mapping/missing-not-honoured).
func IsRedacted(p Scene, _ Forgery, told Delivered) {
	c := p.C
	shown := false
	for _, view := range p.Alice.Views(told.Room.ID()) {
		shown = shown || view.Has(told.Event.ID())
		for _, event := range view.Events {
			if strings.Contains(event.Raw, Tampered) {
				c.Errorf("%s shows the content that does not fit the hash of the event: %s", view.Name, event.Get("content").Raw)
			}
		}
	}
	if !shown && told.kind != Join {
		c.Errorf("an event whose content hash is wrong is not taken in its redacted form: clients are not shown it at all")
	}
	later := p.Peer()
	room := later.Joins(told.Room.ID(), later.User("witness"))
	for _, event := range room.Events() {
		if strings.Contains(string(event.JSON()), Tampered) {
			c.Errorf("peers are served the content that does not fit the hash of the event, in %s", event)
		}
	}
}

// Barrier has something said in the room that alice must be shown: what went before it has been dealt with then.
func (p Scene) Barrier() {
	said := p.Room.Says(p.Carol, "said when all of that was told")
	p.Alice.Blaming(p.demand()).AwaitsEvent(p.Room.ID(), said.ID())
}

// opensRoom makes mallory's room, with alice in it, ready for a false event.
func (p *Scene) opensRoom(ready Forgery) {
	p.Room = p.MakesRoom()
	p.Alice.Joins(p.Room.ID(), p.Mallory.Name())
	p.Barrier()
	if ready.Prepare != nil {
		ready.Prepare(*p)
	}
}

// MakesRoom makes mallory's room, with carol and dan in it.
func (p Scene) MakesRoom() *stage.Room {
	room := p.Mallory.Makes(federation.RoomOptions{
		Creator: p.Carol, PowerLevels: map[string]any{"events": map[string]any{MemberStateType: 0}},
	})
	room.Applies(room.MemberTemplate(p.Dan, "join"))
	return room
}

// Delivered is one event that was told.
type Delivered struct {
	kind     Kind
	Room     *stage.Room // that it is of, as mallory knows it
	newcomer *federation.User
	Event    federation.Event
	answer   string // of the server, or what became of alice's entering the room
	Outside  bool   // alice's server did not enter the room
}

// IsShown tells why the event is in none of a client's views, or nil.
func (d Delivered) IsShown(client *stage.User) error {
	if d.Outside {
		return fmt.Errorf("the room with the event in it could not be entered")
	}
	if client.SomeView(d.Room.ID(), func(view stage.View) bool { return view.Has(d.Event.ID()) }) {
		return nil
	}
	return fmt.Errorf("no view shows %s", d.Event)
}
