// Package monitor looks over everything that the candidate writes while checks run: each answer to a client, each event
// that a peer receives. What it finds counts toward the requirement that it breaks, whichever check was running. It
// judges only what the candidate wrote: what peers made, honest or lying, is left out.
package monitor

import (
	"fmt"
	"sync"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/verdict"
)

// Options say what the monitors need to know.
type Options struct {
	// Format is how the candidate spells events of pseudo-ID rooms.
	Format pseudoid.Format
	// OursKey tells whether a peer made the sender key; OursEvent whether a peer made the event.
	OursKey   func(senderKey string) bool
	OursEvent func(eventID string) bool
	// Report takes each finding, once for every requirement and detail.
	Report func(verdict.Finding)
}

// Monitor is the passive monitors of a run. Its methods are safe for use by several goroutines.
type Monitor struct {
	options Options
	mu      sync.Mutex
	seen    map[string]bool   // findings that were reported
	rooms   map[string]string // the room in which a sender key was first seen
}

// New makes the monitors of a run.
func New(options Options) *Monitor {
	return &Monitor{options: options, seen: map[string]bool{}, rooms: map[string]string{}}
}

func (m *Monitor) report(requirement, check, format string, arguments ...any) {
	finding := verdict.Finding{Requirement: requirement, Check: check, Detail: fmt.Sprintf(format, arguments...)}
	m.mu.Lock()
	known := m.seen[requirement+" "+finding.Detail]
	m.seen[requirement+" "+finding.Detail] = true
	m.mu.Unlock()
	if !known {
		m.options.Report(finding)
	}
}

// looksLikeKey tells whether a string can be nothing but a sender key that the candidate made: 32 bytes in unpadded
// base64 that are a curve point, and no key of a peer.
func (m *Monitor) looksLikeKey(text string) bool {
	if len(text) != 43 || m.options.OursKey(text) {
		return false
	}
	_, err := pseudoid.ParseSenderKey(text)
	return err == nil
}

// roomOf is the room in which a key was seen first, which may be this one.
func (m *Monitor) roomOf(senderKey, roomID string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if first, known := m.rooms[senderKey]; known {
		return first
	}
	m.rooms[senderKey] = roomID
	return roomID
}

func eventName(event gjson.Result) string {
	if id := event.Get("event_id").String(); id != "" {
		return event.Get("type").String() + " " + id
	}
	return event.Get("type").String() + " (without event ID)"
}
