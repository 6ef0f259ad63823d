package federation

// What a peer received, in order, and waiting for more, with an error that lists what did arrive.

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Received is one event that another server sent to a peer.
type Received struct {
	Event  Event
	Origin string   // the server that sent it
	Via    Endpoint // Send, SendJoin, SendLeave, Invite
	Room   *Room    // nil if the peer is not in the room
	// Problems lists what is invalid in the event. An event with problems is not applied to the room.
	Problems []string
	Time     time.Time

	ours bool // completed by the peer itself: not for Options.OnReceivedEvent
}

// EDU is one ephemeral data unit that another server sent to a peer.
type EDU struct {
	Type   string
	Raw    []byte
	Origin string
	Time   time.Time
}

// Get returns the field at a gjson path.
func (e EDU) Get(path string) gjson.Result { return gjson.GetBytes(e.Raw, path) }

// receivedLog is guarded by its peer's lock.
type receivedLog struct {
	events []Received
	edus   []EDU
	news   chan struct{} // closed and replaced when an event, an EDU or a request arrives
}

func newReceivedLog() receivedLog { return receivedLog{news: make(chan struct{})} }

func (l *receivedLog) announce() {
	close(l.news)
	l.news = make(chan struct{})
}

func (l *receivedLog) clear() {
	l.events, l.edus = nil, nil
	l.announce()
}

// receive records an event, unless the same bytes were received before, and notifies those that wait and the observer.
func (p *Peer) receive(arrival Received) {
	arrival.Time = time.Now()
	p.mu.Lock()
	if !p.closed && !slices.ContainsFunc(p.received.events, func(known Received) bool {
		return known.Event.id == arrival.Event.id && bytes.Equal(known.Event.json, arrival.Event.json) && known.Via == arrival.Via
	}) {
		p.received.events = append(p.received.events, arrival)
		p.received.announce()
	}
	p.mu.Unlock()
	if !arrival.ours {
		p.notify(arrival.Room, arrival.Origin, arrival.Event)
	}
}

func (p *Peer) receiveEDU(arrival EDU) {
	arrival.Time = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.received.edus = append(p.received.edus, arrival)
		p.received.announce()
	}
}

// Received returns the events received so far, oldest first.
func (p *Peer) Received() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.received.events)
}

// ReceivedEDUs returns the EDUs received so far, oldest first.
func (p *Peer) ReceivedEDUs() []EDU {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.received.edus)
}

// HasReceived reports whether another server has sent the event with that ID.
func (p *Peer) HasReceived(eventID string) bool {
	return slices.ContainsFunc(p.Received(), func(r Received) bool { return r.Event.ID() == eventID })
}

// WaitForEvent returns the first event, received before or after the call, for which wanted returns true. If the context ends
// first, the error lists what arrived instead.
func (p *Peer) WaitForEvent(ctx context.Context, wanted func(Event) bool) (Event, error) {
	arrival, err := p.waitForReceived(ctx, func(r Received) bool { return wanted(r.Event) })
	return arrival.Event, err
}

// WaitForEventID waits for the event with that ID.
func (p *Peer) WaitForEventID(ctx context.Context, eventID string) (Event, error) {
	event, err := p.WaitForEvent(ctx, func(e Event) bool { return e.ID() == eventID })
	if err != nil {
		return event, fmt.Errorf("waiting for %s: %w", eventID, err)
	}
	return event, nil
}

func (p *Peer) waitForReceived(ctx context.Context, wanted func(Received) bool) (Received, error) {
	return wait(ctx, p, "the event", func() []Received { return p.received.events }, wanted, newestReceived)
}

// WaitForEDU returns the first EDU, received before or after the call, for which wanted returns true.
func (p *Peer) WaitForEDU(ctx context.Context, wanted func(EDU) bool) (EDU, error) {
	return wait(ctx, p, "the EDU", func() []EDU { return p.received.edus }, wanted, func(arrivals []EDU) string {
		return newest(arrivals, "EDUs", func(e EDU) string { return e.Type + " from " + e.Origin })
	})
}

// WaitForRequest returns the first request, received before or after the call, for which wanted returns true.
func (p *Peer) WaitForRequest(ctx context.Context, wanted func(Request) bool) (Request, error) {
	return wait(ctx, p, "the request", func() []Request { return p.requests }, wanted, func(arrivals []Request) string {
		return newest(arrivals, "requests", func(r Request) string { return r.String() })
	})
}

// wait returns the first arrival for which wanted returns true. arrivals is called with p.mu held.
func wait[T any](ctx context.Context, p *Peer, what string, arrivals func() []T, wanted func(T) bool, describe func([]T) string) (T, error) {
	var none T
	started, seen := time.Now(), 0
	for {
		p.mu.Lock()
		list, news, closed := slices.Clone(arrivals()), p.received.news, p.closed
		p.mu.Unlock()
		for ; seen < len(list); seen++ {
			if wanted(list[seen]) {
				return list[seen], nil
			}
		}
		if closed {
			return none, fmt.Errorf("%s was closed while waiting for %s", p.name, what)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return none, fmt.Errorf("%s did not receive %s within %s; %s: %w",
				p.name, what, time.Since(started).Round(time.Millisecond), describe(list), ctx.Err())
		}
	}
}

// newestReceived lists the newest events, for an error.
func newestReceived(arrivals []Received) string {
	return newest(arrivals, "events", func(arrival Received) string {
		line := fmt.Sprintf("%s from %s (%s)", arrival.Event, arrival.Origin, arrival.Via)
		if len(arrival.Problems) > 0 {
			line += " [" + strings.Join(arrival.Problems, "; ") + "]"
		}
		return line
	})
}

// newest lists the newest arrivals in one line.
func newest[T any](arrivals []T, what string, describe func(T) string) string {
	if len(arrivals) == 0 {
		return "nothing arrived"
	}
	const most = 10
	text := fmt.Sprintf("%d %s arrived", len(arrivals), what)
	if len(arrivals) > most {
		text += fmt.Sprintf(", the last %d", most)
		arrivals = arrivals[len(arrivals)-most:]
	}
	lines := make([]string, len(arrivals))
	for i, arrival := range arrivals {
		lines[i] = describe(arrival)
	}
	return text + ": " + strings.Join(lines, "; ")
}
