package unverified

// What the checks of chapter unverified look at: a room with a ghost, a member whose server's keys cannot be had, met along
// one of the paths by which servers meet members. Each haunting is prepared once, and several checks look at it.

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// joinBound is the suite's own number: the texts say "shortish", and give none.
const joinBound = 45 * time.Second

// failure is a way in which a server's keys cannot be had.
type failure struct {
	name  string
	as    federation.DeadAs
	lasts time.Duration // about how long a server waits for an answer; 0: it need not wait
}

var (
	// closesConnections is the death for checks that are not about how a server is dead: nobody has to wait for it.
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

// scene is who plays. alice is a user of the server under test; carol is a user of the herald, an honest server that brings
// what the others write. The ghost's server, the grave, is dead; dave's is not: he is the ghost's positive control.
type scene struct {
	*stage.Stage
	alice                   *stage.User
	origin, deadServer      *stage.Peer
	carol, dave, unverified *federation.User
	revive                  func()        // to be called once
	patience                time.Duration // with servers that may wait for keys before they show an event
}

func openScene(s *stage.Stage, dead failure) *scene {
	h := &scene{Stage: s, alice: s.User("alice"), origin: s.Peer(), deadServer: s.Peer()}
	h.alice.Server.Timeout = joinBound
	h.carol, h.dave, h.unverified = h.origin.User("carol"), s.Peer().User("dave"), h.deadServer.User("ghost")
	h.patience = stage.Patience
	if dead.as != swallowsRequests.as {
		h.revive = h.deadServer.PlayDead(dead.as)
		return h
	}
	h.patience = joinBound
	// What is held gets its answer when the server comes back: that is to answer late.
	back := make(chan struct{})
	h.revive = func() { close(back) }
	h.deadServer.Handle(federation.Any, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if request.Hold(back) {
			return honest()
		}
		return federation.Refused()
	})
	return h
}

// meeting is of a member whom the server under test met in a room: a join and a message.
type meeting struct {
	room       *stage.Room
	join, said federation.Event
}

// enters makes a user's join at the room's end; the server under test is not told.
func (h *scene) enters(room *stage.Room, user *federation.User) federation.Event {
	event, err := room.MemberTemplate(user, "join").Build()
	if err != nil {
		h.C.SuiteError(err)
	}
	room.Apply(event)
	return event
}

// message makes a message at the room's end; the server under test is not told, nor is it applied.
func message(room *stage.Room, user *federation.User, text string) federation.Event {
	return room.Builds(federation.Proto{
		Type: "m.room.message", Sender: user, Content: map[string]string{"msgtype": "m.text", "body": text},
	})
}

// speaks makes a message and applies it.
func speaks(room *stage.Room, user *federation.User, text string) federation.Event {
	event := message(room, user, text)
	room.Apply(event)
	return event
}

// brings lets the herald send an event to the server under test, which may take its time. The error is what the server
// says of the event, whatever that means.
func (h *scene) brings(event federation.Event) error {
	ctx, cancel := h.C.Within(joinBound)
	defer cancel()
	answer, err := h.origin.SendTransaction(ctx, h.ServerName(1), []federation.Event{event}, nil)
	h.C.Need("resilience/stays-up", err)
	if told := answer.PDUErrors[event.ID()]; told != "" || !answer.OK() {
		return fmt.Errorf("the server answered %s with %s", event, answer.Answer)
	}
	return nil
}

// sees waits until alice's client is shown events by /sync.
func (h *scene) sees(room *stage.Room, events ...federation.Event) error {
	timeline := h.alice.Timeline(room.ID())
	for _, event := range events {
		ctx, cancel := h.C.Within(h.patience)
		_, err := timeline.Wait(ctx, match.EventID(event.ID()))
		cancel()
		if err != nil {
			return fmt.Errorf("clients are not shown the %s of %s: %w", event.Type(), event.Sender(), err)
		}
	}
	return nil
}

