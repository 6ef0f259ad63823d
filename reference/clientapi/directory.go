package clientapi

// This file serves aliases, the public room list and spaces (client-server API, "Room aliases", "Listed rooms",
// "Spaces").

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"msc4014/reference/rooms"
)

func (a *API) directoryRoutes() []route {
	return []route{
		{"GET", "/v3/directory/room/{alias}", a.alias, true},
		{"PUT", "/v3/directory/room/{alias}", a.addAlias, false},
		{"DELETE", "/v3/directory/room/{alias}", a.deleteAlias, false},
		{"GET", "/v3/rooms/{roomID}/aliases", a.aliases, false},
		{"GET", "/v3/directory/list/room/{roomID}", a.listed, true},
		{"PUT", "/v3/directory/list/room/{roomID}", a.setListed, false},
		{"GET", "/v3/publicRooms", a.publicRooms, true},
		{"POST", "/v3/publicRooms", a.searchPublicRooms, false},
		{"GET", "/v1/rooms/{roomID}/hierarchy", a.hierarchy, false},
		{"GET", "/v1/room_summary/{room}", a.roomSummary, false},
	}
}

func (a *API) alias(r *request) (any, error) {
	roomID, servers, err := a.Rooms.ResolveAlias(r.Context(), r.PathValue("alias"))
	return object{"room_id": roomID, "servers": append([]string{}, servers...)}, err
}

func (a *API) addAlias(r *request) (any, error) {
	var body struct {
		RoomID string `json:"room_id"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	alias := r.PathValue("alias")
	localpart, server, found := strings.Cut(alias, ":")
	if !strings.HasPrefix(localpart, "#") || !found {
		return nil, rooms.Bad("M_INVALID_PARAM", "%q is not a room alias", alias)
	}
	if server != a.Server {
		return nil, rooms.Forbidden("%s is an alias of another server", alias)
	}
	room := a.Rooms.Get(body.RoomID)
	if room == nil || room.Membership(r.UserID) != "join" {
		return nil, rooms.Forbidden("%s is not in room %s", r.UserID, body.RoomID)
	}
	return empty{}, a.Rooms.CreateAlias(alias, body.RoomID, r.UserID)
}

func (a *API) deleteAlias(r *request) (any, error) {
	return empty{}, a.Rooms.DeleteAlias(r.PathValue("alias"), r.UserID)
}

func (a *API) aliases(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	if room.Membership(r.UserID) != "join" && !room.Summary().WorldReadable {
		return nil, rooms.Forbidden("%s is not in room %s", r.UserID, room.ID())
	}
	return object{"aliases": a.Rooms.AliasesOf(room.ID())}, nil
}

func (a *API) listed(r *request) (any, error) {
	id := r.PathValue("roomID")
	if a.Rooms.Get(id) == nil {
		return nil, rooms.NotFound("there is no room %s here", id)
	}
	if a.Rooms.Listed(id) {
		return object{"visibility": "public"}, nil
	}
	return object{"visibility": "private"}, nil
}

func (a *API) setListed(r *request) (any, error) {
	body := struct {
		Visibility string `json:"visibility"`
	}{"public"}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	room, err := r.joined()
	if err != nil {
		return nil, err
	}
	if body.Visibility != "public" && body.Visibility != "private" {
		return nil, rooms.Bad("M_INVALID_PARAM", "visibility is %q, not public or private", body.Visibility)
	}
	if !room.MaySendState(r.UserID, "m.room.canonical_alias") {
		return nil, rooms.Forbidden("%s does not have the power level to list room %s", r.UserID, room.ID())
	}
	return empty{}, a.Rooms.SetListed(room.ID(), body.Visibility == "public")
}

func (a *API) publicRooms(r *request) (any, error) {
	q := rooms.PublicQuery{Since: r.query("since")}
	if text := r.query("limit"); text != "" {
		limit, err := limitOf(text, 0)
		if err != nil {
			return nil, err
		}
		q.Limit = &limit
	}
	return a.publicPage(r, q)
}

func (a *API) searchPublicRooms(r *request) (any, error) {
	var q rooms.PublicQuery
	if err := r.into(&q); err != nil {
		return nil, err
	}
	return a.publicPage(r, q)
}

// publicPage returns a page of the public room list of this or another server.
func (a *API) publicPage(r *request, q rooms.PublicQuery) (any, error) {
	if server := r.query("server"); server != "" && server != a.Server {
		answer, err := a.Remote.PublicRooms(r.Context(), server, marshal(q))
		if err != nil {
			text := fmt.Sprintf("the public rooms of %s are unavailable: %v", server, err)
			return nil, &rooms.Error{Status: http.StatusBadGateway, Code: "M_UNKNOWN", Text: text}
		}
		return answer, nil
	}
	return a.Rooms.PublicPage(q)
}

func (a *API) hierarchy(r *request) (any, error) {
	depth, skip := int64(10), 0
	if text := r.query("max_depth"); text != "" {
		var err error
		if depth, err = number(text, "max_depth"); err != nil {
			return nil, err
		}
	}
	if text := r.query("from"); text != "" {
		n, err := number(text, "from")
		if err != nil || n < 0 {
			return nil, rooms.Bad("M_INVALID_PARAM", "from is %q, which is not a token of this server", text)
		}
		skip = int(n)
	}
	limit, err := limitOf(r.query("limit"), 50)
	if err != nil {
		return nil, err
	}
	suggestedOnly, down := r.query("suggested_only") == "true", int(min(max(depth, 0), 100))
	found, err := a.Rooms.Hierarchy(r.Context(), r.UserID, r.PathValue("roomID"), suggestedOnly, down)
	if err != nil {
		return nil, err
	}
	skip = min(skip, len(found))
	end := min(skip+limit, len(found))
	answer := object{"rooms": found[skip:end]}
	if end < len(found) {
		answer["next_batch"] = strconv.Itoa(end)
	}
	return answer, nil
}

// roomSummary describes a room, given by its ID or an alias, without its children.
func (a *API) roomSummary(r *request) (any, error) {
	roomID, via := r.PathValue("room"), r.URL.Query()["via"]
	if strings.HasPrefix(roomID, "#") {
		named, servers, err := a.Rooms.ResolveAlias(r.Context(), roomID)
		if err != nil {
			return nil, err
		}
		roomID, via = named, append(via, servers...)
	}
	found, err := a.Rooms.SummaryFor(r.Context(), r.UserID, roomID, via)
	if err != nil {
		return nil, err
	}
	summary := object{}
	if err := json.Unmarshal(found, &summary); err != nil {
		return nil, err
	}
	delete(summary, "children_state")
	delete(summary, "membership") // another server does not know it
	if room := a.Rooms.Get(roomID); room != nil {
		if membership := room.Membership(r.UserID); membership != "" {
			summary["membership"] = membership
		}
	}
	return summary, nil
}
