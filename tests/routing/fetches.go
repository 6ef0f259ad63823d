package routing

// The endpoints by which a server requests events and state of a room from another, for the checks of who may.

import (
	"context"
	"fmt"
	"slices"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// fetch is one endpoint by which a server requests events or state.
type fetch struct {
	name string
	// byRoom: the request names the room, so that access control lists apply to it.
	byRoom bool
	// asks returns the IDs of the events in the answer.
	asks func(q question) ([]string, federation.Answer, error)
	// needs returns the IDs of events that the answer must have, about an event of a room that the peer is in.
	needs func(peer *stage.Peer, room *federation.Room, event federation.Event) []string
}

// question is about an event of a room, and the events before it. The room may be another peer's model of it: the peer that
// asks need not be in it.
type question struct {
	ctx     context.Context
	peer    *stage.Peer
	server  string
	room    *federation.Room
	eventID string
}

// itself is the event that is asked for.
func itself(_ *stage.Peer, _ *federation.Room, event federation.Event) []string {
	return []string{event.ID()}
}

// before is what comes just before the event.
func before(_ *stage.Peer, _ *federation.Room, event federation.Event) []string {
	return event.PrevEvents()
}

// withBefore is the event, and what comes just before it (server-server API, GET /backfill).
func withBefore(_ *stage.Peer, _ *federation.Room, event federation.Event) []string {
	return append(event.PrevEvents(), event.ID())
}

// authorising is what authorises the event.
func authorising(_ *stage.Peer, _ *federation.Room, event federation.Event) []string {
	return event.AuthEvents()
}

// members is what authorises the event, and the member events of the peer's users.
func members(peer *stage.Peer, room *federation.Room, event federation.Event) []string {
	ids := event.AuthEvents()
	for _, member := range room.Members() {
		domain, err := pseudoid.UserIDDomain(member.UserID)
		current, known := room.StateEvent("m.room.member", member.Sender)
		if err == nil && domain == peer.Name() && member.Membership == "join" && known {
			ids = append(ids, current.ID())
		}
	}
	return ids
}

var fetches = []fetch{
	{"event", false, func(q question) ([]string, federation.Answer, error) {
		event, answer, err := q.peer.FetchEvent(q.ctx, q.server, q.room, q.eventID)
		if event.IsZero() {
			return nil, answer, err
		}
		return []string{event.ID()}, answer, err
	}, itself},
	{"state", true, func(q question) ([]string, federation.Answer, error) {
		state, chain, answer, err := q.peer.FetchState(q.ctx, q.server, q.room, q.eventID)
		return namesOf(append(state, chain...)), answer, err
	}, members},
	{"state_ids", true, func(q question) ([]string, federation.Answer, error) {
		state, chain, answer, err := q.peer.FetchStateIDs(q.ctx, q.server, q.room, q.eventID)
		return append(state, chain...), answer, err
	}, members},
	{"event_auth", true, func(q question) ([]string, federation.Answer, error) {
		chain, answer, err := q.peer.FetchEventAuth(q.ctx, q.server, q.room, q.eventID)
		return namesOf(chain), answer, err
	}, authorising},
	{"backfill", true, func(q question) ([]string, federation.Answer, error) {
		list, answer, err := q.peer.Backfill(q.ctx, q.server, q.room, 10, q.eventID)
		return namesOf(list), answer, err
	}, withBefore},
	{"get_missing_events", true, func(q question) ([]string, federation.Answer, error) {
		create, _ := q.room.StateEvent("m.room.create", "")
		list, answer, err := q.peer.FetchMissingEvents(q.ctx, q.server, q.room, 10, []string{create.ID()}, []string{q.eventID})
		return namesOf(list), answer, err
	}, before},
}

func namesOf(events []federation.Event) []string {
	var ids []string
	for _, event := range events {
		ids = append(ids, event.ID())
	}
	return ids
}

// from lets a peer ask hs1, and returns the IDs of the events in the answer. No answer ends the check.
func (f fetch) from(s *stage.Stage, peer *stage.Peer, room *stage.Room, eventID string) ([]string, federation.Answer) {
	ctx, cancel := peer.Within()
	defer cancel()
	ids, answer, err := f.asks(question{ctx, peer, s.ServerName(1), room.Room, eventID})
	s.C.Need("resilience/stays-up", err)
	return ids, answer
}

// served returns an error if the fetch lacks what a member's server needs.
func (f fetch) served(s *stage.Stage, peer *stage.Peer, room *stage.Room, eventID string) error {
	ids, answer := f.from(s, peer, room, eventID)
	if len(ids) == 0 {
		return fmt.Errorf("%s was answered %s", f.name, answer)
	}
	event, known := room.Event(eventID)
	if !known { // it was sent, with something wrong with it that other checks judge
		return nil
	}
	for _, id := range f.needs(peer, room.Room, event) {
		if !slices.Contains(ids, id) {
			what := "event"
			if lacking, known := room.Event(id); known {
				what = lacking.Type()
			}
			return fmt.Errorf("%s gave %d events, and not the %s %s", f.name, len(ids), what, id)
		}
	}
	return nil
}

// openTo returns the names of the fetches that give a peer events of a room.
func openTo(s *stage.Stage, peer *stage.Peer, room *stage.Room, eventID string) map[string]bool {
	open := map[string]bool{}
	for _, each := range fetches {
		ids, _ := each.from(s, peer, room, eventID)
		open[each.name] = len(ids) > 0
	}
	return open
}

// denied ensures that a peer gets no events of the room by the fetch, however the server refuses.
func (f fetch) denied(s *stage.Stage, peer *stage.Peer, room *stage.Room, eventID, who string) {
	s.C.NeedControl()
	if ids, _ := f.from(s, peer, room, eventID); len(ids) > 0 {
		s.C.Errorf("/%s gave %s %d events of the room", f.name, who, len(ids))
	}
}
