package clientview

// How endpoints are requested.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"msc4014/helpers/csapi"
	"msc4014/helpers/stage"
)

func one(response *csapi.Response, err error) ([]*csapi.Response, error) {
	if err != nil {
		return nil, err
	}
	return []*csapi.Response{response}, nil
}

func (p *preparing) filter(room string) string {
	id, _ := json.Marshal(p.roomID)
	return fmt.Sprintf(`{"room":{"rooms":[%s],"include_leave":true,%s}}`, id, room)
}

func first(room string) func(*preparing) ([]*csapi.Response, error) {
	return func(p *preparing) ([]*csapi.Response, error) {
		return one(p.alice.Sync(p.C.Context(), "", 0, p.filter(room)))
	}
}

// later is a /sync since the token from the beginning of the room.
func later(room, fullState string) func(*preparing) ([]*csapi.Response, error) {
	return func(p *preparing) ([]*csapi.Response, error) {
		query := url.Values{"since": {p.tokens[alicesToken]}, "filter": {p.filter(room)}, "timeout": {"0"}}
		if fullState != "" {
			query.Set("full_state", fullState)
		}
		return one(p.alice.Do(p.C.Context(), http.MethodGet, csapi.V3("sync"), query, nil))
	}
}

// leavers are the users of the server who are not in the room in the end.
var leavers = []string{localLeft, localKicked, localBanned}

func ofLeavers(p *preparing) (all []*csapi.Response, err error) {
	for _, kind := range leavers {
		if _, stays := p.without[kind+" in the end"]; stays {
			continue
		}
		response, err := p.users[kind].Sync(p.C.Context(), p.tokens[kind], 0, p.filter(`"timeline":{"limit":50}`))
		if err != nil {
			return nil, err
		}
		all = append(all, response)
	}
	return all, nil
}

// messages pages back from the end of the room.
func messages(filter string) func(*preparing) ([]*csapi.Response, error) {
	return func(p *preparing) (pages []*csapi.Response, err error) {
		query := url.Values{"dir": {"b"}, "limit": {"50"}}
		if filter != "" {
			query.Set("filter", filter)
		}
		const mostPages = 10
		for range mostPages {
			page, err := p.alice.Do(p.C.Context(), http.MethodGet, csapi.V3("rooms", p.roomID, "messages"), query, nil)
			if err != nil {
				return nil, err
			}
			pages = append(pages, page)
			end := page.Get("end").String()
			if end == "" || end == query.Get("from") || len(page.Get("chunk").Array()) == 0 {
				break
			}
			query.Set("from", end)
		}
		return pages, nil
	}
}

func state(p *preparing) ([]*csapi.Response, error) {
	return one(p.alice.State(p.C.Context(), p.roomID))
}

// contexts are those of the events that inContext demands.
func contexts(p *preparing) ([]*csapi.Response, error) {
	return each(inContext(p.viewed, answers{}), func(id string) (*csapi.Response, error) {
		return p.alice.Context(p.C.Context(), p.roomID, id, 6)
	})
}

// single requests each event of the state, and each message, one by one.
func single(p *preparing) ([]*csapi.Response, error) {
	var ids []string
	for _, event := range p.events {
		if event.Type() == "m.room.message" || slices.Contains(p.viewed.state, event.ID()) {
			ids = append(ids, event.ID())
		}
	}
	return each(ids, func(id string) (*csapi.Response, error) { return p.alice.Event(p.C.Context(), p.roomID, id) })
}

func each(values []string, ask func(value string) (*csapi.Response, error)) (all []*csapi.Response, err error) {
	for _, value := range values {
		response, err := ask(value)
		if err != nil {
			return all, err
		}
		all = append(all, response)
	}
	return all, nil
}

// members requests all members, and those of each membership.
func members(p *preparing) ([]*csapi.Response, error) {
	queries := []string{"", "membership=join", "membership=invite", "membership=knock", "membership=leave", "membership=ban", "not_membership=join"}
	return each(queries, func(query string) (*csapi.Response, error) {
		values, _ := url.ParseQuery(query) // is valid
		return p.alice.Members(p.C.Context(), p.roomID, values)
	})
}

// search searches for the greetings until all are found: servers may index messages late.
func search(p *preparing) ([]*csapi.Response, error) {
	ctx, cancel := p.C.Within(stage.Patience)
	defer cancel()
	body := map[string]any{"search_categories": map[string]any{"room_events": map[string]any{
		"search_term": greeting, "keys": []string{"content.body"}, "order_by": "recent", "include_state": true,
		"filter":        map[string]any{"rooms": []string{p.roomID}, "limit": 50},
		"event_context": map[string]any{"before_limit": 2, "after_limit": 2, "include_profile": true},
		"groupings":     map[string]any{"group_by": []map[string]string{{"key": "sender"}}},
	}}}
	for {
		found, err := p.alice.Do(p.C.Context(), http.MethodPost, csapi.V3("search"), nil, body)
		if err != nil {
			return nil, err
		}
		if len(found.Get("search_categories.room_events.results").Array()) >= len(greetings(p.viewed, answers{})) || ctx.Err() != nil {
			return one(found, nil)
		}
		p.paces()
	}
}

// paces waits for a short time, by a /sync that nothing is new for.
func (p *preparing) paces() {
	synced, err := p.alice.Sync(p.C.Context(), p.pacer, pace, "")
	p.C.Need("client-view/unmodified-client", err)
	p.pacer = synced.Get("next_batch").String()
}

// pace is how long a server may hold that.
const pace = 250 * time.Millisecond

// relations requests the relations of the root, all and by type.
func relations(p *preparing) ([]*csapi.Response, error) {
	return each([]string{"", "m.thread"}, func(relation string) (*csapi.Response, error) {
		segments := []string{"rooms", p.roomID, "relations", p.root}
		if relation != "" {
			segments = append(segments, relation)
		}
		path := "/_matrix/client/v1" + csapi.Path(segments...)
		return p.alice.Do(p.C.Context(), http.MethodGet, path, url.Values{"limit": {"50"}}, nil)
	})
}

// offered requests the first /sync of a user who is invited, or knocks, when it has the room.
func offered(membership, kind string) func(*preparing) ([]*csapi.Response, error) {
	return func(p *preparing) (all []*csapi.Response, err error) {
		err = p.users[kind].SeesInSync("", func(synced *csapi.Response) error {
			if !synced.Get(p.path("rooms." + membership + ".{room}")).Exists() {
				return fmt.Errorf("/sync of %s does not have the room under %q", kind, membership)
			}
			all = []*csapi.Response{synced}
			return nil
		})
		return all, err
	}
}
