package twins

// The views of a room that are compared at some points of a session.

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// view is a way to look at a room.
type view struct {
	name string
	ask  func(r *room, user int) request
}

func get(path string) request { return request{method: http.MethodGet, path: path} }

// within takes from the answer the elements that are about the room.
func within(name string) reading {
	return func(r *room, answer any) any {
		ours := []any{}
		for _, each := range list(in(answer, name)) {
			if in(each, "room_id") == r.id {
				ours = append(ours, each)
			}
		}
		return fields{name: ours}
	}
}

// views are all ways to look at a room.
var views = []view{
	{"/sync initial", func(r *room, _ int) request { return syncs(r, fields{"timeline": fields{"limit": 50}}) }},
	{"/sync limited", func(r *room, user int) request {
		return since(r, r.world.began[user], fields{"timeline": fields{"limit": 1}})
	}},
	{"/sync full_state", func(r *room, user int) request {
		asked := since(r, r.world.since[user], fields{"timeline": fields{"limit": 1}})
		asked.query.Set("full_state", "true")
		return asked
	}},
	{"/messages backwards", func(r *room, _ int) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "messages"), query: url.Values{"dir": {"b"}, "limit": {"100"}}}
	}},
	{"/messages forwards", func(r *room, _ int) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "messages"), query: url.Values{"dir": {"f"}, "limit": {"5"}}}
	}},
	{"/state", func(r *room, _ int) request { return get(v3("rooms", r.id, "state")) }},
	{"/members", func(r *room, _ int) request { return get(v3("rooms", r.id, "members")) }},
	{"/members of before", func(r *room, user int) request {
		asked := get(v3("rooms", r.id, "members"))
		asked.query = url.Values{"at": {r.world.looked[user]}}
		return asked
	}},
	{"/joined_members", func(r *room, _ int) request { return get(v3("rooms", r.id, "joined_members")) }},
	{"/state/m.room.create", func(r *room, _ int) request { return get(v3("rooms", r.id, "state", "m.room.create", "")) }},
	{"/state/m.room.power_levels", func(r *room, _ int) request { return get(v3("rooms", r.id, "state", levelsType, "")) }},
	{"/aliases", func(r *room, _ int) request { return get(v3("rooms", r.id, "aliases")) }},
	{"/directory/list/room", func(r *room, _ int) request { return get(v3("directory", "list", "room", r.id)) }},
	{"/publicRooms", func(r *room, _ int) request {
		return request{
			method: http.MethodPost, path: v3("publicRooms"), view: within("chunk"),
			body: fields{"filter": fields{"generic_search_term": r.world.nonce}},
		}
	}},
	{"/joined_rooms", func(r *room, _ int) request {
		return request{method: http.MethodGet, path: v3("joined_rooms"), view: func(r *room, answer any) any {
			for _, each := range list(in(answer, "joined_rooms")) {
				if each == r.id {
					return true
				}
			}
			return false
		}}
	}},
	{"/search", func(r *room, _ int) request { return search(r, fields{}) }},
	{"/threads", func(r *room, _ int) request { return get(v1("rooms", r.id, "threads")) }},
	{"/threads with the user", func(r *room, _ int) request {
		asked := get(v1("rooms", r.id, "threads"))
		asked.query = url.Values{"include": {"participated"}}
		return asked
	}},
	{"/hierarchy", func(r *room, _ int) request { return get(v1("rooms", r.id, "hierarchy")) }},
	{"/room_summary", func(r *room, _ int) request { return get(v1("room_summary", r.id)) }},
	{"/notifications", func(*room, int) request {
		return request{method: http.MethodGet, path: v3("notifications"), query: url.Values{"limit": {"100"}}, view: within("notifications")}
	}},
}

// since is a sync of one room from a token on. What joined users are shown of its state, timeline and summary is compared.
func since(r *room, token string, filter fields) request {
	asked := syncs(r, filter)
	asked.query.Set("since", token)
	asked.view = func(r *room, answer any) any {
		joined := in(answer, "rooms", "join", r.id)
		return fields{"state": in(joined, "state"), "timeline": in(joined, "timeline"), "summary": in(joined, "summary")}
	}
	return asked
}

// lastOf is the path under which lists of a view are ordered or not.
func lastOf(endpoint string) string { return strings.TrimPrefix(endpoint, "/") }

// look compares all views of all users. What may be late must still differ after a moment.
func (p *player) look(step Step) error {
	if p.looked == nil {
		p.looked = slices.Clone(p.since)
	}
	for user := range p.Users {
		for _, each := range views {
			answers := make([]answer, len(p.rooms))
			var failed error
			glance := func() bool {
				for _, i := range []int{ordinaryRoom, pseudoRoom, controlRoom} {
					if i == controlRoom && p.alike(each, answers) {
						return true
					}
					if answers[i], failed = p.glance(user, each, p.rooms[i]); failed != nil {
						return true
					}
				}
				return !p.news(user, each, answers)
			}
			if err := p.await(grace/4, glance); err != nil || failed != nil {
				return errors.Join(err, failed)
			}
			p.count(each.name, answers[0])
			if !p.alike(each, answers) {
				p.compareAnswers(step, each.name, user, answers)
			}
		}
	}
	return nil
}

// alike reports whether the ordinary and the pseudo-ID room look the same: then the second ordinary room need not be looked at.
func (p *player) alike(view view, answers []answer) bool {
	a, b := answers[ordinaryRoom], answers[pseudoRoom]
	if a.outcome() != b.outcome() || !a.good() {
		return a.outcome() == b.outcome()
	}
	normal := func(i int) any { return p.rooms[i].named.normal(answers[i].body, lastOf(view.name)) }
	return len(compare(normal(ordinaryRoom), normal(pseudoRoom))) == 0
}

// late says what of a view may follow later than events: counts of unread messages, notifications, the index of the search.
func late(endpoint, field string) bool {
	switch endpoint {
	case "/notifications", "/search", "/publicRooms":
		return true
	}
	return endpoint == "/sync initial" && (strings.Contains(field, "unread_") || strings.Contains(field, "ephemeral") || strings.Contains(field, "account_data"))
}

// news reports whether what the rooms show differs in a place that was not told yet, and may be late.
func (p *player) news(user int, view view, answers []answer) bool {
	first := answers[ordinaryRoom]
	for i, other := range answers[controlRoom:] {
		one := Difference{Step: lookStep, Endpoint: view.name, Field: "status", User: user}
		switch {
		case first.outcome() != other.outcome():
			if !p.known[one.where()] && late(view.name, "status") {
				return true
			}
		case first.good():
			normal := func(i int) any { return p.rooms[i].named.normal(answers[i].body, lastOf(view.name)) }
			for _, each := range compare(normal(ordinaryRoom), normal(i+controlRoom)) {
				one.Field, one.Ordinary, one.Pseudo = each.path, each.a, each.b
				one = p.inContext(one)
				if !p.known[one.where()] && late(view.name, each.path) && explained(one) == "" {
					return true
				}
			}
		}
	}
	return false
}

func (p *player) glance(user int, view view, room *room) (answer, error) {
	asked := view.ask(room, user)
	got, err := p.ask(user, asked)
	if asked.view != nil && err == nil && got.good() {
		got.body = asked.view(room, got.body)
	}
	return got, err
}
