package scenes

// The events of one room as a peer receives them, for checks of their format.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// BobsPower is the power that Alice gives Bob.
const BobsPower = 50

// WidgetTypes are the event types of widgets: the one of MSC1228's text, and the one that clients write.
var WidgetTypes = []string{"m.widget", "im.vector.modular.widgets"}

// CollectWire makes the room once on a deployment: Alice makes a room with name, topic and history visibility, Bob joins it,
// and a peer joins it and collects the events that it is served and sent.
func CollectWire(s *stage.Stage) Wire {
	return stage.Scene(s, "event-format", func() Wire {
		w := openWire(s)
		w.sendEvents()
		state, err := w.alice.State(s.C.Context(), w.RoomID)
		s.C.Need("client-view/unmodified-client", err)
		for _, event := range state.JSON().Array() {
			w.Given["GET /state: "+event.Get("type").String()+" "+event.Get("state_key").String()] = event.Get("event_id").String()
		}
		w.collect(s.C.Context(), w.room, w.witness)
		return w.Wire
	})
}

// wireRoom is the room while its events are sent.
type wireRoom struct {
	Wire
	stage             *stage.Stage
	alice, bob, carol *stage.User
	witness           *stage.Peer
	room              *stage.Room
}

func openWire(s *stage.Stage) *wireRoom {
	w := &wireRoom{stage: s, alice: s.User("alice"), bob: s.User("bob"), carol: s.User("carol"), witness: s.Peer()}
	w.bob.SetsDisplayName("Robert")
	roomID := w.alice.Makes(stage.Public, stage.Option{Name: "name", Value: "The room"}, stage.Option{Name: "topic", Value: "The first topic"},
		stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "shared"}))
	w.bob.Joins(roomID)
	w.alice.Blaming("membership/join-local").AwaitsMembership(roomID, w.bob.UserID, "join")
	w.room = w.witness.Joins(roomID, w.witness.User("witness"))
	w.Wire = Wire{
		Server: s.ServerName(1), RoomID: roomID, Format: s.Format(), Alice: w.alice.UserID, Bob: w.bob.UserID, Carol: w.carol.UserID,
		Keys: map[string]string{}, Given: map[string]string{}, Refusals: map[string]error{},
	}
	return w
}

// sendEvents has clients send one event after the other.
func (w *wireRoom) sendEvents() {
	ctx, c := w.stage.C.Context(), w.stage.C
	says := func(user *stage.User, text string) func() (string, error) {
		return func() (string, error) { return user.SendMessage(ctx, w.RoomID, text) }
	}
	sets := func(eventType, stateKey string, content map[string]any) func() (string, error) {
		return func() (string, error) { return w.alice.SendState(ctx, w.RoomID, eventType, stateKey, content) }
	}
	c.Need("routing/reaches-members", w.sends("a message", "m.room.message", says(w.alice, "to be redacted")))
	w.tries("a topic", "m.room.topic", sets("m.room.topic", "", map[string]any{"topic": "The second topic"}))
	w.tries("power levels by user ID", "m.room.power_levels", func() (string, error) {
		levels, err := w.alice.PowerLevels(ctx, w.RoomID)
		if err != nil {
			return "", err
		}
		return w.alice.SendState(ctx, w.RoomID, "m.room.power_levels", "", WithPower(levels, w.Bob, BobsPower))
	})
	w.tries("state keyed by the writer's user ID", ownStateType, sets(ownStateType, w.Alice, map[string]any{"note": "keyed by a user ID"}))
	for _, eventType := range WidgetTypes {
		w.tries(eventType, eventType, sets(eventType, "widget", map[string]any{
			"creatorUserId": w.Alice, "name": "A widget", "type": "m.custom", "url": "https://example.org/",
		}))
	}
	w.tries("an invite", "m.room.member", func() (string, error) { return "", w.alice.Invite(ctx, w.RoomID, w.Carol) })
	w.tries("a display name", "m.room.member", func() (string, error) { return "", w.bob.SetDisplayName(ctx, "Bob") })
	w.tries("a redaction", "m.room.redaction", func() (string, error) { return w.alice.Redact(ctx, w.RoomID, w.Given["a message"], "") })
	c.Need("routing/reaches-members", w.sends("a last message", "m.room.message", says(w.bob, "the last message")))
}

