package rooms

// This file describes rooms to users that are not in them: for the public list and for the hierarchy of spaces
// (client-server API, "Listed rooms" and "Spaces").

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/reference/federation/outgoing"
)

// Summary is a description of a room, in the format of both APIs.
type Summary struct {
	RoomID         string `json:"room_id"`
	RoomType       string `json:"room_type,omitempty"`
	RoomVersion    string `json:"room_version,omitempty"`
	Name           string `json:"name,omitempty"`
	Topic          string `json:"topic,omitempty"`
	AvatarURL      string `json:"avatar_url,omitempty"`
	CanonicalAlias string `json:"canonical_alias,omitempty"`
	JoinRule       string `json:"join_rule"`
	Members        int    `json:"num_joined_members"`
	WorldReadable  bool   `json:"world_readable"`
	GuestsCanJoin  bool   `json:"guest_can_join"`
}

// Summary returns the current summary of the room.
func (r *Room) Summary() Summary {
	state := r.State()
	text := func(eventType, field string) string {
		if event := state.Get(eventType, ""); event != nil {
			return r.forClients(r.Event(event.ID())).Content(field).String()
		}
		return ""
	}
	s := Summary{
		RoomID: r.id, RoomVersion: r.Version(), Name: text("m.room.name", "name"), Topic: text("m.room.topic", "topic"),
		AvatarURL: text("m.room.avatar", "url"), CanonicalAlias: text("m.room.canonical_alias", "alias"),
		JoinRule: state.JoinRule(), WorldReadable: historyVisibility(state) == "world_readable",
		GuestsCanJoin: text("m.room.guest_access", "guest_access") == "can_join", Members: len(r.MemberUserIDs("join")),
	}
	if create := state.Create(); create != nil {
		s.RoomType = create.Content("type").String()
	}
	return s
}

// Children returns the stripped m.space.child events of a space as clients see them, sorted by state key.
func (r *Room) Children(suggestedOnly bool) []json.RawMessage {
	children := []json.RawMessage{}
	for _, event := range r.stored(r.State()) {
		if event.Type() != "m.space.child" {
			continue
		}
		if child := r.forClients(event); !child.Content("via").IsArray() || suggestedOnly && !child.Content("suggested").Bool() {
			continue
		}
		view := map[string]json.RawMessage{}
		whole := gjson.ParseBytes(r.View(event, Viewer{}, nil))
		for _, field := range []string{"type", "state_key", "content", "sender", "origin_server_ts"} {
			view[field] = json.RawMessage(whole.Get(field).Raw)
		}
		children = append(children, raw(view))
	}
	return children
}

// MayPreview reports whether a local user may see the room's summary without being in it: the room is open, or the user
// is invited or may join under a restricted rule.
func (r *Room) MayPreview(userID string) bool {
	if membership := r.Membership(userID); membership == "join" || membership == "invite" {
		return true
	}
	allowed, _ := r.inAllowedRoom(userID, r.State())
	return r.open() || r.restricted() && allowed
}

// open reports whether anybody may see the room's summary.
func (r *Room) open() bool {
	rule := r.State().JoinRule()
	return rule == "public" || rule == "knock" || rule == "knock_restricted" || historyVisibility(r.State()) == "world_readable"
}

// mayPreviewFrom reports whether a server's users may see the room's summary: some are in it, or could join it.
func (r *Room) mayPreviewFrom(server string) bool {
	if r.open() || slices.Contains(r.Servers(), server) {
		return true
	}
	rule := r.State().Get(joinRulesType, "")
	if rule == nil || !r.restricted() {
		return false
	}
	return slices.ContainsFunc(rule.Content("allow").Array(), func(allowed gjson.Result) bool {
		other := r.rooms.Get(allowed.Get("room_id").String())
		return other != nil && slices.Contains(other.Servers(), server)
	})
}

// summaryWithChildren is a room in a hierarchy.
type summaryWithChildren struct {
	Summary
	ChildrenState []json.RawMessage `json:"children_state"`
	AllowedRooms  []string          `json:"allowed_room_ids,omitempty"`
}

// HierarchyFor returns a space and its children for another server (server-server API, "Spaces").
func (rs *Rooms) HierarchyFor(origin, roomID string, suggestedOnly bool) (outgoing.Hierarchy, error) {
	room := rs.Get(roomID)
	if room == nil || !room.Resident() || !room.mayPreviewFrom(origin) {
		return outgoing.Hierarchy{}, NotFound("there is no room %s that %s may see", roomID, origin)
	}
	answer := outgoing.Hierarchy{
		Room: raw(room.withChildren(suggestedOnly)), Children: []json.RawMessage{}, InaccessibleChildren: []string{},
	}
	for _, child := range room.Children(suggestedOnly) {
		id := gjson.GetBytes(child, "state_key").String()
		other := rs.Get(id)
		switch {
		case other == nil || !other.Resident(): // other servers may know it
		case other.mayPreviewFrom(origin):
			answer.Children = append(answer.Children, raw(other.withChildren(suggestedOnly)))
		default:
			answer.InaccessibleChildren = append(answer.InaccessibleChildren, id)
		}
	}
	return answer, nil
}

