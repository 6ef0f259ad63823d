package federation

// This file answers the queries of other servers.

import (
	"encoding/json"
	"net/http"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

// version answers GET /version.
func (s *Server) version(*request) (any, error) {
	return map[string]any{"server": outgoing.Version{Name: "msc4014-reference", Version: "1"}}, nil
}

// userInfo answers GET /openid/userinfo, with the user of an OpenID token.
func (s *Server) userInfo(r *request) (any, error) {
	userID, ok := s.Users.OpenIDUser(r.URL.Query().Get("access_token"))
	if !ok {
		return nil, &rooms.Error{Status: http.StatusUnauthorized, Code: "M_UNKNOWN_TOKEN", Text: "there is no such token"}
	}
	return map[string]string{"sub": userID}, nil
}

// profile answers GET /query/profile.
func (s *Server) profile(r *request) (any, error) {
	profile, err := s.Users.LocalProfile(r.URL.Query().Get("user_id"))
	if err != nil {
		return nil, err
	}
	shown := map[string]json.RawMessage{}
	wanted := r.URL.Query().Get("field")
	for field, value := range profile {
		if wanted == "" || wanted == field {
			shown[field] = value
		}
	}
	return shown, nil
}

// directory answers GET /query/directory.
func (s *Server) directory(r *request) (any, error) {
	alias := r.URL.Query().Get("room_alias")
	roomID, servers, ok := s.Rooms.LocalAlias(alias)
	if !ok {
		return nil, rooms.NotFound("there is no alias %s", alias)
	}
	return outgoing.Alias{RoomID: roomID, Servers: servers}, nil
}

// publicRooms answers GET and POST /publicRooms, as the client-server API does.
func (s *Server) publicRooms(r *request) (any, error) {
	var query rooms.PublicQuery
	if r.Method == http.MethodPost {
		if err := json.Unmarshal(r.body, &query); err != nil {
			return nil, rooms.Bad("M_BAD_JSON", "the query is malformed: %v", err)
		}
		return s.Rooms.PublicPage(query)
	}
	query.Since = r.URL.Query().Get("since")
	if r.URL.Query().Has("limit") {
		limit, err := r.number("limit", 0)
		if err != nil {
			return nil, err
		}
		n := int(limit)
		query.Limit = &n
	}
	return s.Rooms.PublicPage(query)
}

// hierarchy answers GET /hierarchy/{roomID}.
func (s *Server) hierarchy(r *request) (any, error) {
	roomID := r.PathValue("roomID")
	if err := s.admits(r.origin, roomID); err != nil {
		return nil, err
	}
	return s.Rooms.HierarchyFor(r.origin, roomID, r.URL.Query().Get("suggested_only") == "true")
}

// userDevices answers GET /user/devices/{userID}.
func (s *Server) userDevices(r *request) (any, error) {
	return s.Users.UserDevices(r.PathValue("userID"))
}

// userKeys answers POST /user/keys/query.
func (s *Server) userKeys(r *request) (any, error) {
	var asked struct {
		DeviceKeys map[string][]string `json:"device_keys"`
	}
	if err := r.read(&asked); err != nil {
		return nil, err
	}
	return s.Users.LocalKeys("", asked.DeviceKeys), nil
}

// claimKeys answers POST /user/keys/claim.
func (s *Server) claimKeys(r *request) (any, error) {
	var asked struct {
		OneTimeKeys users.Claims `json:"one_time_keys"`
	}
	if err := r.read(&asked); err != nil {
		return nil, err
	}
	claimed, err := s.Users.ClaimLocalKeys(asked.OneTimeKeys)
	return map[string]any{"one_time_keys": claimed}, err
}
