package clientapi

// This file serves the history of rooms: messages, context, single events (client-server API, "Syncing").

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"msc4014/reference/rooms"
)

func (a *API) historyRoutes() []route {
	return []route{
		{"GET", "/v3/rooms/{roomID}/messages", a.messages, false},
		{"GET", "/v3/rooms/{roomID}/context/{eventID}", a.eventContext, false},
		{"GET", "/v3/rooms/{roomID}/event/{eventID}", a.event, false},
		{"GET", "/v1/rooms/{roomID}/timestamp_to_event", a.timestampToEvent, false},
	}
}

// Tokens, of /sync and of all pagination, are positions of the server's clock: "s7" is after position 7 and before the
// next one. Events from before the server was in a room have negative positions.

func token(position int64) string { return "s" + strconv.FormatInt(position, 10) }

func parseToken(text string) (int64, error) {
	digits, found := strings.CutPrefix(text, "s")
	position, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil {
		return 0, rooms.Bad("M_INVALID_PARAM", "%q is not a token of this server", text)
	}
	return position, nil
}

// tokenOr parses a token, or returns otherwise if there is none.
func tokenOr(text string, otherwise int64) (int64, error) {
	if text == "" {
		return otherwise, nil
	}
	return parseToken(text)
}

// visibleEvent returns an event of a room if the user may see it.
func (r *request) visibleEvent(room *rooms.Room, eventID string) (*rooms.Event, error) {
	event := room.Event(eventID)
	if event == nil || !room.VisibleToUser(r.UserID, event) {
		return nil, rooms.NotFound("there is no event %s in room %s that %s may see", eventID, room.ID(), r.UserID)
	}
	return event, nil
}

func (a *API) event(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	event, err := r.visibleEvent(room, r.PathValue("eventID"))
	if err != nil {
		return nil, err
	}
	return a.view(room, event, r.viewer()), nil
}

// page is a page of a room's events that a client requests.
type page struct {
	room     *rooms.Room
	backward bool
	from, to int64
	limit    int
	filter   eventFilter
}

// page parses the pagination parameters.
func (r *request) page() (p page, err error) {
	if p.room, err = r.room(); err != nil {
		return p, err
	}
	if !p.room.MayRead(r.UserID) {
		return p, rooms.Forbidden("%s may not read room %s", r.UserID, p.room.ID())
	}
	first, last := int64(math.MinInt64), r.api.Clock.Now()
	switch r.query("dir") {
	case "b":
		p.backward = true
		first, last = last, first
	case "f":
	default:
		return p, rooms.Bad("M_INVALID_PARAM", `dir is %q, not "b" or "f"`, r.query("dir"))
	}
	if p.from, err = tokenOr(r.query("from"), first); err != nil {
		return p, err
	}
	if p.to, err = tokenOr(r.query("to"), last); err != nil {
		return p, err
	}
	if p.limit, err = limitOf(r.query("limit"), 10); err != nil {
		return p, err
	}
	if text := r.query("filter"); text != "" {
		if err := json.Unmarshal([]byte(text), &p.filter); err != nil {
			return p, rooms.Bad("M_BAD_JSON", "the filter is malformed: %v", err)
		}
	}
	return p, nil
}

// read returns the events of a page in its direction, requesting older ones from other servers if they may be missing.
// next is the position to continue from if more is true.
func (p page) read(r *request) (events []*rooms.Event, next int64, more bool) {
	keep := p.filter.keep(p.room)
	for {
		if p.backward {
			events, more = p.room.Backward(r.UserID, after(p.from), p.to, p.limit, keep)
		} else {
			events, more = p.room.Forward(r.UserID, p.from, after(p.to), p.limit, keep)
		}
		// If the limit is reached there are, or may be, more events: the next page backfills them.
		enough := len(events) >= p.limit
		older := p.backward && p.to < 0 && p.room.HasMoreHistory()
		if enough || !older {
			more = more || older
			break
		}
		ctx, cancel := context.WithTimeout(r.Context(), backfillTime)
		came := p.room.Backfill(ctx)
		cancel()
		if !came {
			break
		}
	}
	next = p.from
	if len(events) > 0 {
		next = events[len(events)-1].Position
		if p.backward {
			next--
		}
	}
	return events, next, more
}

