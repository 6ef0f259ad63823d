package clientapi

// This file searches messages (client-server API, "Server Side Search"), by words and without an index.

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"msc4014/reference/rooms"
)

func (a *API) searchRoutes() []route {
	return []route{{"POST", "/v3/search", a.search, false}}
}

// criteria are the search criteria of a request.
type criteria struct {
	Term         string      `json:"search_term"`
	Keys         []string    `json:"keys"`
	Filter       eventFilter `json:"filter"`
	OrderBy      string      `json:"order_by"` // "recent" or "rank"
	IncludeState bool        `json:"include_state"`
	Context      *struct {
		Before  *int `json:"before_limit"`
		After   *int `json:"after_limit"`
		Profile bool `json:"include_profile"`
	} `json:"event_context"`
	Groupings struct {
		GroupBy []struct {
			Key string `json:"key"`
		} `json:"group_by"`
	} `json:"groupings"`
}

// hit is a message that was found.
type hit struct {
	room  *rooms.Room
	event *rooms.Event
	rank  int // the number of occurrences of the words
}

func (a *API) search(r *request) (any, error) {
	var body struct {
		Categories struct {
			RoomEvents *criteria `json:"room_events"`
		} `json:"search_categories"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	c := body.Categories.RoomEvents
	if c == nil {
		return object{"search_categories": empty{}}, nil
	}
	if c.Term == "" {
		return nil, rooms.Bad("M_MISSING_PARAM", "search_term is missing")
	}
	skip := 0
	if text := r.query("next_batch"); text != "" {
		n, err := number(text, "next_batch")
		if err != nil || n < 0 {
			return nil, rooms.Bad("M_INVALID_PARAM", "next_batch is %q, which is not a token of this server", text)
		}
		skip = int(n)
	}
	hits := a.hits(r, *c)
	limit := c.Filter.limit(10)
	found := object{"count": len(hits), "highlights": words(c.Term)}
	shown := hits[min(skip, len(hits)):min(skip+limit, len(hits))]
	if skip+limit < len(hits) && limit > 0 {
		found["next_batch"] = strconv.Itoa(skip + limit)
	}
	found["results"] = a.results(r, *c, shown)
	if len(c.Groupings.GroupBy) > 0 {
		found["groups"] = groups(*c, shown)
	}
	if c.IncludeState {
		state := map[string][]json.RawMessage{}
		for _, h := range shown {
			if events, ok := h.room.StateFor(r.UserID); ok && state[h.room.ID()] == nil {
				state[h.room.ID()] = a.views(h.room, events, r.viewer())
			}
		}
		found["state"] = state
	}
	return object{"search_categories": object{"room_events": found}}, nil
}

func words(text string) []string {
	return slices.Compact(slices.Sorted(slices.Values(strings.Fields(strings.ToLower(text)))))
}

// hits returns the messages that contain all words of the term, in the requested order.
func (a *API) hits(r *request, c criteria) []hit {
	keys := c.Keys
	if len(keys) == 0 {
		keys = []string{"content.body", "content.name", "content.topic"}
	}
	var hits []hit
	for _, m := range a.Rooms.MembershipsOf(r.UserID) {
		if m.Room == nil || m.Membership != "join" && m.Membership != "leave" {
			continue
		}
		keep := c.Filter.keep(m.Room)
		events, _ := m.Room.Backward(r.UserID, unlimited, math.MinInt64, math.MaxInt, func(event *rooms.Event) bool {
			return searchable(m.Room, event) && keep(event)
		})
		for _, event := range events {
			if rank := rankOf(event, keys, words(c.Term)); rank > 0 {
				hits = append(hits, hit{m.Room, event, rank})
			}
		}
	}
	slices.SortStableFunc(hits, func(x, y hit) int {
		if c.OrderBy != "recent" && x.rank != y.rank {
			return cmp.Compare(y.rank, x.rank)
		}
		return cmp.Compare(y.event.Position, x.event.Position)
	})
	return hits
}

// searchable reports whether an event is of a type that is searched, and was not redacted.
func searchable(room *rooms.Room, event *rooms.Event) bool {
	switch event.Type() {
	case "m.room.message", "m.room.name", "m.room.topic":
		return room.RedactionOf(event.ID()) == ""
	}
	return false
}

func rankOf(event *rooms.Event, keys, wanted []string) int {
	var text strings.Builder
	for _, key := range keys {
		if name, found := strings.CutPrefix(key, "content."); found {
			text.WriteString(strings.ToLower(event.Content(name).String()) + "\n")
		}
	}
	rank := 0
	for _, word := range wanted {
		count := strings.Count(text.String(), word)
		if count == 0 {
			return 0
		}
		rank += count
	}
	return rank
}

func (a *API) results(r *request, c criteria, hits []hit) []object {
	results := []object{}
	for _, h := range hits {
		result := object{"rank": h.rank, "result": a.view(h.room, h.event, r.viewer())}
		if c.Context != nil {
			result["context"] = a.contextOf(r, c, h)
		}
		results = append(results, result)
	}
	return results
}

// contextOf returns the context of a hit.
func (a *API) contextOf(r *request, c criteria, h hit) object {
	wanted := func(n *int) int {
		if n == nil {
			return 5
		}
		return max(*n, 0)
	}
	before, _ := h.room.Backward(r.UserID, h.event.Position, math.MinInt64, wanted(c.Context.Before), nil)
	behind, _ := h.room.Forward(r.UserID, h.event.Position, unlimited, wanted(c.Context.After), nil)
	start, end := h.event.Position-1, h.event.Position
	if len(before) > 0 {
		start = before[len(before)-1].Position - 1
	}
	if len(behind) > 0 {
		end = behind[len(behind)-1].Position
	}
	around := object{
		"start": token(start), "end": token(end),
		"events_before": a.views(h.room, before, r.viewer()), "events_after": a.views(h.room, behind, r.viewer()),
	}
	if c.Context.Profile {
		profiles := object{}
		for _, member := range sendersOf(h.room, append(append(before, h.event), behind...)) {
			userID, profile := profileIn(h.room, member, "displayname")
			profiles[userID] = profile
		}
		around["profile_info"] = profiles
	}
	return around
}

// groups groups hits by room or by sender.
func groups(c criteria, hits []hit) object {
	all := object{}
	for _, group := range c.Groupings.GroupBy {
		by := map[string][]string{}
		for _, h := range hits {
			key := h.room.ID()
			if group.Key == "sender" {
				key = h.room.UserID(h.event.Sender())
			}
			by[key] = append(by[key], h.event.ID())
		}
		named := object{}
		for order, key := range slices.Sorted(maps.Keys(by)) {
			named[key] = object{"results": by[key], "order": order}
		}
		all[group.Key] = named
	}
	return all
}
