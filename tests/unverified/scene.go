package unverified

// A room with a member whose server's keys cannot be had, introduced along a delivery path by which the server takes honest members. Each
// is prepared once, and several checks judge it.

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// acceptingTime is how long a server may take to show an event that it did not refuse, on a quiet machine: the suite's own number. It may
// answer first, and ask for keys once more before it goes on.
const acceptingTime = 15 * time.Second

// joinBound is the suite's own number: the texts say "shortish", and give none.
const joinBound = 45 * time.Second

// failure is a way in which a server's keys cannot be had.
type failure struct {
	name  string
	as    federation.DeadAs
	lasts time.Duration // about how long a server waits for an answer; 0: it gets an error at once
}

var (
	// closesConnections is for checks that are not about how a server fails: nobody has to wait for it.
	closesConnections = failure{"closes connections", federation.DeadRefusing, 0}
	swallowsRequests  = failure{"swallows requests", federation.DeadHanging, swallowingTime}
)

// swallowingTime is about how long a server may wait for keys that it asked for in vain.
const swallowingTime = 40 * time.Second

var failures = []failure{
	closesConnections, swallowsRequests,
	{"answers garbage", federation.DeadTalkingGarbage, 0},
	{"is unavailable", federation.DeadUnavailable, 0},
}

// scene adds a member whose server's keys cannot be had, and one whose server is honest, as its positive control. Origin is
// honest, too, and delivers what both write.
type scene struct {
	delivery.Scene
	deadServer       *stage.Peer
	dave, unverified *federation.User // of an honest server, and of deadServer
	revive           func()           // to be called once
}

func openScene(s *stage.Stage, how failure) *scene {
	opened := &scene{Scene: delivery.Open(s), deadServer: s.Peer()}
	opened.Alice.Server.Timeout, opened.Deadline, opened.Patience = joinBound, joinBound, acceptingTime
	opened.dave, opened.unverified = s.Peer().User("dave"), opened.deadServer.User("erin")
	if how.as != swallowsRequests.as {
		opened.revive = opened.deadServer.PlayDead(how.as)
		return opened
	}
	opened.Patience = joinBound // servers may wait for keys before they show an event
	// Held requests are answered when the server comes back, which is late.
	back := make(chan struct{})
	opened.revive = func() { close(back) }
	opened.deadServer.Handle(federation.Any, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if request.Hold(back) {
			return honest()
		}
		return federation.Refused()
	})
	return opened
}

// otherPaths: the state of a room just joined, and backfill, are those that MSC1228 speaks of; the others are by which a
// server fills the gaps of a room that it is in.
var otherPaths = []struct {
	name string
	delivery.Path
	deadly bool // deployed servers crash of any member along it
}{
	{"send_join answer", delivery.StateOfSendJoin, false},
	{"backfill", delivery.Backfill, true},
	{"get_missing_events", delivery.GetMissingEvents, false},
	{"state", delivery.State, true},
}

// usualPaths are the paths by which a third server introduces a member, in the order in which they are tried. Whether a server takes a
// join that a third server sends is open (mapping/delivered-by-third-server). One that does not may still get it where it asks for events.
var usualPaths = []delivery.Path{delivery.Send, delivery.GetMissingEvents, delivery.StateOfSendJoin}

// meeting is how the server under test met the member who cannot be verified.
type meeting struct {
	delivery.Introduction
	along   delivery.Path
	note    string // that the path is not the first that was tried, "" if it is
	refused error  // why clients are not shown what the member wrote
}

// meets introduces the member who cannot be verified, and others with it, along the first of the paths by which the server takes a
// member whose server's keys can be had. That is the control.
func (s *scene) meets(paths []delivery.Path, others ...delivery.Other) meeting {
	s.C.Controlling()
	var refusals error
	for _, along := range paths {
		err := s.takesHonest(along)
		if err != nil {
			refusals = errors.Join(refusals, fmt.Errorf("by %s: %w", along.Name, err))
			continue
		}
		s.C.Control(nil)
		met := meeting{along: along}
		if refusals != nil {
			met.note = fmt.Sprintf("met by %s, since the server does not take a member of an honest server otherwise: %v", along.Name, refusals)
		}
		met.Introduction, met.refused = along.Introduce(s.Scene, s.unverified, others...)
		return met
	}
	s.C.Control(refusals)
	return meeting{}
}

// introduces is meets along the usual paths, for a check that shares nothing.
func (s *scene) introduces(others ...delivery.Other) meeting {
	met := s.meets(usualPaths, others...)
	notes(s.C, met.note)
	return met
}

