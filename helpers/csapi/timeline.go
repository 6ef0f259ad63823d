// The events of a room that a client sees through /sync, and waiting for one.

package csapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/tidwall/gjson"
)

// seenInError is how many events, the newest, the error of a wait lists.
const seenInError = 8

// Timeline collects the events of one room that one client has seen since its initial sync, so that a wait also finds events
// that came earlier. Its methods are safe for concurrent use.
type Timeline struct {
	client  *Client
	roomID  string
	gapless bool // end a wait with errGap when the server leaves out events

	mu      sync.Mutex // held for a whole wait: one poll at a time
	since   string
	events  []gjson.Result
	limited bool
}

// errGap ends a wait in which the server has left out events.
var errGap = errors.New("the server has left out events (limited timeline)")

// Timeline returns an empty timeline of a room; the first wait does the initial sync.
func (c *Client) Timeline(roomID string) *Timeline { return &Timeline{client: c, roomID: roomID} }

// places are the arrays of events that /sync has for a room, as gjson paths below rooms.
var places = []string{
	"join.%s.state.events", "join.%s.timeline.events", "leave.%s.state.events", "leave.%s.timeline.events",
	"invite.%s.invite_state.events", "knock.%s.knock_state.events",
}

// EventsIn returns the events of a room in one /sync answer: state, timeline, and the stripped state of an invite or a knock.
func EventsIn(sync *Response, roomID string) []gjson.Result {
	var events []gjson.Result
	rooms := sync.Get("rooms")
	for _, place := range places {
		events = append(events, rooms.Get(fmt.Sprintf(place, gjson.Escape(roomID))).Array()...)
	}
	return events
}

// Wait returns the first event, already seen or yet to come, for which match returns nil. If there is none before ctx's deadline,
// the error is a *WaitError that lists the events seen, each with the error of match.
func (t *Timeline) Wait(ctx context.Context, match func(event gjson.Result) error) (gjson.Result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found gjson.Result
	examined, gap := 0, false
	search := func() error {
		for ; examined < len(t.events); examined++ {
			if match(t.events[examined]) == nil {
				found = t.events[examined]
				return nil
			}
		}
		return fmt.Errorf("none of %d events in %s", len(t.events), t.roomID)
	}
	if search() == nil {
		return found, nil
	}
	next, err := t.client.SyncUntil(ctx, t.since, roomFilter(t.roomID), func(answer *Response) error {
		t.since = answer.Get("next_batch").String()
		t.events = append(t.events, EventsIn(answer, t.roomID)...)
		limited := answer.Get("rooms.join." + gjson.Escape(t.roomID) + ".timeline.limited").Bool()
		t.limited = t.limited || (examined > 0 && limited)
		err := search()
		if gap = err != nil && limited && t.gapless; gap {
			return nil
		}
		return err
	})
	t.since = next
	switch {
	case gap:
		return gjson.Result{}, errGap
	case err == nil:
		return found, nil
	}
	var wait *WaitError
	if errors.As(err, &wait) {
		wait.What = fmt.Sprintf("%s waiting for an event in %s", t.client.UserID, t.roomID)
		wait.Seen = t.describe(match)
	}
	return gjson.Result{}, err
}

// describe lists the newest events, each with the error of match.
func (t *Timeline) describe(match func(gjson.Result) error) []string {
	var lines []string
	first := max(0, len(t.events)-seenInError)
	if first > 0 {
		lines = append(lines, fmt.Sprintf("%d older events", first))
	}
	if t.limited {
		lines = append(lines, "a gap that the server did not send (limited timeline)")
	}
	for _, event := range t.events[first:] {
		line := Describe(event)
		if err := match(event); err != nil {
			line += " (" + shorten(err.Error(), 200) + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// Describe returns one line about an event in the client format: type, state key, sender, event ID.
func Describe(event gjson.Result) string {
	text := func(field string) string { return shorten(event.Get(field).String(), longestText) }
	line := text("type")
	if event.Get("state_key").Exists() {
		line += "[" + text("state_key") + "]"
	}
	line += " from " + text("sender")
	if id := text("event_id"); id != "" {
		line += " " + id
	}
	return line
}

// WaitForEvent returns the first event of a room, since an initial sync, for which match returns nil; see Timeline.Wait. Use a
// Timeline for several waits in one room, and for the event that removes the user from it: after that, some servers send the
// room only to clients that synced before.
func (c *Client) WaitForEvent(ctx context.Context, roomID string, match func(event gjson.Result) error) (gjson.Result, error) {
	return c.Timeline(roomID).Wait(ctx, match)
}

// roomFilter selects one room, even if the user has left it, with a longer timeline than servers send by default.
func roomFilter(roomID string) string {
	filter, _ := json.Marshal(map[string]any{ // strings, numbers and maps always marshal
		"room": map[string]any{
			"rooms":         []string{roomID},
			"include_leave": true,
			"timeline":      map[string]any{"limit": 100},
			"ephemeral":     map[string]any{"not_types": []string{"*"}},
		},
		"presence": map[string]any{"not_types": []string{"*"}},
	})
	return string(filter)
}