func (r *Room) withChildren(suggestedOnly bool) summaryWithChildren {
	s := summaryWithChildren{Summary: r.Summary(), ChildrenState: []json.RawMessage{}}
	if s.RoomType == "m.space" {
		s.ChildrenState = r.Children(suggestedOnly)
	}
	if rule := r.State().Get(joinRulesType, ""); rule != nil && r.restricted() {
		for _, allowed := range rule.Content("allow").Array() {
			s.AllowedRooms = append(s.AllowedRooms, allowed.Get("room_id").String())
		}
	}
	return s
}

// Hierarchy returns a space and the rooms below it that a local user may see, parents first, down to a depth. Other
// servers are asked for rooms that this one is not in.
func (rs *Rooms) Hierarchy(ctx context.Context, userID, roomID string, suggestedOnly bool, depth int) ([]json.RawMessage, error) {
	w := &walk{rooms: rs, ctx: ctx, userID: userID, suggestedOnly: suggestedOnly, seen: map[string]bool{}}
	w.visit(roomID, nil, nil, depth)
	if len(w.found) == 0 {
		return nil, Forbidden("%s may not see room %s", userID, roomID)
	}
	return w.found, nil
}

// SummaryFor returns the summary of a room that a local user may see. The servers in via are asked for one that this server is not in.
func (rs *Rooms) SummaryFor(ctx context.Context, userID, roomID string, via []string) (json.RawMessage, error) {
	w := &walk{rooms: rs, ctx: ctx, userID: userID}
	summary, _ := w.summary(roomID, via, nil)
	if summary == nil {
		return nil, NotFound("room %s does not exist, or is hidden from %s", roomID, userID)
	}
	return summary, nil
}

// walk traverses a hierarchy.
type walk struct {
	rooms         *Rooms
	ctx           context.Context
	userID        string
	suggestedOnly bool
	seen          map[string]bool
	found         []json.RawMessage
}

// visit adds a room and the rooms below it. via are the servers to ask for it; known is its summary from another
// server, if any.
func (w *walk) visit(roomID string, via []string, known json.RawMessage, depth int) {
	if w.seen[roomID] || depth < 0 {
		return
	}
	w.seen[roomID] = true
	summary, told := w.summary(roomID, via, known)
	if summary == nil {
		return
	}
	w.found = append(w.found, summary)
	for _, child := range gjson.GetBytes(summary, "children_state").Array() {
		var servers []string
		for _, server := range child.Get("content.via").Array() {
			servers = append(servers, server.String())
		}
		id := child.Get("state_key").String()
		w.visit(id, servers, told[id], depth-1)
	}
}

// summary returns the summary of a room, and those of its children if they came from another server.
func (w *walk) summary(
	roomID string, via []string, known json.RawMessage,
) (summary json.RawMessage, told map[string]json.RawMessage) {
	if room := w.rooms.Get(roomID); room != nil && room.Resident() {
		if !room.MayPreview(w.userID) {
			return nil, nil
		}
		return raw(room.withChildren(w.suggestedOnly)), nil
	}
	for _, server := range via {
		if server == w.rooms.Server.Name {
			continue
		}
		answer, err := w.rooms.Remote.Hierarchy(w.ctx, server, roomID, w.suggestedOnly)
		if err != nil {
			continue
		}
		told = map[string]json.RawMessage{}
		for _, child := range answer.Children {
			told[gjson.GetBytes(child, "room_id").String()] = child
		}
		if w.mayKnow(answer.Room) {
			return answer.Room, told
		}
		return nil, nil
	}
	if known != nil && w.mayKnow(known) {
		return known, nil
	}
	return nil, nil
}

// mayKnow reports whether the user may see a room summary that another server gave to this server.
func (w *walk) mayKnow(summary json.RawMessage) bool {
	s := gjson.ParseBytes(summary)
	switch s.Get("join_rule").String() {
	case "", "public", "knock", "knock_restricted":
		return true
	}
	if s.Get("world_readable").Bool() {
		return true
	}
	if outside, ok := w.rooms.OutsideOf(w.userID, s.Get("room_id").String()); ok && outside.Membership == "invite" {
		return true
	}
	return slices.ContainsFunc(s.Get("allowed_room_ids").Array(), func(allowed gjson.Result) bool {
		room := w.rooms.Get(allowed.String())
		return room != nil && room.Membership(w.userID) == "join"
	})
}

// MaySendState reports whether a user is in the room and has the power level to send a type of state.
func (r *Room) MaySendState(userID, eventType string) bool {
	sender, known := r.Sender(userID)
	return known && r.Membership(userID) == "join" && r.maySendState(r.State(), sender, eventType)
}
