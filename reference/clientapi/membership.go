package clientapi

// This file serves creating, joining and leaving rooms (client-server API, "Rooms").

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
)

func (a *API) membershipRoutes() []route {
	return []route{
		{"POST", "/v3/createRoom", a.createRoom, false},
		{"POST", "/v3/join/{room}", a.join, false},
		{"POST", "/v3/rooms/{room}/join", a.join, false},
		{"POST", "/v3/knock/{room}", a.knock, false},
		{"POST", "/v3/rooms/{roomID}/invite", a.invite, false},
		{"POST", "/v3/rooms/{roomID}/leave", a.leave, false},
		{"POST", "/v3/rooms/{roomID}/forget", a.forget, false},
		{"POST", "/v3/rooms/{roomID}/kick", a.kick, false},
		{"POST", "/v3/rooms/{roomID}/ban", a.ban, false},
		{"POST", "/v3/rooms/{roomID}/unban", a.unban, false},
		{"POST", "/v3/rooms/{roomID}/upgrade", a.upgrade, false},
		{"POST", "/v3/rooms/{roomID}/report/{eventID}", a.report, false},
		{"GET", "/v3/joined_rooms", a.joinedRooms, false},
	}
}

func (a *API) createRoom(r *request) (any, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	var options rooms.CreateOptions
	if err := json.Unmarshal(body, &options); err != nil {
		return nil, rooms.Bad("M_BAD_JSON", "the options of a room are malformed: %v", err)
	}
	if version := gjson.GetBytes(body, "room_version"); version.Exists() && version.Str == "" {
		return nil, rooms.Bad("M_BAD_JSON", "room_version must be a string, and not empty")
	}
	if name := options.RoomAliasName; strings.ContainsAny(name, ":\x00") {
		return nil, rooms.Bad("M_INVALID_PARAM", "room_alias_name is %q: it is the part between # and :", name)
	}
	roomID, err := a.Rooms.Create(r.Context(), r.UserID, options)
	if err != nil {
		return nil, err
	}
	answer := object{"room_id": roomID}
	if options.RoomAliasName != "" {
		answer["room_alias"] = "#" + options.RoomAliasName + ":" + a.Server
	}
	return answer, nil
}

// found returns the ID of the room in the path, which may be an alias, and the servers through which the room can be
// joined.
func (r *request) found() (roomID string, via []string, err error) {
	named := r.PathValue("room")
	query := r.URL.Query()
	via = slices.Concat(query["via"], query["server_name"])
	if strings.HasPrefix(named, "#") {
		roomID, servers, err := r.api.Rooms.ResolveAlias(r.Context(), named)
		return roomID, append(via, servers...), err
	}
	if !strings.HasPrefix(named, "!") {
		return "", nil, rooms.Bad("M_INVALID_PARAM", "%q is neither a room ID nor an alias", named)
	}
	return named, via, nil
}

// reasonOf is the body of membership requests.
type reasonOf struct {
	UserID string `json:"user_id"`
	Reason string `json:"reason"`
}

func (a *API) join(r *request) (any, error) {
	var body reasonOf
	if err := r.into(&body); err != nil {
		return nil, err
	}
	roomID, via, err := r.found()
	if err != nil {
		return nil, err
	}
	return object{"room_id": roomID}, a.Rooms.Join(r.Context(), r.UserID, roomID, via, body.Reason)
}

func (a *API) knock(r *request) (any, error) {
	var body reasonOf
	if err := r.into(&body); err != nil {
		return nil, err
	}
	roomID, via, err := r.found()
	if err != nil {
		return nil, err
	}
	return object{"room_id": roomID}, a.Rooms.Knock(r.Context(), r.UserID, roomID, via, body.Reason)
}

func (a *API) leave(r *request) (any, error) {
	var body reasonOf
	if err := r.into(&body); err != nil {
		return nil, err
	}
	return empty{}, a.Rooms.Leave(r.Context(), r.UserID, r.PathValue("roomID"), body.Reason)
}

func (a *API) forget(r *request) (any, error) {
	return empty{}, a.Rooms.Forget(r.UserID, r.PathValue("roomID"))
}

// target parses the body of a request about another user's membership.
func (r *request) target() (reasonOf, error) {
	var body reasonOf
	if err := r.into(&body); err != nil {
		return body, err
	}
	if body.UserID == "" {
		return body, rooms.Bad("M_MISSING_PARAM", "user_id is missing")
	}
	return body, nil
}

func (a *API) invite(r *request) (any, error) {
	body, err := r.target()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Rooms.Invite(r.Context(), r.UserID, body.UserID, r.PathValue("roomID"), body.Reason, false)
}

func (a *API) kick(r *request) (any, error) {
	body, err := r.target()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Rooms.Kick(r.Context(), r.UserID, body.UserID, r.PathValue("roomID"), body.Reason)
}

func (a *API) ban(r *request) (any, error) {
	body, err := r.target()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Rooms.Ban(r.Context(), r.UserID, body.UserID, r.PathValue("roomID"), body.Reason)
}

func (a *API) unban(r *request) (any, error) {
	body, err := r.target()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Rooms.Unban(r.Context(), r.UserID, body.UserID, r.PathValue("roomID"), body.Reason)
}

func (a *API) upgrade(r *request) (any, error) {
	var body struct {
		NewVersion string `json:"new_version"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	newID, err := a.Rooms.Upgrade(r.Context(), r.UserID, r.PathValue("roomID"), body.NewVersion)
	return object{"replacement_room": newID}, err
}

// report accepts reports, which nobody reads.
func (a *API) report(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	_, err = r.visibleEvent(room, r.PathValue("eventID"))
	return empty{}, err
}

func (a *API) joinedRooms(r *request) (any, error) {
	joined := []string{}
	for _, m := range a.Rooms.MembershipsOf(r.UserID) {
		if m.Membership == "join" {
			joined = append(joined, m.RoomID)
		}
	}
	return object{"joined_rooms": joined}, nil
}