// takesHonest introduces the member of an honest server. It returns an error if clients are not shown what that wrote, by its user ID.
func (s *scene) takesHonest(along delivery.Path) error {
	control, err := along.Introduce(s.Scene, s.dave)
	if err == nil {
		err = s.Alice.SeesInTime(func() error { return s.showsDave(control) })
	}
	return err
}

// notes adds a note to the result of a check, if there is one.
func notes(c *check.C, note string) {
	if note != "" {
		c.Notef("%s", note)
	}
}

// sighting is what clients were shown of a member who cannot be verified.
type sighting struct {
	roomID, own  string // own is the name of the server under test
	claimed, key string // the member's user ID and sender key
	join, said   string // event IDs
	views        []stage.View
	lost         []string // the views that clients are refused, and were given of the control
	left         bool     // no longer a member
	refused      error    // why clients are not shown what it wrote
	note         string   // on the path along which it was met
}

// meetUnverified introduces a member who cannot be verified (meets), once for all checks that judge it.
func meetUnverified(c *check.C, how failure, paths ...delivery.Path) sighting {
	s := stage.Open(c, blueprints.OneServer)
	seen := stage.Scene(s, "a member whose server "+how.name+", by "+paths[0].Name, func() sighting {
		opened := openScene(s, how)
		m := opened.meets(paths)
		views, lost := opened.looks(m.Introduction, m.refused == nil)
		return sighting{
			roomID: m.Room.ID(), own: s.ServerName(1), claimed: opened.unverified.ID(), key: m.Join.Sender(), join: m.Join.ID(), said: m.Said.ID(),
			views: views, lost: lost, left: m.Room.Membership(m.Join.Sender()) == "leave", refused: m.refused, note: m.note,
		}
	})
	notes(c, seen.note)
	return seen
}

// showsDave returns an error if no client view shows the message of the member of the control under its user ID.
func (s *scene) showsDave(control delivery.Introduction) error {
	if !slices.ContainsFunc(s.viewsOfControl(control), func(view stage.View) bool {
		return view.ShownAs(control.Said.ID()) == s.dave.ID()
	}) {
		return errors.New("no client view shows a message of the member of an honest server as sent by " + s.dave.ID())
	}
	return nil
}

// views returns all client views of a room, and of the events of the member also those of single events.
func (s *scene) views(m delivery.Introduction) []stage.View {
	views, _ := s.looks(m, true)
	return views
}

// looks is views, and what of it clients are refused and were given of the control. Events that were not accepted need not be served
// one by one.
func (s *scene) looks(m delivery.Introduction, accepted bool) (views []stage.View, lost []string) {
	roomID := m.Room.ID()
	views, lost = s.Alice.LooksAgain(roomID)
	closer, without := s.Alice.LooksCloser(roomID, eventsOf(m)...)
	if accepted {
		lost = append(lost, without...)
	}
	return append(append(views, closer...), heroesIn(views)), lost
}

// viewsOfControl is views of a member who can be verified.
func (s *scene) viewsOfControl(m delivery.Introduction) (views []stage.View) {
	s.Alice.SomeView(m.Room.ID(), func(view stage.View) bool {
		views = append(views, view)
		return false
	})
	return append(views, s.Alice.LooksCloserBefore(m.Room.ID(), eventsOf(m)...)...)
}

// eventsOf returns the IDs of the events of an introduction.
func eventsOf(m delivery.Introduction) (ids []string) {
	for _, event := range []federation.Event{m.Join, m.Said} {
		if !event.IsZero() {
			ids = append(ids, event.ID())
		}
	}
	return ids
}

// heroesIn returns the heroes in views of a room, by whom clients name it, as a view of their own.
func heroesIn(views []stage.View) stage.View {
	heroes := stage.View{Name: "the heroes of /sync"}
	for _, view := range views {
		heroes.Keys = append(heroes.Keys, view.Heroes...)
	}
	return heroes
}

// losesNothing ensures that clients are given every view of the room that they were given of the control's.
func (seen sighting) losesNothing(c *check.C) {
	for _, each := range seen.lost {
		c.Errorf("%s", each)
	}
}

// whyNot is why no reading could be seen: an error, or another reason if there is none.
func whyNot(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// shownAs returns a field of an event as clients are shown it, "" if no view has the event.
func shownAs(views []stage.View, eventID, field string) string {
	for _, view := range views {
		for _, event := range scenes.EventsOf(view, eventID) {
			return event.Get(field).String()
		}
	}
	return ""
}
