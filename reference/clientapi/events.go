package clientapi

// This file serves sending events, and the state of rooms.

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
	"msc4014/reference/store"
)

func (a *API) eventRoutes() []route {
	return []route{
		{"PUT", "/v3/rooms/{roomID}/send/{type}/{transactionID}", a.send, false},
		{"PUT", "/v3/rooms/{roomID}/redact/{eventID}/{transactionID}", a.redact, false},
		{"GET", "/v3/rooms/{roomID}/state", a.state, false},
		{"GET", "/v3/rooms/{roomID}/state/{type}", a.stateEvent, false},
		{"GET", "/v3/rooms/{roomID}/state/{type}/{$}", a.stateEvent, false},
		{"GET", "/v3/rooms/{roomID}/state/{type}/{stateKey}", a.stateEvent, false},
		{"PUT", "/v3/rooms/{roomID}/state/{type}", a.sendState, false},
		{"PUT", "/v3/rooms/{roomID}/state/{type}/{$}", a.sendState, false},
		{"PUT", "/v3/rooms/{roomID}/state/{type}/{stateKey}", a.sendState, false},
		{"GET", "/v3/rooms/{roomID}/members", a.members, false},
		{"GET", "/v3/rooms/{roomID}/joined_members", a.joinedMembers, false},
	}
}

// room returns the room that the path names. It does not check whether the user may see it.
func (r *request) room() (*rooms.Room, error) {
	id := r.PathValue("roomID")
	room := r.api.Rooms.Get(id)
	if room == nil {
		return nil, rooms.Forbidden("%s is not in room %s", r.UserID, id)
	}
	return room, nil
}

// joined returns the room that the path names, if the user is joined.
func (r *request) joined() (*rooms.Room, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	if room.Membership(r.UserID) != "join" {
		return nil, rooms.Forbidden("%s is not in room %s", r.UserID, room.ID())
	}
	return room, nil
}

// viewer returns the viewer of events.
func (r *request) viewer() rooms.Viewer { return rooms.Viewer{UserID: r.UserID, Device: r.DeviceID} }

func (a *API) send(r *request) (any, error) {
	content, err := r.body()
	if err != nil {
		return nil, err
	}
	return a.once(r, "send "+r.PathValue("type"), rooms.Write{Type: r.PathValue("type"), Content: content})
}

func (a *API) redact(r *request) (any, error) {
	content, err := r.body()
	if err != nil {
		return nil, err
	}
	target := r.PathValue("eventID")
	return a.once(r, "redact "+target, rooms.Write{Type: "m.room.redaction", Content: content, Redacts: target})
}

// once sends an event unless the transaction was done before.
func (a *API) once(r *request, endpoint string, w rooms.Write) (any, error) {
	roomID, transactionID := r.PathValue("roomID"), r.PathValue("transactionID")
	endpoint = roomID + " " + endpoint
	w.Device, w.Transaction = r.DeviceID, transactionID
	w.Also = func(tx *store.Tx, eventID string) { a.Users.Done(tx, r.Holder, endpoint, transactionID, eventID) }
	eventID, err := a.Users.Once(r.Holder, endpoint, transactionID, func() (string, error) {
		return a.Rooms.Send(r.Context(), roomID, r.UserID, w)
	})
	return object{"event_id": eventID}, err
}

func (a *API) sendState(r *request) (any, error) {
	content, err := r.body()
	if err != nil {
		return nil, err
	}
	stateKey := r.PathValue("stateKey")
	eventID, err := a.Rooms.Send(r.Context(), r.PathValue("roomID"), r.UserID, rooms.Write{
		Type: r.PathValue("type"), StateKey: &stateKey, Content: content, Device: r.DeviceID,
	})
	return object{"event_id": eventID}, err
}

func (a *API) state(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	events, ok := room.StateFor(r.UserID)
	if !ok {
		return nil, rooms.Forbidden("%s may not see the state of room %s", r.UserID, room.ID())
	}
	return a.views(room, events, r.viewer()), nil
}

func (a *API) stateEvent(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	event, err := room.StateEvent(r.UserID, r.PathValue("type"), r.PathValue("stateKey"))
	if err != nil {
		return nil, err
	}
	if r.query("format") == "event" {
		return a.view(room, event, r.viewer()), nil
	}
	return room.Content(event), nil
}

// view returns an event as a client sees it, with bundled relations.
func (a *API) view(room *rooms.Room, event *rooms.Event, viewer rooms.Viewer) json.RawMessage {
	return room.View(event, viewer, a.bundled(room, event, viewer))
}

func (a *API) views(room *rooms.Room, events []*rooms.Event, viewer rooms.Viewer) []json.RawMessage {
	views := []json.RawMessage{}
	for _, event := range events {
		views = append(views, a.view(room, event, viewer))
	}
	return views
}

func (a *API) members(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	state, ok := room.StateFor(r.UserID)
	if !ok {
		return nil, rooms.Forbidden("%s may not see the members of room %s", r.UserID, room.ID())
	}
	if at := r.query("at"); at != "" && room.Membership(r.UserID) == "join" { // a user that has left sees the state when it left, whatever it asks for
		position, err := parseToken(at)
		if err != nil {
			return nil, err
		}
		state = room.ShownStateAt(position)
	}
	wanted, unwanted := r.query("membership"), r.query("not_membership")
	members := []*rooms.Event{}
	for _, event := range state {
		membership := event.Membership()
		if event.Type() == memberType && (wanted == "" || membership == wanted) && (unwanted == "" || membership != unwanted) {
			members = append(members, event)
		}
	}
	return object{"chunk": a.views(room, members, r.viewer())}, nil
}

func (a *API) joinedMembers(r *request) (any, error) {
	room, err := r.joined()
	if err != nil {
		return nil, err
	}
	joined := object{}
	state, _ := room.StateFor(r.UserID)
	for _, event := range state {
		if event.Type() != memberType || event.Membership() != "join" {
			continue
		}
		userID, profile := profileIn(room, event, "display_name")
		joined[userID] = profile
	}
	return object{"joined": joined}, nil
}

// profileIn returns the user ID and the profile of a member event; displayName is the field name for the display name.
func profileIn(room *rooms.Room, member *rooms.Event, displayName string) (userID string, profile object) {
	view := gjson.ParseBytes(room.View(member, rooms.Viewer{}, nil))
	profile = object{}
	for shown, field := range map[string]string{displayName: "displayname", "avatar_url": "avatar_url"} {
		if value := view.Get("content." + field); value.Type == gjson.String {
			profile[shown] = value.Str
		}
	}
	return view.Get("state_key").String(), profile
}