// sends has a client send an event of a type, and waits until the peer receives it. The event ID is "" where the client is
// not given it.
func (w *wireRoom) sends(what, eventType string, send func() (eventID string, err error)) error {
	before := idsOf(w.candidateEvents(w.room, w.witness))
	eventID, err := send()
	if err != nil {
		return err
	}
	if eventID != "" {
		w.Given[what] = eventID
	}
	ctx, cancel := w.witness.Within()
	defer cancel()
	_, err = w.witness.WaitForEvent(ctx, func(event federation.Event) bool {
		return event.RoomID() == w.RoomID && event.Type() == eventType && !before[event.ID()]
	})
	return err
}

// tries is sends for what a server may refuse: that is for other chapters to judge.
func (w *wireRoom) tries(what, eventType string, send func() (string, error)) {
	if err := w.sends(what, eventType, send); err != nil {
		w.Refusals[what] = err
	}
}

// ownStateType is a kind of state that a member keeps under its own user ID.
const ownStateType = "org.example.own"

// Wire is the events of a room that a peer collected, and the event IDs that clients were given. It does not change once it is
// collected.
type Wire struct {
	Server, RoomID    string
	Format            pseudoid.Format
	Alice, Bob, Carol string // user IDs: the creator, a member, and one who was invited
	Events            []federation.Event
	Keys              map[string]string // sender keys by user ID, as the mappings say
	Given             map[string]string // event IDs that clients were given, by what for
	Lost              map[string]string // IDs that no event has, by where they were found
	Refusals          map[string]error  // why an event could not be sent, by what
}

// candidateEvents are the events of the room that the server under test wrote, as it served and sent them to the peer.
func (Wire) candidateEvents(room *stage.Room, witness *stage.Peer) []federation.Event {
	all := room.Events()
	for _, arrival := range witness.Received() {
		if arrival.Event.RoomID() == room.ID() {
			all = append(all, arrival.Event)
		}
	}
	var events []federation.Event
	seen := map[string]bool{}
	for _, event := range all {
		if raw := string(event.JSON()); !seen[raw] && !witness.Switchboard().IsOurs(event.ID()) {
			seen[raw] = true
			events = append(events, event)
		}
	}
	return events
}

func idsOf(events []federation.Event) map[string]bool {
	ids := map[string]bool{}
	for _, event := range events {
		ids[event.ID()] = true
	}
	return ids
}

// collect collects the events of the room, and requests from the server those that are referred to and have not come.
func (s *Wire) collect(ctx context.Context, room *stage.Room, witness *stage.Peer) {
	s.Events = s.candidateEvents(room, witness)
	for _, event := range room.Events() { // a user's first key counts, should a server change it
		userID := event.MappedUserID()
		if key, ok := event.StateKey(); ok && userID != "" && s.Keys[userID] == "" {
			s.Keys[userID] = key
		}
	}
	known := idsOf(s.Events)
	for _, event := range room.Events() { // the peer's own among them
		known[event.ID()] = true
	}
	s.Lost = map[string]string{}
	references := s.references()
	for _, id := range slices.Sorted(maps.Keys(references)) {
		if known[id] {
			continue
		}
		event, answer, err := witness.FetchEvent(ctx, s.Server, room.Room, id)
		switch {
		case err == nil && answer.OK() && event.ID() == id:
			s.Events = append(s.Events, event)
		case err == nil && answer.OK():
			s.Lost[references[id]] = fmt.Sprintf("%s, under which the server serves an event whose reference hash is %s", id, event.ID())
		case err == nil:
			s.Lost[references[id]] = fmt.Sprintf("%s, for which the server answers %d", id, answer.Status)
		default:
			s.Lost[references[id]] = fmt.Sprintf("%s, for which the server gives no answer: %v", id, err)
		}
	}
}