// seesBefore delivers a barrier, which stands beside events that were brought before it, waits until alice's client is shown it,
// and looks for the events.
func (h *scene) seesBefore(room *stage.Room, barrier federation.Event, events ...federation.Event) error {
	if err := errors.Join(h.brings(barrier), h.sees(room, barrier)); err != nil {
		return err
	}
	for _, event := range events {
		if !h.alice.SomeView(room.ID(), func(view stage.View) bool { return view.Has(event.ID()) }) {
			return fmt.Errorf("clients are shown what was brought after it, and not the %s of %s", event.Type(), event.Sender())
		}
	}
	return nil
}

// path is a path by which a server meets a member. meet lets the server under test meet the user in a room of its own; the
// error says that what the user wrote is not shown to clients.
type path struct {
	name string
	meet func(h *scene, user *federation.User) (meeting, error)
	// deadly: deployed servers die of meeting anybody along it
	deadly bool
}

var bySend = path{"send", meetBySend, false}

// otherPaths: the state of a room just joined, and backfill, are those that MSC1228 speaks of; the others are by which a
// server fills the gaps of a room that it is in.
var otherPaths = []path{
	{"send_join answer", meetInStateOfJoin, false},
	{"backfill", meetByBackfill, true},
	{"get_missing_events", meetInGap, false},
	{"state", meetInState, true},
}

// meetBySend: the herald brings the join and the message, each in a transaction.
func meetBySend(h *scene, user *federation.User) (meeting, error) {
	m := meeting{room: h.origin.Joins(h.alice.Makes(stage.Public), h.carol)}
	// The barrier stands beside the join, not behind it: it arrives whatever becomes of that.
	barrier := message(m.room, h.carol, "said beside the join")
	m.join = h.enters(m.room, user)
	if told := h.brings(m.join); told != nil {
		if err := h.seesBefore(m.room, barrier, m.join); err != nil {
			return m, errors.Join(told, err)
		}
	}
	m.said = speaks(m.room, user, "said after the join")
	told := h.brings(m.said)
	return m, errors.Join(told, h.sees(m.room, m.join, m.said))
}

// meetInGap: the server learns of the join and the message when it asks for what comes before another message.
func meetInGap(h *scene, user *federation.User) (meeting, error) {
	m := meeting{room: h.origin.Joins(h.alice.Makes(stage.Public), h.carol)}
	barrier := message(m.room, h.carol, "said beside the gap")
	m.join = h.enters(m.room, user)
	m.said = speaks(m.room, user, "said in the gap")
	after := speaks(m.room, h.carol, "said after the gap")
	told := h.brings(after)
	return m, errors.Join(told, h.seesBefore(m.room, barrier, m.said, after))
}

// meetInState: of the gap the herald has the last event alone, so the server asks for the state before that.
func meetInState(h *scene, user *federation.User) (meeting, error) {
	m := meeting{room: h.origin.Joins(h.alice.Makes(stage.Public), h.carol)}
	m.join = h.enters(m.room, user)
	speaks(m.room, user, "said in the gap")
	// The member must be in the room's present state, by others' events, before it can say anything.
	last := speaks(m.room, h.carol, "said last in the gap")
	defer h.origin.Handle(federation.GetMissingEvents, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if request.Room() == nil || request.Room().ID() != m.room.ID() {
			return honest()
		}
		return federation.JSON(http.StatusOK, map[string]any{"events": []federation.Event{last}})
	})()
	after := speaks(m.room, h.carol, "said after the gap")
	m.said = speaks(m.room, user, "said by a member met in the state")
	told := errors.Join(h.brings(after), h.brings(m.said))
	return m, errors.Join(told, h.sees(m.room, after, m.said))
}

// meetInStateOfJoin: the member is in the room already when alice joins it through the herald.
func meetInStateOfJoin(h *scene, user *federation.User) (meeting, error) {
	m := meeting{room: h.origin.Makes(federation.RoomOptions{Creator: h.carol})}
	m.join = h.enters(m.room, user)
	if err := h.enter(m.room); err != nil {
		return m, err
	}
	barrier := message(m.room, h.carol, "said beside the member's message")
	m.said = speaks(m.room, user, "said after alice's join")
	told := h.brings(m.said)
	return m, errors.Join(told, h.seesBefore(m.room, barrier, m.said))
}

