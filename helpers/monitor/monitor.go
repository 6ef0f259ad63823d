// Package monitor looks over everything that the candidate writes while checks run: each answer to a client, each event
// that a peer receives. What it finds counts toward the requirement that it breaks, whichever check was running. It
// judges only what the candidate wrote: what peers made, honest or lying, is left out, and so is what clients wrote.
// A wrong finding is worse than a missing one: a string is taken for a sender key where nothing but a user ID may stand,
// and elsewhere only if the candidate is seen, before or after, to write under that very key.
package monitor

import (
	"fmt"
	"slices"
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
	known   map[string]bool   // sender keys that the candidate writes under
	written map[string]bool   // strings like sender keys that clients wrote
	filters map[string]bool   // filters that ask for events in the federation's form

	suspicions map[string][]verdict.Finding // what is to be reported if a string is seen to be a sender key
	members    map[string]*membership       // by room ID
}

// New makes the monitors of a run.
func New(options Options) *Monitor {
	return &Monitor{
		options: options, seen: map[string]bool{}, rooms: map[string]string{}, known: map[string]bool{},
		written: map[string]bool{}, filters: map[string]bool{}, suspicions: map[string][]verdict.Finding{},
		members: map[string]*membership{},
	}
}

func finding(requirement, check, format string, arguments ...any) verdict.Finding {
	return verdict.Finding{Requirement: requirement, Check: check, Detail: fmt.Sprintf(format, arguments...)}
}

func (m *Monitor) report(found verdict.Finding) {
	identity := found.Requirement + " " + found.Detail
	m.mu.Lock()
	reported := m.seen[identity]
	m.seen[identity] = true
	m.mu.Unlock()
	if !reported {
		m.options.Report(found)
	}
}

// suspect reports a finding that holds if text is a sender key of the candidate: at once, or when that is seen.
func (m *Monitor) suspect(text string, found verdict.Finding) {
	if !m.looksLikeKey(text) {
		return
	}
	m.mu.Lock()
	known, written := m.known[text], m.written[text]
	if !known && !written && !slices.Contains(m.suspicions[text], found) {
		m.suspicions[text] = append(m.suspicions[text], found)
	}
	m.mu.Unlock()
	if known && !written {
		m.report(found)
	}
}

// learn takes note of a key that the candidate writes under, and reports what was suspected of it.
func (m *Monitor) learn(senderKey string) {
	if !m.looksLikeKey(senderKey) {
		return
	}
	m.mu.Lock()
	m.known[senderKey] = true
	confirmed := m.suspicions[senderKey]
	if m.written[senderKey] {
		confirmed = nil
	}
	delete(m.suspicions, senderKey)
	m.mu.Unlock()
	for _, found := range confirmed {
		m.report(found)
	}
}

// clientWrote takes note of a string that a client wrote: where it stands later, the client may have put it.
func (m *Monitor) clientWrote(text string) {
	if !m.looksLikeKey(text) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written[text] = true
	delete(m.suspicions, text)
}

// looksLikeKey tells whether a string can be a sender key that the candidate made: 32 bytes in unpadded base64 that are
// a curve point, and no key of a peer. Every second hash looks like that, too.
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
