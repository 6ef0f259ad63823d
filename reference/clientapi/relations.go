package clientapi

// This file serves relations between events: edits, reactions, threads (client-server API, "Forming relationships
// between events").

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
)

func (a *API) relationRoutes() []route {
	return []route{
		{"GET", "/v1/rooms/{roomID}/relations/{eventID}", a.relations, false},
		{"GET", "/v1/rooms/{roomID}/relations/{eventID}/{relationType}", a.relations, false},
		{"GET", "/v1/rooms/{roomID}/relations/{eventID}/{relationType}/{type}", a.relations, false},
		{"GET", "/v1/rooms/{roomID}/threads", a.threads, false},
	}
}

// The relation types that are bundled.
const (
	replacement = "m.replace"
	reference   = "m.reference"
	thread      = "m.thread"
)

// relationOf returns the relation type of an event, and the event that it relates to.
func relationOf(event *rooms.Event) (relationType, parent string) {
	relation := event.Content("m.relates_to")
	return relation.Get("rel_type").String(), relation.Get("event_id").String()
}

// relatedTo returns the events that relate to another, in order. Redacted events have no relations.
func relatedTo(room *rooms.Room, event *rooms.Event) []*rooms.Event {
	return slices.DeleteFunc(room.RelatedTo(event.ID()), func(other *rooms.Event) bool { return room.RedactionOf(other.ID()) != "" })
}

// bundled returns the bundled relations of an event, for its unsigned, or nil.
func (a *API) bundled(room *rooms.Room, event *rooms.Event, viewer rooms.Viewer) map[string]any {
	if room.RedactionOf(event.ID()) != "" {
		return nil
	}
	var edit, last *rooms.Event
	var references []object
	replies, participated := 0, room.UserID(event.Sender()) == viewer.UserID
	for _, other := range relatedTo(room, event) {
		if !room.VisibleToUser(viewer.UserID, other) {
			continue
		}
		relation, _ := relationOf(other)
		_, isState := other.StateKey()
		switch {
		case relation == replacement && other.Sender() == event.Sender() && other.Type() == event.Type() && !isState &&
			(edit == nil || newer(other, edit)):
			edit = other
		case relation == reference:
			references = append(references, object{"event_id": other.ID()})
		case relation == thread:
			replies++
			last = other
			participated = participated || room.UserID(other.Sender()) == viewer.UserID
		}
	}
	relations := object{}
	if edit != nil {
		relations[replacement] = room.View(edit, viewer, nil)
	}
	if references != nil {
		relations[reference] = object{"chunk": references}
	}
	if last != nil {
		relations[thread] = object{
			"latest_event": a.view(room, last, viewer), "count": replies, "current_user_participated": participated,
		}
	}
	if len(relations) == 0 {
		return nil
	}
	return map[string]any{"m.relations": relations}
}

// newer reports whether an edit replaces another: by time, then by ID.
func newer(one, than *rooms.Event) bool {
	if one.OriginServerTS() != than.OriginServerTS() {
		return one.OriginServerTS() > than.OriginServerTS()
	}
	return one.ID() > than.ID()
}

func (a *API) relations(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	parent, err := r.visibleEvent(room, r.PathValue("eventID"))
	if err != nil {
		return nil, err
	}
	wantedRelation, wantedType := r.PathValue("relationType"), r.PathValue("type")
	found := slices.DeleteFunc(relatedTo(room, parent), func(event *rooms.Event) bool {
		relation, _ := relationOf(event)
		return wantedRelation != "" && relation != wantedRelation || wantedType != "" && event.Type() != wantedType ||
			!room.VisibleToUser(r.UserID, event)
	})
	return a.pageOf(r, room, found)
}

// pageOf returns a page of a sorted list of events.
func (a *API) pageOf(r *request, room *rooms.Room, found []*rooms.Event) (any, error) {
	backward := r.query("dir") != "f"
	from, err := tokenOr(r.query("from"), map[bool]int64{true: unlimited - 1, false: math.MinInt64}[backward])
	if err != nil {
		return nil, err
	}
	to, err := tokenOr(r.query("to"), map[bool]int64{true: math.MinInt64, false: unlimited}[backward])
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r.query("limit"), 50)
	if err != nil {
		return nil, err
	}
	first, last := from, to // exclusive, inclusive
	if backward {
		first, last = to, from
	}
	found = slices.DeleteFunc(found, func(event *rooms.Event) bool { return event.Position <= first || event.Position > last })
	if backward {
		slices.Reverse(found)
	}
	answer := object{}
	if len(found) > limit {
		found = found[:limit]
		if limit > 0 {
			next := found[limit-1].Position
			if backward {
				next--
			}
			answer["next_batch"] = token(next)
		}
	}
	if asked := r.query("from"); asked != "" {
		answer["prev_batch"] = asked
	}
	answer["chunk"] = a.views(room, found, r.viewer())
	return answer, nil
}

// threads lists the root events of a room's threads, the one with the newest reply first.
func (a *API) threads(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	if !room.MayRead(r.UserID) {
		return nil, rooms.Forbidden("%s may not read room %s", r.UserID, room.ID())
	}
	limit, err := limitOf(r.query("limit"), 50)
	if err != nil {
		return nil, err
	}
	from, err := tokenOr(r.query("from"), unlimited-1)
	if err != nil {
		return nil, err
	}
	replies, _ := room.Backward(r.UserID, unlimited, math.MinInt64, math.MaxInt, func(event *rooms.Event) bool {
		relation, _ := relationOf(event)
		return relation == thread && room.RedactionOf(event.ID()) == ""
	})
	chunk, seen, answer := []json.RawMessage{}, map[string]bool{}, object{}
	for _, reply := range replies {
		_, root := relationOf(reply)
		event := room.Event(root)
		if seen[root] || event == nil || !room.VisibleToUser(r.UserID, event) {
			continue
		}
		seen[root] = true
		if reply.Position > from {
			continue
		}
		if len(chunk) == limit {
			answer["next_batch"] = token(reply.Position)
			break
		}
		view := a.view(room, event, r.viewer())
		participated := gjson.GetBytes(view, `unsigned.m\.relations.m\.thread.current_user_participated`).Bool()
		if r.query("include") == "participated" && !participated {
			continue
		}
		chunk = append(chunk, view)
	}
	answer["chunk"] = chunk
	return answer, nil
}
