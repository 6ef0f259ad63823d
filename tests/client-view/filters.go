package clientview

// Filters, lazy loading and search take user IDs (MSC4014, hard requirement 1; client-server API, Filtering).

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// filtering is a request with a filter by sender.
type filtering struct {
	place string
	ask   func(ctx context.Context, client *csapi.Client, roomID string, filter map[string]any) (*csapi.Response, error)
	at    string // the gjson path of the events; {room} is the room's ID
	// users are the kinds of members whose events are asked for.
	users []string
}

var filterings = []filtering{
	{"the timeline of /sync", func(ctx context.Context, client *csapi.Client, roomID string, filter map[string]any) (*csapi.Response, error) {
		filter["limit"] = 100
		return client.Sync(ctx, "", 0, syncFilter(map[string]any{"rooms": []string{roomID}, "timeline": filter}))
	}, "rooms.join.{room}.timeline.events", []string{localMember, remoteMember, remoteBanned}},
	{"the state of /sync", func(ctx context.Context, client *csapi.Client, roomID string, filter map[string]any) (*csapi.Response, error) {
		return client.Sync(ctx, "", 0, syncFilter(map[string]any{"rooms": []string{roomID}, "timeline": map[string]any{"limit": 1}, "state": filter}))
	}, "rooms.join.{room}.state.events", []string{localMember, remoteMember}},
	{"/messages", func(ctx context.Context, client *csapi.Client, roomID string, filter map[string]any) (*csapi.Response, error) {
		query := url.Values{"dir": {"b"}, "limit": {"100"}, "filter": {encode(filter)}}
		return client.Do(ctx, http.MethodGet, csapi.V3("rooms", roomID, "messages"), query, nil)
	}, "chunk", []string{localMember, remoteMember, localBanned, remoteBanned, localRedacted, remoteRedacted, unverified}},
	{"/search", func(ctx context.Context, client *csapi.Client, roomID string, filter map[string]any) (*csapi.Response, error) {
		filter["rooms"], filter["limit"] = []string{roomID}, 50
		return client.Do(ctx, http.MethodPost, csapi.V3("search"), nil, map[string]any{"search_categories": map[string]any{
			"room_events": map[string]any{"search_term": greeting, "keys": []string{"content.body"}, "order_by": "recent", "filter": filter},
		}})
	}, "search_categories.room_events.results.#.result", []string{localMember, remoteMember, remoteBanned}},
}

func syncFilter(room map[string]any) string { return encode(map[string]any{"room": room}) }

func encode(value any) string {
	text, _ := json.Marshal(value) // maps of strings and numbers
	return string(text)
}

// byFilter are the two filters by sender.
var byFilter = []string{"senders", "not_senders"}

// found is what a filter by a user found, and why it is wrong.
type found struct {
	ordinary error // why the same filter is wrong in an ordinary room
	problems []string
}

func init() {
	for _, each := range filterings {
		for _, filter := range byFilter {
			check.Register(check.Check{
				Name:     fmt.Sprintf("the %s filter of %s takes user IDs", filter, each.place),
				Requires: []string{"client-view/filters"},
				Path:     each.place,
				Slow:     collecting,
				Body: func(c *check.C) {
					got := view(c).filtered[filter+" "+each.place]
					c.Control(got.ordinary)
					for _, problem := range got.problems {
						c.Errorf("the %s filter of %s %s", filter, each.place, problem)
					}
				},
			})
		}
	}
}

// filters requests everything with filters by sender, in the room and, as controls, in an ordinary one.
func (p *preparing) filters() {
	p.filtered = map[string]found{}
	p.paces()
	bob := p.User("bob")
	ordinary := p.alice.MakesOrdinary(stage.Public)
	bob.JoinsOrdinary(ordinary)
	said := bob.Says(ordinary, greeting+" from bob in an ordinary room")
	p.alice.Says(ordinary, greeting+" from alice in an ordinary room")
	p.alice.Blaming(stage.OrdinaryRooms).AwaitsEvent(ordinary, said)
	for _, each := range filterings {
		for _, filter := range byFilter {
			var got found
			got.ordinary = p.inOrdinary(each, filter, ordinary, bob.UserID)
			for _, kind := range each.users {
				if of, isThere := p.of(kind); isThere {
					if err := p.inRoom(each, filter, of); err != nil {
						got.problems = append(got.problems, fmt.Sprintf("for %s, %s: %v", of.kind, of.userID, err))
					}
				}
			}
			p.filtered[filter+" "+each.place] = got
		}
	}
	for range 2 {
		bob.Says(ordinary, "said after the joins")
		p.alice.Says(ordinary, "said after the joins")
	}
	p.lazyOrdinary, p.lazy = p.lazyLoads(ordinary, 3), p.lazyLoads(p.roomID, 40)
}

// of returns the member of a kind, if the room has one.
func (v viewed) of(kind string) (member, bool) {
	if _, isAbsent := v.without[kind]; isAbsent {
		return member{}, false
	}
	for _, m := range v.members {
		if m.kind == kind {
			return m, true
		}
	}
	return member{}, false
}

// asks sends a request with a filter and judges the events that it lets through.
func (p *preparing) asks(each filtering, filter, roomID, userID string, isUsers func(gjson.Result) bool) error {
	answer, err := each.ask(p.C.Context(), p.alice.Client, roomID, map[string]any{filter: []string{userID}})
	if csapi.NoAnswer(err) {
		p.C.Need("resilience/stays-up", err)
	}
	if err != nil {
		return err
	}
	return judgeFilter(filter, answer.Get(pathIn(each.at, roomID)).Array(), isUsers)
}

