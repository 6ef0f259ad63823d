package federation

// Fetching events and state: /event, /state, /state_ids, /event_auth, /backfill and /get_missing_events, both the peer's answers
// and its own requests.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// knownRoom returns the room of a request, or a refusal if the peer is not in it or the asking server never had a member in it.
func (p *Peer) knownRoom(request *Request, room *Room) (*Room, *Answer) {
	var refusal Answer
	switch {
	case room == nil:
		refusal = unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer is not in the room "+request.parameter(0))
	case !room.hasServer(request.Origin):
		refusal = unexpected(http.StatusForbidden, "M_FORBIDDEN", request.Origin+" was never in the room")
	default:
		return room, nil
	}
	return nil, &refusal
}

// getEvent answers GET /event/{eventID}.
func (p *Peer) getEvent(request *Request) Answer {
	p.mu.Lock()
	var found *Room
	for _, room := range p.rooms {
		if _, ok := room.Event(request.parameter(0)); ok {
			found = room
			break
		}
	}
	p.mu.Unlock()
	if found == nil {
		return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer does not have the event "+request.parameter(0))
	}
	room, refusal := p.knownRoom(request, found)
	if refusal != nil {
		return *refusal
	}
	event, _ := room.Event(request.parameter(0))
	return p.transaction([]Event{event})
}

// transaction returns the answer of /event and /backfill.
func (p *Peer) transaction(list []Event) Answer {
	return Answer{Status: http.StatusOK, Body: object(
		text("origin", p.name), text("origin_server_ts", time.Now().UnixMilli()), events("pdus", list),
	)}
}

// stateAt returns the state before the event that a request names, and its auth chain.
func (p *Peer) stateAt(request *Request) (state, chain []Event, refusal *Answer) {
	room, refusal := p.knownRoom(request, request.Room())
	if refusal != nil {
		return nil, nil, refusal
	}
	id := request.Query.Get("event_id")
	state, ok := room.StateBefore(id)
	if !ok {
		answer := unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer does not know the state before "+id)
		return nil, nil, &answer
	}
	return state, room.AuthChain(idsOf(state)...), nil
}

func idsOf(list []Event) []string {
	ids := make([]string, len(list))
	for i, event := range list {
		ids[i] = event.ID()
	}
	return ids
}

// getState answers GET /state/{roomID}.
func (p *Peer) getState(request *Request) Answer {
	state, chain, refusal := p.stateAt(request)
	if refusal != nil {
		return *refusal
	}
	return Answer{Status: http.StatusOK, Body: object(events("pdus", state), events("auth_chain", chain))}
}

// getStateIDs answers GET /state_ids/{roomID}.
func (p *Peer) getStateIDs(request *Request) Answer {
	state, chain, refusal := p.stateAt(request)
	if refusal != nil {
		return *refusal
	}
	return Answer{Status: http.StatusOK, Body: object(
		field{"pdu_ids", list(idsOf(state))}, field{"auth_chain_ids", list(idsOf(chain))},
	)}
}

// getEventAuth answers GET /event_auth/{roomID}/{eventID}.
func (p *Peer) getEventAuth(request *Request) Answer {
	room, refusal := p.knownRoom(request, request.Room())
	if refusal != nil {
		return *refusal
	}
	if _, ok := room.Event(request.parameter(1)); !ok {
		return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer does not have the event "+request.parameter(1))
	}
	return Answer{Status: http.StatusOK, Body: object(events("auth_chain", room.AuthChain(request.parameter(1))))}
}

// maxFetched is the limit of events in one answer to /backfill or /get_missing_events.
const maxFetched = 100

// backfill answers GET /backfill/{roomID}: the named events and those before them, newest first.
func (p *Peer) backfill(request *Request) Answer {
	room, refusal := p.knownRoom(request, request.Room())
	if refusal != nil {
		return *refusal
	}
	limit := maxFetched
	if asked, err := strconv.Atoi(request.Query.Get("limit")); err == nil && asked < limit {
		limit = asked
	}
	return p.transaction(room.walkBack(request.Query["v"], nil, limit))
}

// getMissingEvents answers POST /get_missing_events/{roomID}: the events between earliest and latest, oldest first.
func (p *Peer) getMissingEvents(request *Request) Answer {
	room, refusal := p.knownRoom(request, request.Room())
	if refusal != nil {
		return *refusal
	}
	body := gjson.ParseBytes(request.Body)
	limit := 10
	if asked := int(body.Get("limit").Int()); asked > 0 {
		limit = min(asked, maxFetched)
	}
	var from []string
	latest := stringsOf(body.Get("latest_events"))
	for _, id := range latest {
		if event, ok := room.Event(id); ok {
			from = append(from, event.PrevEvents()...)
		}
	}
	missing := room.walkBack(from, append(stringsOf(body.Get("earliest_events")), latest...), limit)
	minimum := body.Get("min_depth").Int()
	missing = slices.DeleteFunc(missing, func(event Event) bool { return event.Depth() < minimum })
	slices.Reverse(missing)
	return Answer{Status: http.StatusOK, Body: object(events("events", missing))}
}