// references are the event IDs that the events and the clients' answers name, each with where.
func (s Wire) references() map[string]string {
	references := map[string]string{}
	for _, event := range s.Events {
		for _, id := range event.AuthEvents() {
			references[id] = "auth_events of " + KindOf(event)
		}
		for _, id := range event.PrevEvents() {
			references[id] = "prev_events of " + KindOf(event)
		}
		if id := cmp.Or(event.Get("redacts").String(), event.Get("content.redacts").String()); id != "" {
			references[id] = "redacts of " + KindOf(event)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(s.Given)) {
		references[s.Given[what]] = "event_id that a client was given for " + what
	}
	return references
}

// Knows returns an error if the peer was given no mapping of the user.
func (s Wire) Knows(userID string) error {
	if s.Keys[userID] == "" {
		return fmt.Errorf("no member event maps a sender key to %s", userID)
	}
	return nil
}

// PowerLevels are the users of the first and of the newest power levels, as peers see them.
func (s Wire) PowerLevels() (first, newest gjson.Result) {
	for _, event := range s.Events {
		if event.Type() != "m.room.power_levels" {
			continue
		}
		newest = event.Get("content.users")
		if !first.Exists() {
			first = newest
		}
	}
	return first, newest
}

// KindOf names an event by its type and membership.
func KindOf(event federation.Event) string {
	if membership := event.Membership(); membership != "" {
		return event.Type() + " (" + membership + ")"
	}
	return event.Type()
}

// breach is one event that breaks a demand: what is wrong with it, in the same words for all events, and the detail.
type breach struct {
	event            federation.Event
	what, particular string
}

// Breaches are the events that break a demand.
type Breaches []breach

// Add adds an event.
func (b *Breaches) Add(event federation.Event, what, particularFormat string, arguments ...any) {
	*b = append(*b, breach{event, what, fmt.Sprintf(particularFormat, arguments...)})
}

// Summary returns one line for each thing that is wrong, and notes each event. total is how many events were judged.
func (b Breaches) Summary(total int, note func(format string, arguments ...any)) []string {
	var order []string
	kinds := map[string][]string{}
	for _, each := range b {
		if kinds[each.what] == nil {
			order = append(order, each.what)
		}
		kind := "a reference"
		if !each.event.IsZero() {
			kind = KindOf(each.event)
		}
		kinds[each.what] = append(kinds[each.what], kind)
		note("%s", strings.Trim(strings.TrimSpace(kind+" "+each.event.ID())+": "+each.what+": "+each.particular, ": "))
	}
	var lines []string
	for _, what := range order {
		of := strings.Join(slices.Compact(slices.Sorted(slices.Values(kinds[what]))), ", ")
		if len(kinds[what]) == total {
			of = "every event"
		}
		lines = append(lines, of+" "+what)
	}
	return lines
}

// Walk calls visit for each string of an event, keys of objects included, with its path; skip leaves a path out.
func Walk(event federation.Event, skip func(path string) bool, visit func(path, text string)) {
	whole, err := foreign.Parse(event.JSON())
	if err != nil {
		return // it is not an event then, which other checks judge
	}
	whole.Walk(func(at foreign.Place, value foreign.Value) bool {
		path := at.String()
		if skip(path) {
			return false
		}
		if at.Name().Exists() {
			visit("a key of "+orTop(at.Parent()), at.Name().String())
		}
		if value.IsString() {
			visit(path, value.String())
		}
		return true
	})
}

func orTop(path string) string {
	if path == "" {
		return "the event"
	}
	return path
}

// ErrAbsent says that a field is absent.
var ErrAbsent = errors.New("absent")
