package signing

// Events of other kinds than messages, ordinary state and joins: servers treat some of them by code of their own.

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// otherKind is a kind of event.
type otherKind struct {
	name string
	by   []delivery.Path // what carries it
	// makes makes a valid one at the end of a room that has a member guest, of Origin; newcomer, of another peer, is nobody in it. target
	// is a message by Dan, "" if there is none (otherKind.opens).
	makes  func(s delivery.Scene, guest, newcomer *federation.User, target string) federation.Template
	served bool // GET /event serves the target of a valid one
}

// memberEvent is a member event of Carol about another user.
func memberEvent(s delivery.Scene, of *federation.User, membership string) federation.Template {
	return s.Template(federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(of.SenderIn(s.Room.Room)), Sender: s.Carol,
		Content: map[string]string{"membership": membership},
	}).WithMappingOf(of).NamingKey(of.KeyIn(s.Room.ID()).Public) // deployed servers enter no room with a member event without one
}

// Paths that carry other kinds. No other event may stand on what is in the state of send_join, so that a room with it, and without it, can be
// entered. Deployed servers crash on a join by /state, even a valid one.
var (
	inRoom    = []delivery.Path{delivery.Send, delivery.GetMissingEvents}
	joinsBy   = inRoom
	powerBy   = append(slices.Clone(inRoom), delivery.State)
	redactsBy = append(slices.Clone(inRoom), delivery.Backfill)
	// stateBy has all of them.
	stateBy = append(slices.Clone(inRoom), delivery.State, delivery.StateOfSendJoin, delivery.Backfill)
)

var otherKinds = []otherKind{
	{name: "a join", by: joinsBy, makes: func(s delivery.Scene, _, newcomer *federation.User, _ string) federation.Template {
		return s.Room.MemberTemplate(newcomer, "join")
	}},
	{name: "a leave", by: stateBy, makes: func(s delivery.Scene, guest, _ *federation.User, _ string) federation.Template {
		return s.Room.MemberTemplate(guest, "leave").WithMappingOf(guest)
	}},
	{name: "a kick", by: stateBy, makes: func(s delivery.Scene, guest, _ *federation.User, _ string) federation.Template {
		return memberEvent(s, guest, "leave")
	}},
	{name: "a ban", by: stateBy, makes: func(s delivery.Scene, guest, _ *federation.User, _ string) federation.Template {
		return memberEvent(s, guest, "ban")
	}},
	{name: "an invite", by: stateBy, makes: func(s delivery.Scene, _, newcomer *federation.User, _ string) federation.Template {
		return s.Invite(s.Carol, newcomer)
	}},
	{name: "state", by: stateBy, makes: func(s delivery.Scene, guest, _ *federation.User, _ string) federation.Template {
		return s.Template(delivery.MemberStateUnder(guest, "another-kind"))
	}},
	{name: "power levels", by: powerBy, makes: func(s delivery.Scene, _, _ *federation.User, _ string) federation.Template {
		return s.Template(federation.Proto{
			Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: s.Carol,
			Content: map[string]any{
				"users": map[string]int{s.Carol.SenderIn(s.Room.Room): 100}, "events": map[string]any{delivery.MemberStateType: 0}, "ban": 60,
			},
		})
	}},
	{name: "a redaction", by: redactsBy, makes: func(s delivery.Scene, _, _ *federation.User, target string) federation.Template {
		return s.Template(federation.Proto{Type: "m.room.redaction", Sender: s.Carol, Redacts: target})
	}},
}

// wronglySigned are the ways in which an event of such a kind is not signed by its sender, the signature of an invited key apart.
var wronglySigned = []struct {
	requirement, name string
	alter             func(s delivery.Scene, honest federation.Template) federation.Template
}{
	{"signing/rejects-unsigned", "without their senders' signatures", func(_ delivery.Scene, honest federation.Template) federation.Template {
		return honest.SignedBy()
	}},
	{"signing/rejects-bad-signature", "with corrupted signatures", func(_ delivery.Scene, honest federation.Template) federation.Template {
		return honest.AlterAfterSigning(corruptSignature(honest.SignerOf(honest.Key())))
	}},
	{"signing/rejects-other-key", "signed by another key in their senders' names", func(s delivery.Scene, honest federation.Template) federation.Template {
		signer := honest.SignerOf(honest.Key())
		signer.Key = s.Dan.KeyIn(s.Room.ID()).Private
		return honest.SignedBy(signer)
	}},
	{"signing/rejects-server-key", "signed by the sending server's key alone", func(s delivery.Scene, honest federation.Template) federation.Template {
		return honest.SignedBy(s.Origin.Signer())
	}},
}

