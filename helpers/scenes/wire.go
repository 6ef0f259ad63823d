package scenes

// What the scene of chapter event-format collects, and what its checks read out of it.

import (
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

// FormatScenePower is the power that alice gives bob.
const FormatScenePower = 50

// WidgetTypes are the event types of widgets: the one of MSC1228's text, and the one that clients write.
var WidgetTypes = []string{"m.widget", "im.vector.modular.widgets"}

// PlayWire plays the scene, once a deployment: alice makes a room with name, topic and history visibility, bob
// joins it, a peer joins it and collects what was there and what comes.
func PlayWire(s *stage.Stage) Wire {
	return stage.Scene(s, "event-format", func() Wire {
		ctx := s.C.Context()
		alice, bob, carol, witness := s.User("alice"), s.User("bob"), s.User("carol"), s.Peer()
		bob.SetsDisplayName("Robert")
		roomID := alice.Makes(stage.Public, stage.Option{Name: "name", Value: "The room"}, stage.Option{Name: "topic", Value: "The first topic"},
			stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "shared"}))
		bob.Joins(roomID)
		alice.Blaming("membership/join-local").AwaitsMembership(roomID, bob.UserID, "join")
		room := witness.Joins(roomID, witness.User("witness"))
		scene := Wire{
			Server: s.ServerName(1), RoomID: roomID, Format: s.Format(), Alice: alice.UserID, Bob: bob.UserID, Carol: carol.UserID,
			Keys: map[string]string{}, Given: map[string]string{}, Refusals: map[string]error{},
		}

		play := func(what, eventType string, act func() (eventID string, err error)) error {
			before := idsOf(scene.candidateEvents(room, witness))
			eventID, err := act()
			if err != nil {
				return err
			}
			if eventID != "" {
				scene.Given[what] = eventID
			}
			wait, cancel := witness.Within()
			defer cancel()
			_, err = witness.WaitForEvent(wait, func(event federation.Event) bool {
				return event.RoomID() == roomID && event.Type() == eventType && !before[event.ID()]
			})
			return err
		}
		// What a client is refused is for other chapters to judge; the scene goes on without it.
		attempt := func(what, eventType string, act func() (string, error)) {
			if err := play(what, eventType, act); err != nil {
				scene.Refusals[what] = err
			}
		}
		says := func(user *stage.User, text string) func() (string, error) {
			return func() (string, error) { return user.SendMessage(ctx, roomID, text) }
		}
		sets := func(eventType, stateKey string, content map[string]any) func() (string, error) {
			return func() (string, error) { return alice.SendState(ctx, roomID, eventType, stateKey, content) }
		}
		s.C.Need("routing/reaches-members", play("a message", "m.room.message", says(alice, "to be redacted")))
		attempt("a topic", "m.room.topic", sets("m.room.topic", "", map[string]any{"topic": "The second topic"}))
		attempt("power levels by user ID", "m.room.power_levels", func() (string, error) {
			levels, err := alice.PowerLevels(ctx, roomID)
			if err != nil {
				return "", err
			}
			return alice.SendState(ctx, roomID, "m.room.power_levels", "", WithPower(levels, bob.UserID, FormatScenePower))
		})
		attempt("state keyed by the writer's user ID", ownStateType, sets(ownStateType, alice.UserID, map[string]any{"note": "keyed by a user ID"}))
		for _, eventType := range WidgetTypes {
			attempt(eventType, eventType, sets(eventType, "widget", map[string]any{
				"creatorUserId": alice.UserID, "name": "A widget", "type": "m.custom", "url": "https://example.org/",
			}))
		}
		attempt("an invite", "m.room.member", func() (string, error) { return "", alice.Invite(ctx, roomID, carol.UserID) })
		attempt("a display name", "m.room.member", func() (string, error) { return "", bob.SetDisplayName(ctx, "Bob") })
		attempt("a redaction", "m.room.redaction", func() (string, error) { return alice.Redact(ctx, roomID, scene.Given["a message"], "") })
		s.C.Need("routing/reaches-members", play("a last message", "m.room.message", says(bob, "the end of the scene")))

		state, err := alice.State(ctx, roomID)
		s.C.Need("client-view/unmodified-client", err)
		for _, event := range state.JSON().Array() {
			scene.Given["GET /state: "+event.Get("type").String()+" "+event.Get("state_key").String()] = event.Get("event_id").String()
		}
		scene.collect(s.C.Context(), room, witness)
		return scene
	})
}

// ownStateType is a kind of state that a member keeps under its own user ID.
const ownStateType = "org.example.own"

// Wire is what a peer collected of a room, and what clients were told meanwhile. It does not change once it is
// made.
type Wire struct {
	Server, RoomID    string
	Format            pseudoid.Format
	Alice, Bob, Carol string // user IDs: the creator, a member, and one who was invited
	Events            []federation.Event
	Keys              map[string]string // sender keys by user ID, as the mappings say
	Given             map[string]string // event IDs that clients were given, by what for
	Lost              map[string]string // IDs that no event has, by where they were met
	Refusals          map[string]error  // what of the scene could not be played
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

// collect takes everything that the checks judge out of the room and the peer, and asks the server for events that
// something refers to and that have not come.
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
		if id := event.Get("redacts").String(); id != "" {
			references[id] = "redacts of " + KindOf(event)
		}
	}
	for what, id := range s.Given {
		references[id] = "event_id that a client was given for " + what
	}
	return references
}

// Knows tells whether the peer was given a mapping of the user.
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

// breach is one event that breaks a demand: what is wrong, in words that other events share, and the particular.
type breach struct {
	event            federation.Event
	what, particular string
}

type Breaches []breach

func (b *Breaches) Add(event federation.Event, what, particularFormat string, arguments ...any) {
	*b = append(*b, breach{event, what, fmt.Sprintf(particularFormat, arguments...)})
}

// Tell sums the breaches up, one line for each thing that is wrong, and notes each single event; total is how many events
// were looked at.
func (b Breaches) Tell(total int, note func(format string, arguments ...any)) []string {
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
		return // it is no event then, which others judge
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

// ErrAbsent says that a field is not there.
var ErrAbsent = errors.New("absent")