// backfillTime limits how long a client waits for one backfill response of another server.
const backfillTime = 5 * time.Second

// after returns the position after another, for exclusive bounds.
func after(position int64) int64 {
	if position == math.MaxInt64 {
		return position
	}
	return position + 1
}

func (a *API) messages(r *request) (any, error) {
	p, err := r.page()
	if err != nil {
		return nil, err
	}
	events, next, more := p.read(r)
	answer := object{"chunk": a.views(p.room, events, r.viewer()), "start": startToken(r.query("from"), p.from, events)}
	if more || !p.backward && len(events) > 0 {
		answer["end"] = token(next)
	}
	if p.filter.LazyLoad && len(events) > 0 {
		answer["state"] = a.views(p.room, sendersOf(p.room, events), r.viewer())
	}
	return answer, nil
}

// startToken returns where a page begins: as requested, or the end of the room from which it was read.
func startToken(asked string, from int64, events []*rooms.Event) string {
	switch {
	case asked != "":
		return asked
	case from != math.MinInt64:
		return token(from)
	case len(events) > 0:
		return token(events[0].Position - 1)
	}
	return token(0)
}

// sendersOf returns the member events of the senders of events, as of the last of them.
func sendersOf(room *rooms.Room, events []*rooms.Event) []*rooms.Event {
	state := room.StateAfter(events[len(events)-1])
	var members []*rooms.Event
	seen := map[string]bool{}
	for _, event := range events {
		if member := state.Member(event.Sender()); member != nil && !seen[member.ID()] {
			seen[member.ID()] = true
			if known := room.Event(member.ID()); known != nil {
				members = append(members, known)
			}
		}
	}
	return members
}

func (a *API) eventContext(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	event, err := r.visibleEvent(room, r.PathValue("eventID"))
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(r.query("limit"), 10)
	if err != nil {
		return nil, err
	}
	var filter eventFilter
	if text := r.query("filter"); text != "" {
		if err := json.Unmarshal([]byte(text), &filter); err != nil {
			return nil, rooms.Bad("M_BAD_JSON", "the filter is malformed: %v", err)
		}
	}
	return a.around(room, event, r, limit, filter), nil
}

// around returns an event with its surrounding events, at most limit.
func (a *API) around(room *rooms.Room, event *rooms.Event, r *request, limit int, filter eventFilter) object {
	keep := filter.keep(room)
	before, _ := room.Backward(r.UserID, event.Position, math.MinInt64, limit/2, keep)
	behind, _ := room.Forward(r.UserID, event.Position, math.MaxInt64, limit-len(before), keep)
	start, end, last := event.Position-1, event.Position, event
	if len(before) > 0 {
		start = before[len(before)-1].Position - 1
	}
	if len(behind) > 0 {
		last = behind[len(behind)-1]
		end = last.Position
	}
	var state []*rooms.Event
	senders := append(append([]*rooms.Event{event}, before...), behind...)
	if filter.LazyLoad {
		for _, one := range room.ShownState(room.StateAfter(last)) {
			if one.Type() != memberType {
				state = append(state, one)
			}
		}
		state = append(state, sendersOf(room, senders)...)
	} else {
		state = room.ShownState(room.StateAfter(last))
	}
	return object{
		"event": a.view(room, event, r.viewer()), "events_before": a.views(room, before, r.viewer()),
		"events_after": a.views(room, behind, r.viewer()), "state": a.views(room, state, r.viewer()),
		"start": token(start), "end": token(end),
	}
}

func (a *API) timestampToEvent(r *request) (any, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	at, err := number(r.query("ts"), "ts")
	if err != nil {
		return nil, err
	}
	direction := r.query("dir")
	if direction != "b" && direction != "f" {
		return nil, rooms.Bad("M_INVALID_PARAM", `dir is %q, not "b" or "f"`, direction)
	}
	event := room.TimestampToEvent("", r.UserID, at, direction)
	if event == nil {
		return nil, rooms.NotFound("there is no event of room %s in that direction of %d", room.ID(), at)
	}
	return object{"event_id": event.ID(), "origin_server_ts": event.OriginServerTS()}, nil
}
