// What a client sees of one room through /sync, and waiting for an event there.

package csapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/tidwall/gjson"
)

// seenInError is how many events the error of a wait names at most: the newest.
const seenInError = 8

// Timeline is what one client saw of one room, from the initial sync on, and keeps for later waits: an event that
// came before it was waited for is found all the same. Its methods are safe for use by several goroutines.
type Timeline struct {
	client *Client
	roomID string

	mu      sync.Mutex // held for a whole wait: one poll at a time
	since   string
	events  []gjson.Result
	limited bool
}

// Timeline starts to look at a room; the first wait makes the initial sync.
func (c *Client) Timeline(roomID string) *Timeline { return &Timeline{client: c, roomID: roomID} }

// places are where /sync tells of a room, as gjson paths below rooms, and each holds an array of events.
var places = []string{
	"join.%s.state.events", "join.%s.timeline.events", "leave.%s.state.events", "leave.%s.timeline.events",
	"invite.%s.invite_state.events", "knock.%s.knock_state.events",
}

// EventsIn returns the events that one /sync answer holds of a room: state, timeline, and the stripped state of an
// invite or a knock.
func EventsIn(sync *Response, roomID string) []gjson.Result {
	var events []gjson.Result
	rooms := sync.Get("rooms")
	for _, place := range places {
		events = append(events, rooms.Get(fmt.Sprintf(place, gjson.Escape(roomID))).Array()...)
	}
	return events
}

// Wait returns the first event, among those seen already and those to come, for which match returns nil. Without one
// before ctx's deadline, its error is a *WaitError that names the events seen, each with what match said.
func (t *Timeline) Wait(ctx context.Context, match func(event gjson.Result) error) (gjson.Result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found gjson.Result
	looked := 0
	look := func() error {
		for ; looked < len(t.events); looked++ {
			if match(t.events[looked]) == nil {
				found = t.events[looked]
				return nil
			}
		}
		return fmt.Errorf("none of %d events in %s", len(t.events), t.roomID)
	}
	if look() == nil {
		return found, nil
	}
	next, err := t.client.SyncUntil(ctx, t.since, roomFilter(t.roomID), func(answer *Response) error {
		t.since = answer.Get("next_batch").String()
		t.events = append(t.events, EventsIn(answer, t.roomID)...)
		t.limited = t.limited || (looked > 0 && answer.Get("rooms.join."+gjson.Escape(t.roomID)+".timeline.limited").Bool())
		return look()
	})
	t.since = next
	if err == nil {
		return found, nil
	}
	var wait *WaitError
	if errors.As(err, &wait) {
		wait.What = fmt.Sprintf("%s waiting for an event in %s", t.client.UserID, t.roomID)
		wait.Seen = t.describe(match)
	}
	return gjson.Result{}, err
}

// describe tells the newest events and why each one was not the one.
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

// Describe names an event as a client sees it, in one line: type, state key, sender, event ID.
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

// WaitForEvent returns the first event of a room for which match returns nil, looking at state and timeline from an
// initial sync on; see Timeline.Wait. Use a Timeline for several waits in one room, and for the event that takes the
// user out of it: some servers tell of a room that was left only to a client that was syncing before.
func (c *Client) WaitForEvent(ctx context.Context, roomID string, match func(event gjson.Result) error) (gjson.Result, error) {
	return c.Timeline(roomID).Wait(ctx, match)
}

// roomFilter asks for one room only, also after it was left, with more of its timeline than servers send by default.
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
