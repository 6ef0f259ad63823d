package federation

// This file serves events and state to other servers.

import (
	"encoding/json"
	"time"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/rooms"
)

// The default limits on the number of events.
const (
	defaultBackfill = 100
	defaultMissing  = 10
)

// asTransaction returns the response format of /event and /backfill.
func (s *Server) asTransaction(pdus []json.RawMessage) any {
	return map[string]any{"origin": s.ServerName, "origin_server_ts": time.Now().UnixMilli(), "pdus": pdus}
}

// event answers GET /event/{eventID}.
func (s *Server) event(r *request) (any, error) {
	event, err := s.Rooms.ServeEvent(r.Context(), r.origin, r.PathValue("eventID"))
	return s.asTransaction([]json.RawMessage{event}), err
}

// state answers GET /state/{roomID}.
func (s *Server) state(r *request) (any, error) {
	state, chain, err := s.Rooms.ServeState(r.Context(), r.origin, r.PathValue("roomID"), r.URL.Query().Get("event_id"))
	return outgoing.State{PDUs: state, AuthChain: chain}, err
}

// stateIDs answers GET /state_ids/{roomID}.
func (s *Server) stateIDs(r *request) (any, error) {
	state, chain, err := s.Rooms.ServeStateIDs(r.Context(), r.origin, r.PathValue("roomID"), r.URL.Query().Get("event_id"))
	return outgoing.StateIDs{PDUIDs: state, AuthChainIDs: chain}, err
}

// eventAuth answers GET /event_auth/{roomID}/{eventID}.
func (s *Server) eventAuth(r *request) (any, error) {
	chain, err := s.Rooms.ServeEventAuth(r.Context(), r.origin, r.PathValue("roomID"), r.PathValue("eventID"))
	return map[string]any{"auth_chain": chain}, err
}

// backfill answers GET /backfill/{roomID}.
func (s *Server) backfill(r *request) (any, error) {
	limit, err := r.number("limit", defaultBackfill)
	if err != nil {
		return nil, err
	}
	events, err := s.Rooms.ServeBackfill(r.Context(), r.origin, r.PathValue("roomID"), r.URL.Query()["v"], int(limit))
	return s.asTransaction(events), err
}

// missingEvents answers POST /get_missing_events/{roomID}.
func (s *Server) missingEvents(r *request) (any, error) {
	asked := struct {
		Earliest []string `json:"earliest_events"`
		Latest   []string `json:"latest_events"`
		Limit    int      `json:"limit"`
		MinDepth int64    `json:"min_depth"`
	}{Limit: defaultMissing}
	if err := r.read(&asked); err != nil {
		return nil, err
	}
	events, err := s.Rooms.ServeMissingEvents(
		r.Context(), r.origin, r.PathValue("roomID"), asked.Earliest, asked.Latest, asked.Limit, asked.MinDepth)
	return map[string]any{"events": events}, err
}

// timestampToEvent answers GET /timestamp_to_event/{roomID}.
func (s *Server) timestampToEvent(r *request) (any, error) {
	at, err := r.number("ts", 0)
	if err != nil {
		return nil, err
	}
	roomID, direction := r.PathValue("roomID"), r.URL.Query().Get("dir")
	if direction != "f" && direction != "b" {
		return nil, rooms.Bad("M_INVALID_PARAM", "dir is %q, not f or b", direction)
	}
	room := s.Rooms.Get(roomID)
	if room == nil || !room.Resident() {
		return nil, rooms.NotFound("this server is not in room %s", roomID)
	}
	if err := s.admits(r.origin, roomID); err != nil {
		return nil, err
	}
	event := room.TimestampToEvent(r.origin, "", at, direction)
	if event == nil {
		return nil, rooms.NotFound("there is no event on that side of %d in room %s", at, roomID)
	}
	return map[string]any{"event_id": event.ID(), "origin_server_ts": event.OriginServerTS()}, nil
}
