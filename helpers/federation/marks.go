package federation

// Marks: the event IDs and sender keys that the suite itself made. Passive monitors judge only events of the candidate and skip
// what is marked here.

import (
	"strings"
	"sync"

	"msc4014/helpers/pseudoid"
)

type marks struct {
	mu     *sync.RWMutex
	events map[string]struct{}
	keys   map[pseudoid.SenderKey]struct{}
}

func newMarks() marks {
	return marks{
		mu:     &sync.RWMutex{},
		events: map[string]struct{}{},
		keys:   map[pseudoid.SenderKey]struct{}{},
	}
}

// IsOurs reports whether the suite made the event with this ID.
func (sw *Switchboard) IsOurs(eventID string) bool {
	sw.marks.mu.RLock()
	defer sw.marks.mu.RUnlock()
	_, ok := sw.marks.events[eventID]
	return ok
}

// IsOurKey reports whether the suite made the sender key. Padding is ignored.
func (sw *Switchboard) IsOurKey(key string) bool {
	sw.marks.mu.RLock()
	defer sw.marks.mu.RUnlock()
	_, ok := sw.marks.keys[pseudoid.SenderKey(strings.TrimRight(key, "="))]
	return ok
}

// markEvent marks an event as made by the suite, under each ID that it may be known by.
func (sw *Switchboard) markEvent(event Event) {
	ids := []string{event.ID()}
	for _, other := range event.format.Redactions() {
		// By what redaction keeps a server decides the ID that it knows the event by.
		if id, err := pseudoid.EventID(event.json, other); err == nil {
			ids = append(ids, id)
		}
	}
	sw.marks.mu.Lock()
	defer sw.marks.mu.Unlock()
	for _, id := range ids {
		sw.marks.events[id] = struct{}{}
	}
}

// Marks marks an event that was not built by a template as the suite's own, under its event ID and under id, and marks its sender
// key. It returns the event with that id.
func (p *Peer) Marks(raw []byte, id, key string) Event {
	event := NewEvent(raw, p.Format())
	p.sw.markEvent(event)
	event.id = id
	p.sw.markEvent(event)
	p.sw.markKey(pseudoid.SenderKey(key))
	return event
}

// markKey marks a sender key as made by the suite.
func (sw *Switchboard) markKey(key pseudoid.SenderKey) {
	sw.marks.mu.Lock()
	defer sw.marks.mu.Unlock()
	sw.marks.keys[key] = struct{}{}
}