// walkBack returns up to limit known events, the deepest first: those named and their ancestors, without those excluded and
// ancestors that are reached only through these.
func (r *Room) walkBack(from, excluded []string, limit int) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, id := range excluded {
		seen[id] = true
	}
	var found []Event
	queue := slices.Clone(from)
	for len(queue) > 0 && len(found) < limit {
		id := queue[0]
		queue = queue[1:]
		event, known := r.events[id]
		if seen[id] || !known {
			continue
		}
		seen[id] = true
		found = append(found, event)
		queue = append(queue, event.PrevEvents()...)
	}
	found = r.byDepth(found)
	slices.Reverse(found)
	return found
}

// FetchEvent asks a server for one event: GET /event/{eventID}. The event is zero if the server refuses.
func (p *Peer) FetchEvent(ctx context.Context, server string, room *Room, eventID string) (Event, Answer, error) {
	answer, err := p.Do(ctx, server, http.MethodGet, "/_matrix/federation/v1/event/"+url.PathEscape(eventID), nil)
	if err != nil || !answer.OK() {
		return Event{}, answer, err
	}
	served := p.served(room, server, answer.Get("pdus"))
	if len(served) == 0 {
		return Event{}, answer, nil
	}
	return served[0], answer, nil
}

// FetchState asks a server for the state before an event and its auth chain: GET /state/{roomID}.
func (p *Peer) FetchState(ctx context.Context, server string, room *Room, eventID string) (state, authChain []Event, answer Answer, err error) {
	uri := "/_matrix/federation/v1/state/" + url.PathEscape(room.id) + "?" + url.Values{"event_id": {eventID}}.Encode()
	answer, err = p.Do(ctx, server, http.MethodGet, uri, nil)
	if err != nil || !answer.OK() {
		return nil, nil, answer, err
	}
	return p.served(room, server, answer.Get("pdus")), p.served(room, server, answer.Get("auth_chain")), answer, nil
}

// FetchStateIDs asks a server for the IDs of the state before an event and of its auth chain: GET /state_ids/{roomID}.
func (p *Peer) FetchStateIDs(ctx context.Context, server string, room *Room, eventID string) (state, authChain []string, answer Answer, err error) {
	uri := "/_matrix/federation/v1/state_ids/" + url.PathEscape(room.id) + "?" + url.Values{"event_id": {eventID}}.Encode()
	answer, err = p.Do(ctx, server, http.MethodGet, uri, nil)
	if err != nil || !answer.OK() {
		return nil, nil, answer, err
	}
	return stringsOf(answer.Get("pdu_ids")), stringsOf(answer.Get("auth_chain_ids")), answer, nil
}

// FetchEventAuth asks a server for the auth chain of an event: GET /event_auth/{roomID}/{eventID}.
func (p *Peer) FetchEventAuth(ctx context.Context, server string, room *Room, eventID string) ([]Event, Answer, error) {
	uri := "/_matrix/federation/v1/event_auth/" + url.PathEscape(room.id) + "/" + url.PathEscape(eventID)
	answer, err := p.Do(ctx, server, http.MethodGet, uri, nil)
	if err != nil || !answer.OK() {
		return nil, answer, err
	}
	return p.served(room, server, answer.Get("auth_chain")), answer, nil
}

// Backfill asks a server for events and those before them: GET /backfill/{roomID}.
func (p *Peer) Backfill(ctx context.Context, server string, room *Room, limit int, from ...string) ([]Event, Answer, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}, "v": from}
	uri := "/_matrix/federation/v1/backfill/" + url.PathEscape(room.id) + "?" + query.Encode()
	answer, err := p.Do(ctx, server, http.MethodGet, uri, nil)
	if err != nil || !answer.OK() {
		return nil, answer, err
	}
	return p.served(room, server, answer.Get("pdus")), answer, nil
}

// FetchMissingEvents asks a server for the events between earliest and latest: POST /get_missing_events/{roomID}.
func (p *Peer) FetchMissingEvents(ctx context.Context, server string, room *Room, limit int, earliest, latest []string) ([]Event, Answer, error) {
	body := object(field{"earliest_events", list(earliest)}, field{"latest_events", list(latest)}, text("limit", limit), text("min_depth", 0))
	answer, err := p.Do(ctx, server, http.MethodPost, "/_matrix/federation/v1/get_missing_events/"+url.PathEscape(room.id), body)
	if err != nil || !answer.OK() {
		return nil, answer, err
	}
	return p.served(room, server, answer.Get("events")), answer, nil
}

// served parses events that a server returned and reports each to the observer.
func (p *Peer) served(room *Room, server string, array gjson.Result) []Event {
	list := eventsOf(array, room.format)
	for _, event := range list {
		p.notify(room, server, event)
	}
	return list
}

// Serves asks a server for an event and reports whether it returned it. It returns an error if the answer is neither 200 nor 4xx.
func (p *Peer) Serves(ctx context.Context, server string, room *Room, eventID string) (bool, error) {
	event, answer, err := p.FetchEvent(ctx, server, room, eventID)
	switch {
	case err != nil:
		return false, err
	case answer.OK():
		return event.ID() == eventID, nil
	case answer.Status >= 400 && answer.Status < 500:
		return false, nil
	}
	return false, fmt.Errorf("%s asked %s for the event %s: %s", p.name, server, eventID, answer)
}
