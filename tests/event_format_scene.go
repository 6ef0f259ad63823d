package main

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

// formatScene is what a peer collected of a room, and what clients were told meanwhile. It does not change once it is
// made.
type formatScene struct {
	server, roomID    string
	format            pseudoid.Format
	alice, bob, carol string // user IDs: the creator, a member, and one who was invited
	events            []federation.Event
	keys              map[string]string // sender keys by user ID, as the mappings say
	given             map[string]string // event IDs that clients were given, by what for
	lost              map[string]string // IDs that no event has, by where they were met
	refusals          map[string]error  // what of the scene could not be played
}

// candidateEvents are the events of the room that the server under test wrote, as it served and sent them to the peer.
func (formatScene) candidateEvents(room *stage.Room, witness *stage.Peer) []federation.Event {
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
func (s *formatScene) collect(ctx context.Context, room *stage.Room, witness *stage.Peer) {
	s.events = s.candidateEvents(room, witness)
	for _, event := range room.Events() { // a user's first key counts, should a server change it
		userID := event.MappedUserID()
		if key, ok := event.StateKey(); ok && userID != "" && s.keys[userID] == "" {
			s.keys[userID] = key
		}
	}
	known := idsOf(s.events)
	for _, event := range room.Events() { // the peer's own among them
		known[event.ID()] = true
	}
	s.lost = map[string]string{}
	references := s.references()
	for _, id := range slices.Sorted(maps.Keys(references)) {
		if known[id] {
			continue
		}
		event, answer, err := witness.FetchEvent(ctx, s.server, room.Room, id)
		switch {
		case err == nil && answer.OK() && event.ID() == id:
			s.events = append(s.events, event)
		case err == nil && answer.OK():
			s.lost[references[id]] = fmt.Sprintf("%s, under which the server serves an event whose reference hash is %s", id, event.ID())
		case err == nil:
			s.lost[references[id]] = fmt.Sprintf("%s, for which the server answers %d", id, answer.Status)
		default:
			s.lost[references[id]] = fmt.Sprintf("%s, for which the server gives no answer: %v", id, err)
		}
	}
}

// references are the event IDs that the events and the clients' answers name, each with where.
func (s formatScene) references() map[string]string {
	references := map[string]string{}
	for _, event := range s.events {
		for _, id := range event.AuthEvents() {
			references[id] = "auth_events of " + kindOf(event)
		}
		for _, id := range event.PrevEvents() {
			references[id] = "prev_events of " + kindOf(event)
		}
		if id := event.Get("redacts").String(); id != "" {
			references[id] = "redacts of " + kindOf(event)
		}
	}
	for what, id := range s.given {
		references[id] = "event_id that a client was given for " + what
	}
	return references
}

// knows tells whether the peer was given a mapping of the user.
func (s formatScene) knows(userID string) error {
	if s.keys[userID] == "" {
		return fmt.Errorf("no member event maps a sender key to %s", userID)
	}
	return nil
}

// powerLevels are the users of the first and of the newest power levels, as peers see them.
func (s formatScene) powerLevels() (first, newest gjson.Result) {
	for _, event := range s.events {
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

// kindOf names an event by its type and membership.
func kindOf(event federation.Event) string {
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

type breaches []breach

func (b *breaches) add(event federation.Event, what, particularFormat string, arguments ...any) {
	*b = append(*b, breach{event, what, fmt.Sprintf(particularFormat, arguments...)})
}

// tell sums the breaches up, one line for each thing that is wrong, and notes each single event; total is how many events
// were looked at.
func (b breaches) tell(total int, note func(format string, arguments ...any)) []string {
	var order []string
	kinds := map[string][]string{}
	for _, each := range b {
		if kinds[each.what] == nil {
			order = append(order, each.what)
		}
		kind := "a reference"
		if !each.event.IsZero() {
			kind = kindOf(each.event)
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

// walk calls visit for each string of an event, keys of objects included, with its path; skip leaves a path out.
func walk(event federation.Event, skip func(path string) bool, visit func(path, text string)) {
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

// errAbsent says that a field is not there.
var errAbsent = errors.New("absent")
