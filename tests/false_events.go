package main

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

// eventKind is a kind of event that a lie is told by.
type eventKind int

const (
	aMessage eventKind = iota
	aNote              // state that every member may write
	aLaw               // state that takes power to write
	aJoin              // of a user who is not in the room yet
)

// The types of notes and laws, and what is said in messages and notes that are tampered with afterwards.
const (
	noteType = "org.example.note"
	lawType  = "org.example.law"
	tampered = "tampered with on the way"
)

// players are who plays: alice is a user of the server under test, all others are of mallory's, a peer. Carol made the
// room and has all power in it, dan is a member without power.
type players struct {
	*stage.Stage
	alice      *stage.User
	mallory    *stage.Peer
	carol, dan *federation.User
	room       *stage.Room // as mallory knows it
	breaks     string      // the requirement that is broken when clients see no more of the room; "" is membership/join-remote
}

// demand is the requirement that is broken when what is said in the room does not reach alice.
func (p players) demand() string {
	if p.breaks == "" {
		return "membership/join-remote"
	}
	return p.breaks
}

// honest makes a right event of a kind by a member, or a join of a user who is not in the room yet.
type honest func(by *federation.User) federation.Template

// falseEvent is one way in which an event is not what it must be.
type falseEvent struct {
	requirement string
	name        string
	kinds       []eventKind // that it can be told by; a way takes the first of its own that is among them
	ways        []string    // that it is told along; nil: all that carry it
	// deadly are the ways along which deployed servers die of it, or of the right event.
	deadly []string
	// prepare makes the room ready, when alice is in it, and undo lets later joiners in again. Ways that end with alice's
	// entering do not go with it.
	prepare, undo func(p players)
	// right is what the false event is when it is right, by dan unless it says otherwise; needs is the requirement that a
	// server which does not take that breaks, where it is not a matter of the control alone.
	right making
	needs string
	alter making // what it is made of instead
	// judge sees to it that the event came to what it must; nil: that it is refused.
	judge func(p players, event falseEvent, told delivery)
}

// honestly makes the event as it is when it is right.
func (e falseEvent) honestly(p players, honest honest) federation.Template {
	if e.right == nil {
		return honest(p.dan)
	}
	return e.right(p, honest)
}

// register makes a check of each event along each way that it can go.
func register(events []falseEvent) {
	for _, event := range events {
		for _, along := range eventWays {
			kind, can := along.carries(event)
			if !can {
				continue
			}
			check.Register(check.Check{
				Name:     event.name + ", by " + along.name,
				Requires: []string{event.requirement},
				Path:     along.name,
				Deadly:   slices.Contains(event.deadly, along.name),
				Body:     func(c *check.C) { tellFalsely(c, event, along, kind) },
			})
		}
	}
}

// tellFalsely plays one false event along one way: the same event, right, is accepted; then the false one is told, and
// alice's client and a server that joins later look for it.
func tellFalsely(c *check.C, event falseEvent, along eventWay, kind eventKind) {
	p := players{Stage: stage.Open(c, blueprints.OneServer)}
	p.alice, p.mallory = p.User("alice"), p.Peer()
	p.carol, p.dan = p.mallory.User("carol"), p.mallory.User("dan")
	if !along.enters && !along.gap {
		p.opensRoom(event)
	}

	right := along.tell(p, event, kind, event.honestly)
	taken := withAnswer(right.isShown(p.alice), right.answer)
	if event.needs != "" {
		c.Need(event.needs, taken)
	}
	c.Control(taken)

	lie := along.tell(p, event, kind, event.alter)
	p.room = lie.room
	c.Notef("the server answered the false event with %s", lie.answer)
	if lie.outside {
		return // who did not enter the room because of it was shown nothing and serves nothing
	}
	if event.judge == nil {
		isRefused(p, event, lie)
	} else {
		event.judge(p, event, lie)
	}
}

// isRefused sees to it that an event is in no client view and is served to nobody, and its member is no member.
func isRefused(p players, event falseEvent, told delivery) {
	views := p.alice.Refused(told.room.ID(), told.event)
	if told.kind == aJoin {
		for _, view := range views {
			if where := view.Shows(told.newcomer.ID()); where != "" {
				p.C.Errorf("%s shows the user of a join that must be refused, %s", view.Name, where)
			}
		}
	}
	if event.undo != nil {
		event.undo(p)
	}
	later := p.Peer()
	later.Joins(told.room.ID(), later.User("witness")).NotServed(told.event)
}

// isRedacted sees to it that an event whose content is not what its hash says is taken without that content. A join
// loses its mapping with it, and whether it is still one is another question (mapping/missing-not-honoured).
func isRedacted(p players, _ falseEvent, told delivery) {
	c := p.C
	shown := false
	for _, view := range p.alice.Views(told.room.ID()) {
		shown = shown || view.Has(told.event.ID())
		for _, event := range view.Events {
			if strings.Contains(event.Raw, tampered) {
				c.Errorf("%s shows the content that does not fit the hash of the event: %s", view.Name, event.Get("content").Raw)
			}
		}
	}
	if !shown && told.kind != aJoin {
		c.Errorf("an event whose content hash is wrong is not taken in its redacted form: clients are not shown it at all")
	}
	later := p.Peer()
	room := later.Joins(told.room.ID(), later.User("witness"))
	for _, event := range room.Events() {
		if strings.Contains(string(event.JSON()), tampered) {
			c.Errorf("peers are served the content that does not fit the hash of the event, in %s", event)
		}
	}
}

// barrier has something said in the room that alice must be shown: what went before it has been dealt with then.
func (p players) barrier() {
	said := p.room.Says(p.carol, "said when all of that was told")
	p.alice.Blaming(p.demand()).AwaitsEvent(p.room.ID(), said.ID())
}

// opensRoom makes mallory's room, with alice in it, ready for a false event.
func (p *players) opensRoom(ready falseEvent) {
	p.room = p.makesRoom()
	p.alice.Joins(p.room.ID(), p.mallory.Name())
	p.barrier()
	if ready.prepare != nil {
		ready.prepare(*p)
	}
}

// makesRoom makes mallory's room, with carol and dan in it.
func (p players) makesRoom() *stage.Room {
	room := p.mallory.Makes(federation.RoomOptions{
		Creator: p.carol, PowerLevels: map[string]any{"events": map[string]any{noteType: 0}},
	})
	room.Applies(room.MemberTemplate(p.dan, "join"))
	return room
}

// delivery is one event that was told.
type delivery struct {
	kind     eventKind
	room     *stage.Room // that it is of, as mallory knows it
	newcomer *federation.User
	event    federation.Event
	answer   string // of the server, or what became of alice's entering the room
	outside  bool   // alice's server did not enter the room
}

// isShown tells why the event is in none of a client's views, or nil.
func (d delivery) isShown(client *stage.User) error {
	if d.outside {
		return fmt.Errorf("the room with the event in it could not be entered")
	}
	if client.SomeView(d.room.ID(), func(view stage.View) bool { return view.Has(d.event.ID()) }) {
		return nil
	}
	return fmt.Errorf("no view shows %s", d.event)
}
