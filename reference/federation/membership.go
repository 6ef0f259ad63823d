package federation

// This file lets users of other servers join, leave and knock, and accepts invites of local users.

import (
	"encoding/json"
	"net/http"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/pdu"
	"msc4014/reference/rooms"
)

// makeMember answers GET /make_join, /make_leave and /make_knock.
func (s *Server) makeMember(membership string) handler {
	return func(r *request) (any, error) {
		versions := r.URL.Query()["ver"]
		if versions == nil {
			versions = []string{"1"} // the default of the specification
		}
		return s.Rooms.MakeMember(r.Context(), r.origin, membership, r.PathValue("roomID"), r.PathValue("userID"), versions)
	}
}

// sendJoin answers PUT /send_join.
func (s *Server) sendJoin(r *request) (any, error) {
	joined, err := s.Rooms.SendJoin(r.Context(), r.origin, r.PathValue("roomID"), r.PathValue("eventID"), r.body)
	if err != nil {
		return nil, err
	}
	return outgoing.SendJoinAnswer{
		State: joined.State, AuthChain: joined.AuthChain, Event: joined.Event, Origin: s.ServerName,
	}, nil
}

// sendLeave answers PUT /send_leave.
func (s *Server) sendLeave(r *request) (any, error) {
	return struct{}{}, s.Rooms.SendLeave(r.Context(), r.origin, r.PathValue("roomID"), r.PathValue("eventID"), r.body)
}

// sendKnock answers PUT /send_knock.
func (s *Server) sendKnock(r *request) (any, error) {
	state, err := s.Rooms.SendKnock(r.Context(), r.origin, r.PathValue("roomID"), r.PathValue("eventID"), r.body)
	return map[string]any{"knock_room_state": state}, err
}

// asVersion1 wraps the response of a handler for version 1 of an endpoint.
func asVersion1(answer handler) handler {
	return func(r *request) (any, error) {
		out, err := answer(r)
		return []any{http.StatusOK, out}, err
	}
}

// invite answers PUT /invite/{roomID}/{eventID}, version 2. Version 1 is for room versions that this server does not
// support.
func (s *Server) invite(r *request) (any, error) {
	var invite outgoing.Invite
	if err := r.read(&invite); err != nil {
		return nil, err
	}
	if err := s.admits(r.origin, r.PathValue("roomID")); err != nil {
		return nil, err
	}
	signed, err := s.Rooms.Invited(r.Context(), r.origin, r.PathValue("roomID"), invite)
	return map[string]json.RawMessage{"event": signed}, err
}

// invitePartial answers PUT /v3/invite/{roomID}/{userID}, and /v3/invite/{eventID}/{userID}, which MSC1228 has
// ("Sending invites"; invite/endpoint): the event tells which of them it is.
func (s *Server) invitePartial(r *request) (any, error) {
	var invite outgoing.Invite
	if err := r.read(&invite); err != nil {
		return nil, err
	}
	var event struct {
		RoomID string `json:"room_id"`
	}
	if err := json.Unmarshal(invite.Event, &event); err != nil {
		return nil, rooms.Bad("M_BAD_JSON", "the event: %v", err)
	}
	if named := r.PathValue("named"); named != event.RoomID {
		eventID, err := pdu.ID(invite.Event, s.Rooms.Pseudonym.Format())
		if err != nil || named != eventID {
			return nil, rooms.Bad("M_INVALID_PARAM", "the path names %s, the event is %s of room %s", named, eventID, event.RoomID)
		}
	}
	completed, err := s.Rooms.InvitedPartial(r.Context(), r.origin, r.PathValue("userID"), invite)
	return map[string]json.RawMessage{"event": completed}, err
}

// admits returns an error if a room known here has an access control list that denies a server.
func (s *Server) admits(origin, roomID string) error {
	if room := s.Rooms.Get(roomID); room != nil && !room.ACLAllows(origin) {
		return rooms.Forbidden("%s is denied by the access control list of room %s", origin, roomID)
	}
	return nil
}
