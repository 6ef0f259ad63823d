// Waiting for events by their IDs, without an initial sync for each.

package csapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/tidwall/gjson"
)

// progress holds how far a client has synced each room, by room ID.
type progress struct {
	mu    sync.Mutex
	rooms map[string]synced
}

// synced is how far a client has synced a room. It does not change.
type synced struct {
	since string          // the token to go on from; "" before the initial sync
	seen  map[string]bool // IDs of the events in the answers until then
}

func (p *progress) of(roomID string) synced {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rooms[roomID]
}

func (p *progress) set(roomID string, now synced) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rooms[roomID] = now
}

// WaitForEventID waits for an event of a room and returns it as the server shows it now. It goes on from the client's last such wait
// in the room, as clients do: initial syncs were a sixth of Dendrite's work. It does an initial sync if there was none, if the client
// has seen the event before, and if the server leaves out events. Its errors are those of Timeline.Wait.
func (c *Client) WaitForEventID(ctx context.Context, roomID, eventID string) (gjson.Result, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	last := c.progress.of(roomID)
	if last.seen[eventID] {
		last = synced{}
	}
	event, err := c.waitForEventID(ctx, last, roomID, eventID)
	if errors.Is(err, errGap) {
		return c.waitForEventID(ctx, synced{}, roomID, eventID)
	}
	return event, err
}

func (c *Client) waitForEventID(ctx context.Context, last synced, roomID, eventID string) (gjson.Result, error) {
	timeline := c.Timeline(roomID)
	timeline.since, timeline.gapless = last.since, last.since != ""
	event, err := timeline.Wait(ctx, func(event gjson.Result) error {
		if id := event.Get("event_id").String(); id != eventID {
			return fmt.Errorf("event_id is %q, not %q", shorten(id, longestText), eventID)
		}
		return nil
	})
	seen := maps.Clone(last.seen)
	if seen == nil {
		seen = map[string]bool{}
	}
	for _, event := range timeline.events {
		seen[event.Get("event_id").String()] = true
	}
	if errors.Is(err, errGap) {
		c.progress.set(roomID, synced{}) // what was left out is not seen
	} else {
		c.progress.set(roomID, synced{timeline.since, seen})
	}
	return event, err
}