// Events are signed by the sender_key (MSC4014, Proposal 2): all of them, and not those alone that say something. Each kind is told in a
// room of its own, so that none hides another; the control is the same event as it should be.
func init() {
	for _, wrong := range wronglySigned {
		for _, path := range stateBy {
			check.Register(check.Check{
				Name:     "events of other kinds " + wrong.name + ", by " + path.Name,
				Requires: []string{wrong.requirement},
				Path:     path.Name,
				Slow:     10 * time.Second,
				Body: func(c *check.C) {
					s := delivery.Open(stage.Open(c, blueprints.OneServer))
					var rooms []otherRoom
					for _, kind := range controlled(s, path) {
						rooms = append(rooms, kind.opens(s, path))
					}
					c.NeedControl()
					c.UnderTest()
					later := s.Peer()
					for _, room := range rooms {
						room.delivers(wrong.alter).isRefused(c, later)
					}
				},
			})
		}
	}
}

// controlled returns the kinds of which the server accepts an event that is as it should be: the positive controls, which all checks of a
// path share. The check is inconclusive if there are none.
func controlled(s delivery.Scene, path delivery.Path) (kinds []otherKind) {
	s.C.Controlling()
	shared := stage.Scene(s.Stage, "events of other kinds, as they should be, by "+path.Name, func() (tried struct {
		controls []kindControl
		given    map[string]bool // the views that Alice was given or refused
	}) {
		for _, kind := range otherKinds {
			if kind.isCarried(path) {
				tried.controls = append(tried.controls, kind.control(s, path))
			}
		}
		tried.given = s.Alice.Given()
		return tried
	})
	s.Alice.Recalls(shared.given)
	var refused error
	for _, control := range shared.controls {
		if control.refused != nil {
			s.C.NotJudged(control.kind.name, "%v", control.refused)
			refused = errors.Join(refused, control.refused)
			continue
		}
		kinds = append(kinds, control.kind)
	}
	if len(kinds) > 0 {
		refused = nil
	}
	s.C.SharedControl(refused)
	return kinds
}

// kindControl is what became of an event of a kind that is as it should be.
type kindControl struct {
	kind    otherKind
	refused error // nil if the server accepted it
}

// control delivers an event of the kind as it should be.
func (k otherKind) control(s delivery.Scene, path delivery.Path) kindControl {
	honest := k.opens(s, path).delivers(func(_ delivery.Scene, honest federation.Template) federation.Template { return honest })
	if err := honest.IsShown(s.Alice); err != nil {
		return kindControl{k, fmt.Errorf("%s, signed by its sender, is not accepted: %w", k.name, delivery.WithAnswer(err, honest.Answer))}
	}
	if target := honest.room.target; target != "" {
		_, err := s.Alice.Event(s.C.Context(), honest.Room.ID(), target)
		k.served = err == nil
	}
	return kindControl{kind: k}
}

// isCarried reports whether a path carries the kind.
func (k otherKind) isCarried(path delivery.Path) bool {
	return slices.ContainsFunc(k.by, func(each delivery.Path) bool { return each.Name == path.Name })
}

// otherRoom is a room for one event of such a kind, by a path.
type otherRoom struct {
	delivery.Scene
	path            delivery.Path
	kind            otherKind
	guest, newcomer *federation.User
	target          string
}

// otherEvent is an event of such a kind that was delivered.
type otherEvent struct {
	delivery.Delivered
	room otherRoom
}

