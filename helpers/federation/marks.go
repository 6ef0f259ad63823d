package federation

// Marks: which event IDs and sender keys the suite itself made. Passive monitors judge only what the
// candidate wrote, and leave out what is marked here.

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

// IsOurs tells whether a peer made the event with this ID.
func (sw *Switchboard) IsOurs(eventID string) bool {
	sw.marks.mu.RLock()
	defer sw.marks.mu.RUnlock()
	_, ok := sw.marks.events[eventID]
	return ok
}

// IsOurKey tells whether a sender key is one that a user of a peer made. Padding is not looked at.
func (sw *Switchboard) IsOurKey(key string) bool {
	sw.marks.mu.RLock()
	defer sw.marks.mu.RUnlock()
	_, ok := sw.marks.keys[pseudoid.SenderKey(strings.TrimRight(key, "="))]
	return ok
}

// MarkEvent marks an event as made by the suite, under each ID that it may be known by.
func (sw *Switchboard) MarkEvent(event Event) {
	ids := []string{event.ID()}
	if event.format.Pseudonymous && event.format.Dialect == pseudoid.DialectMSC4014 {
		// Which reading of redaction/sender-key-kept a server takes decides the ID that it knows the event by.
		other := event.format
		other.RedactionKeepsSenderKey = !other.RedactionKeepsSenderKey
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

// Marks marks an event that was not made by a template as the suite's own, under an ID that it may be known by besides the
// one that the oracle gives it, with what stands for its sender key. It returns the event under that ID.
func (p *Peer) Marks(raw []byte, id, key string) Event {
	event := NewEvent(raw, p.Format())
	p.sw.MarkEvent(event)
	event.id = id
	p.sw.MarkEvent(event)
	p.sw.MarkKey(pseudoid.SenderKey(key))
	return event
}

// MarkKey marks a sender key as made by the suite.
func (sw *Switchboard) MarkKey(key pseudoid.SenderKey) {
	sw.marks.mu.Lock()
	defer sw.marks.mu.Unlock()
	sw.marks.keys[key] = struct{}{}
}