// enter lets alice join a room of the herald's.
func (h *scene) enter(room *stage.Room) error {
	ctx, cancel := h.C.Within(joinBound)
	defer cancel()
	_, err := h.alice.JoinRoom(ctx, room.ID(), h.origin.Name())
	return err
}

// meetByBackfill: the member has come and gone when alice joins, and she looks at what was said before.
func meetByBackfill(h *scene, user *federation.User) (meeting, error) {
	m := meeting{room: h.origin.Makes(federation.RoomOptions{Creator: h.carol})}
	m.join = h.enters(m.room, user)
	m.said = speaks(m.room, user, "said before alice's join")
	delivery.Leaves(m.room, user, m.join)
	if err := h.enter(m.room); err != nil {
		return m, err
	}
	// Until her own join has come to her, servers may not know how far the room goes back.
	last := message(m.room, h.carol, "said after alice's join")
	if err := errors.Join(h.brings(last), h.sees(m.room, last)); err != nil {
		return m, err
	}
	return m, h.pagesBackTo(m.room, m.join)
}

// mostPages is how many pages of /messages are turned at most.
const mostPages = 20

// pagesBackTo looks for an event by /messages, backwards from the room's end.
func (h *scene) pagesBackTo(room *stage.Room, event federation.Event) error {
	from := ""
	for range mostPages {
		page, err := h.alice.Messages(h.C.Context(), room.ID(), from, "b", 100)
		if err != nil {
			return err
		}
		if (stage.View{Events: page.Get("chunk").Array()}).Has(event.ID()) {
			return nil
		}
		if from = page.Get("end").String(); from == "" {
			break
		}
	}
	return fmt.Errorf("/messages does not go back to the %s of %s", event.Type(), event.Sender())
}

// sighting is what clients were shown of a ghost.
type sighting struct {
	roomID, own  string // own is the name of the server under test
	claimed, key string // the ghost's user ID and sender key
	join, said   string // event IDs
	views        []stage.View
	left         bool  // the ghost is no member any more
	refused      error // why clients are not shown what it wrote
}

// meetUnverified lets the server under test meet a ghost along a road, once for all checks that look at it. The control: the same
// along the same road with a member whose server's keys can be had.
func meetUnverified(c *check.C, dead failure, along path) sighting {
	s := stage.Open(c, blueprints.OneServer)
	return stage.Scene(s, "a ghost whose server "+dead.name+", by "+along.name, func() sighting {
		h := openScene(s, dead)
		control, err := along.meet(h, h.dave)
		if err == nil && !slices.ContainsFunc(h.views(control), func(view stage.View) bool {
			return slices.ContainsFunc(scenes.EventsOf(view, control.said.ID()), func(shown gjson.Result) bool {
				return shown.Get("sender").String() == h.dave.ID()
			})
		}) {
			err = errors.New("no client view shows a message of the member of an honest server as sent by " + h.dave.ID())
		}
		c.Control(err)
		m, refused := along.meet(h, h.unverified)
		return sighting{
			roomID: m.room.ID(), own: s.ServerName(1), claimed: h.unverified.ID(), key: m.join.Sender(), join: m.join.ID(), said: m.said.ID(),
			views: h.views(m), left: m.room.Membership(m.join.Sender()) == "leave", refused: refused,
		}
	})
}

// views looks at a room in every way that the suite knows, and at what the member wrote more closely.
func (h *scene) views(m meeting) []stage.View {
	roomID := m.room.ID()
	views := h.alice.Views(roomID)
	for _, event := range []federation.Event{m.join, m.said} {
		if !event.IsZero() {
			views = append(views, h.alice.CloserViews(roomID, event.ID())...)
		}
	}
	synced, err := h.alice.Sync(h.C.Context(), "", 0, "")
	h.C.Need("client-view/unmodified-client", err)
	heroes := stage.View{Name: "the heroes of /sync"}
	for _, userID := range synced.Get("rooms.join." + gjson.Escape(roomID) + `.summary.m\.heroes`).Array() {
		heroes.Keys = append(heroes.Keys, userID.String())
	}
	return append(views, heroes)
}
