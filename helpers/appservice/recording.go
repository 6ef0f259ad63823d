package appservice

import (
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/transcript"
)

// Recording gives a sink the requests to a service that concern some rooms. Its methods are safe for concurrent use.
type Recording struct {
	service *Service
	sink    transcript.Sink
	rooms   map[string]bool // by room ID
}

// pushed is a transaction that a service took.
type pushed struct {
	exchange transcript.Exchange
	rooms    []string // of its events
}

// Record gives a sink every further request that brings no events, such as one that is refused, until Stop is called.
func (s *Service) Record(sink transcript.Sink) *Recording {
	r := &Recording{service: s, sink: sink, rooms: map[string]bool{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recordings[r] = true
	return r
}

// Room has the recording include every transaction with events of a room: those from now on, and those that the service has already,
// once each.
func (r *Recording) Room(roomID string) {
	s := r.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.rooms[roomID] {
		return
	}
	for _, each := range s.history {
		if slices.Contains(each.rooms, roomID) && !r.has(each.rooms) {
			r.sink.Record(each.exchange)
		}
	}
	r.rooms[roomID] = true
}

// Stop ends the recording.
func (r *Recording) Stop() {
	r.service.mu.Lock()
	defer r.service.mu.Unlock()
	delete(r.service.recordings, r)
}

// has reports whether it includes one of these rooms. The service's lock must be held.
func (r *Recording) has(rooms []string) bool {
	return slices.ContainsFunc(rooms, func(id string) bool { return r.rooms[id] })
}

// record gives an exchange to the recordings that want it. The lock must be held.
func (s *Service) record(exchange transcript.Exchange, rooms []string) {
	for r := range s.recordings {
		if len(rooms) == 0 || r.has(rooms) {
			r.sink.Record(exchange)
		}
	}
}

// roomsOf returns the room IDs of the events of a transaction.
func roomsOf(body []byte) (rooms []string) {
	for _, event := range gjson.GetBytes(body, "events").Array() {
		if id := event.Get("room_id").String(); !slices.Contains(rooms, id) {
			rooms = append(rooms, id)
		}
	}
	return rooms
}
