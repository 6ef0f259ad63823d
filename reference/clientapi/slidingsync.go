package clientapi

// This file implements room subscriptions of sliding sync (MSC3575): enough to show what such clients get when a member
// is verified later. "Sliding Sync clients should have the room invalidated and room state resent" (MSC4014, Changes
// 6.2) is one reading of unverified/sliding-sync; the server has the endpoint only in the readings that
// need it.

import (
	"encoding/json"
	"slices"

	"msc4014/reference/rooms"
)

func (a *API) slidingSyncRoutes() []route {
	if a.Rooms.Pseudonym.Readings.SlidingSync == "no-sliding-sync" {
		return nil
	}
	return []route{{"POST", "/unstable/org.matrix.msc3575/sync", a.slidingSync, false}}
}

// slidingSync returns at once what is new, since a position, in the rooms that are subscribed to.
func (a *API) slidingSync(r *request) (any, error) {
	var body struct {
		Subscriptions map[string]json.RawMessage `json:"room_subscriptions"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	since, err := tokenOr(r.query("pos"), 0)
	if err != nil {
		return nil, err
	}
	s := &syncing{API: a, viewer: r.viewer(), since: since}
	if _, _, err := s.look(); err != nil {
		return nil, err
	}
	shown := object{}
	for _, m := range s.memberships {
		if _, subscribed := body.Subscriptions[m.RoomID]; !subscribed || m.Membership != "join" {
			continue
		}
		if room := s.slidingRoom(m); room != nil {
			shown[m.RoomID] = room
		}
	}
	return object{"pos": token(s.now), "lists": empty{}, "extensions": empty{}, "rooms": shown}, nil
}

// slidingRoom returns what is new in a room, or nil.
func (s *syncing) slidingRoom(m rooms.Membership) any {
	resent := m.Room.Resent(s.since, s.now)
	reading := s.Rooms.Pseudonym.Readings.SlidingSync
	initial := s.initial() || m.Since > s.since || len(resent) > 0 && reading == "room-invalidated"
	timeline := s.timeline(m.Room, s.now, initial)
	state := s.state(m.Room, s.now, timeline, initial)
	if !initial && reading == "nothing-told" {
		state = slices.DeleteFunc(state, func(event *rooms.Event) bool { return slices.Contains(resent, event) })
	}
	if !initial && len(timeline.events)+len(state) == 0 {
		return nil
	}
	return object{
		"initial": initial, "required_state": s.views(m.Room, state), "timeline": s.views(m.Room, timeline.events),
		"prev_batch": token(timeline.previous), "limited": timeline.limited,
	}
}