// opens makes a room of its own for an event of the kind, which Alice is in unless the path enters it.
func (k otherKind) opens(s delivery.Scene, path delivery.Path) otherRoom {
	s.Room = s.MakesRoom()
	guest, newcomer := s.Origin.User("guest"), s.Origin.User("newcomer")
	if k.name == "an invite" { // where signatures stand under servers' names, that of a key of Origin would replace the inviter's
		newcomer = s.Peer().User("newcomer")
	}
	s.Room.Applies(s.Room.MemberTemplate(guest, "join"))
	target := ""
	switch {
	case !path.Enters:
		s.AliceJoins()
		s.Barrier()
		said := s.Room.Says(s.Dan, redactable)
		s.Alice.Blaming("membership/join-remote").AwaitsEvent(s.Room.ID(), said.ID())
		target = said.ID()
	case k.name == "a redaction":
		target = s.Room.AppliesText(s.Dan, redactable).ID()
	}
	return otherRoom{s, path, k, guest, newcomer, target}
}

// delivers delivers the event of the room, altered.
func (r otherRoom) delivers(alter func(s delivery.Scene, honest federation.Template) federation.Template) otherEvent {
	template := alter(r.Scene, r.kind.makes(r.Scene, r.guest, r.newcomer, r.target))
	if r.kind.name == "an invite" { // the invited key's consent is not in question
		template = template.AlsoSignedBy(r.newcomer.SignerIn(r.Room.Room))
	}
	event := r.Room.Made(template)
	delivered := delivery.Delivered{Room: r.Room, Event: event}
	delivered.Delivery = r.path.Deliver(r.Scene, event, r.guest)
	return otherEvent{delivered, r}
}

// redactable is the text of a message that a redaction is about.
const redactable = "said, to be redacted"

// isRefused ensures that clients and a server that joins later are not shown the event, that the server builds nothing on it, and that it has
// no effect: earlier members are still members, and earlier messages are unchanged.
func (e otherEvent) isRefused(c *check.C, later *stage.Peer) {
	kind, target := e.room.kind.name, e.room.target
	c.Notef("the server answered %s with %s", kind, e.Answer)
	roomID, alice := e.Room.ID(), e.room.Alice
	if e.KeptOut != nil {
		c.Errorf("%s that its sender did not sign keeps others out of the room: the server answered with a refusal to join the room: %v", kind, e.KeptOut)
		return
	}
	for _, view := range alice.Views(roomID) {
		if view.Has(e.Event.ID()) {
			c.Errorf("%s that its sender did not sign must be refused and is in %s", kind, view.Name)
		}
		// In the state of send_join the event replaces the member's join, so the server cannot know the member.
		if view.Name == "/joined_members" && !e.room.path.Enters && view.Shows(e.room.guest.ID()) == "" {
			c.Errorf("after %s that its sender did not sign, %s does not show the member that it is about any more", kind, view.Name)
		}
		if kind == "a join" && view.Shows(e.room.newcomer.ID()) != "" {
			c.Errorf("%s that its sender did not sign must be refused, and %s shows its user", kind, view.Name)
		}
		for _, event := range view.Events {
			if target != "" && event.Get("event_id").String() == target && event.Get("content.body").String() != redactable {
				c.Errorf("after %s that its sender did not sign, %s does not show an earlier message as it was", kind, view.Name)
			}
		}
	}
	if target != "" {
		e.targetIsServed(c)
	}
	witness := later.Joins(roomID, later.User("witness"))
	witness.NotServed(e.Event)
	witness.NotReferredTo(e.Event, alice)
}

// targetIsServed ensures that GET /event serves the earlier message as it was.
func (e otherEvent) targetIsServed(c *check.C) {
	kind := e.room.kind
	said, err := e.room.Alice.Event(c.Context(), e.Room.ID(), e.room.target)
	switch {
	case csapi.NoAnswer(err):
		c.Need("resilience/stays-up", err)
	case err != nil && e.room.path.Enters && !kind.served:
		c.Notef("GET /event does not serve what %s is about, which a server need not have: %v", kind.name, err)
		return
	case err == nil && said.Get("content.body").String() != redactable:
		err = errors.New("it is redacted")
	}
	if err != nil {
		c.Errorf("after %s that its sender did not sign, GET /event does not serve an earlier message as it was: %v", kind.name, err)
	}
}