// inRoom returns what is wrong with a filter by a member. Whose an event is, is judged by the key that sent it.
func (p *preparing) inRoom(each filtering, filter string, of member) error {
	return p.asks(each, filter, p.roomID, p.shownID(of), func(shown gjson.Result) bool {
		original, _ := p.original(shown)
		return original.Sender() == of.key
	})
}

// shownID returns the user ID by which clients are shown a member: placeholders have more than one form.
func (v viewed) shownID(of member) string {
	for _, shown := range v.answers["/messages"].shown {
		if original, _ := v.original(shown); of.begins != "" && original.Sender() == of.key && of.isShownAs(shown.Get("sender").String()) {
			return shown.Get("sender").String()
		}
	}
	return of.userID
}

// inOrdinary is the control. Servers may index messages late: what was said in the other room, earlier, is found then, too.
func (p *preparing) inOrdinary(each filtering, filter, roomID, userID string) error {
	ctx, cancel := p.C.Within(stage.Patience)
	defer cancel()
	for {
		err := p.asks(each, filter, roomID, userID, func(shown gjson.Result) bool { return shown.Get("sender").String() == userID })
		if err == nil || ctx.Err() != nil || each.place != "/search" {
			return err
		}
		p.paces()
	}
}

// judgeFilter ensures that the events are exactly those of a user, or of others.
func judgeFilter(filter string, events []gjson.Result, isUsers func(gjson.Result) bool) error {
	if len(events) == 0 {
		return errors.New("lets no event through")
	}
	for _, event := range events {
		if isUsers(event) != (filter == "senders") {
			return fmt.Errorf("lets through an event of type %s sent by %s", event.Get("type"), event.Get("sender"))
		}
	}
	return nil
}

// With lazy loading, /sync has the member events of those whose events are in the timeline (client-server API, Lazy-loading room
// members): clients find them by the user ID in sender.
var _ = check.Register(check.Check{
	Name:     "/sync with lazy-loaded members has the member events of senders",
	Requires: []string{"client-view/filters"},
	Path:     "/sync",
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		c.Control(errors.Join(v.lazyOrdinary...))
		for _, problem := range v.lazy {
			c.Errorf("%v", problem)
		}
	},
})

// lazyLoads returns what is wrong with the first /sync of a device; limit is that of the timeline, which must not have all joins.
func (p *preparing) lazyLoads(roomID string, limit int) (problems []error) {
	room := map[string]any{
		"rooms": []string{roomID}, "timeline": map[string]any{"limit": limit}, "state": map[string]any{"lazy_load_members": true, "include_redundant_members": true},
	}
	synced, err := p.alice.NewDevice().Sync(p.C.Context(), "", 0, syncFilter(room))
	if err != nil {
		return []error{err}
	}
	events := csapi.EventsIn(synced, roomID)
	known, senders := map[string]bool{}, map[string]bool{}
	for _, event := range events {
		if event.Get("type").String() == memberType {
			known[event.Get("state_key").String()] = true
		}
	}
	for _, event := range synced.Get(pathIn("rooms.join.{room}.timeline.events", roomID)).Array() {
		senders[event.Get("sender").String()] = true
	}
	if len(senders) == 0 {
		problems = append(problems, errors.New("the timeline is empty"))
	}
	for _, sender := range slices.Sorted(maps.Keys(senders)) {
		if !known[sender] {
			problems = append(problems, fmt.Errorf("the timeline has events of %q, and there is no member event with that state key", sender))
		}
	}
	return problems
}

// Results are grouped by the user IDs of their senders (client-server API, Server Side Search).
var _ = check.Register(check.Check{
	Name:     "/search groups results by user ID",
	Requires: []string{"client-view/filters"},
	Path:     "/search",
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		grouped := false
		for _, body := range v.answers["/search"].bodies {
			groups := gjson.GetBytes(body, "search_categories.room_events.groups.sender")
			grouped = grouped || groups.Exists()
			groups.ForEach(func(userID, group gjson.Result) bool {
				for _, id := range group.Get("results").Array() {
					event, known := v.event(id.String())
					if of, _ := v.by(event.Sender()); known && !of.isShownAs(userID.String()) {
						c.Errorf("%s is in the group %q, wanted %q", v.describe(event), userID.String(), of.userID)
					}
				}
				return true
			})
		}
		if grouped {
			return
		}
		if err := groupsOrdinary(stage.Open(c, blueprints.OneServer)); err != nil {
			c.Timely(err)
			c.Unsupported("the server does not group results in an ordinary room either: %v", err)
		}
		c.Errorf("results are grouped in an ordinary room, and not in a pseudo-ID room")
	},
})

// groupsOrdinary returns an error if the server does not group what it finds in an ordinary room.
func groupsOrdinary(s *stage.Stage) error {
	alice := s.User("alice")
	roomID := alice.MakesOrdinary(stage.Public)
	alice.Says(roomID, greeting)
	body := map[string]any{"search_categories": map[string]any{"room_events": map[string]any{
		"search_term": greeting, "filter": map[string]any{"rooms": []string{roomID}},
		"groupings": map[string]any{"group_by": []map[string]string{{"key": "sender"}}},
	}}}
	return alice.SeesInTime(func() error { // servers may index messages late
		found, err := alice.Do(s.C.Context(), http.MethodPost, csapi.V3("search"), nil, body)
		if err != nil {
			return err
		}
		return match.KeyPresent("search_categories.room_events.groups.sender")(found.JSON())
	})
}
