// Package monitor looks over everything that the candidate writes while checks run: each answer to a client, each event
// that a peer receives. What it finds counts toward the requirement that it breaks, whichever check was running. It
// judges only what the candidate wrote: what peers made, honest or lying, is left out, and so is what clients wrote.
// A wrong finding is worse than a missing one: a string is taken for a sender key where nothing but a user ID may stand,
// and elsewhere only if the candidate is seen, before or after, to write under that very key.
package monitor

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"msc4014/helpers/foreign"
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
	options  Options
	mu       sync.Mutex
	seen     map[string]bool   // findings that were reported
	reported map[string]int    // how many, by requirement
	rooms    map[string]string // the room in which a sender key was first seen
	known    map[string]bool   // sender keys that the candidate writes under
	written  map[string]bool   // strings like sender keys that clients wrote
	filters  map[string]bool   // filters that ask for events in the federation's form

	suspicions map[string][]verdict.Finding // what is to be reported if a string is seen to be a sender key
	members    map[string]*membership       // by room ID
}

// New makes the monitors of a run.
func New(options Options) *Monitor {
	return &Monitor{
		options: options, seen: map[string]bool{}, reported: map[string]int{}, rooms: map[string]string{}, known: map[string]bool{},
		written: map[string]bool{}, filters: map[string]bool{}, suspicions: map[string][]verdict.Finding{},
		members: map[string]*membership{},
	}
}

// Bounds on what is kept of a candidate's endless faults; one finding fails a requirement.
const (
	// mostFindings are reported of a requirement.
	mostFindings = 1000
	// mostSuspected are the strings that are suspected of being keys, mostSuspicions the findings of a requirement that hang
	// on one of them.
	mostSuspected, mostSuspicions = 1 << 14, 8
	// mostPowers are the user IDs, given power in a room, whose keys are waited for.
	mostPowers = 4096
	// longestDetail and longestPlace bound, in bytes, what is said of a finding, and of where it is.
	longestDetail, longestPlace = 1000, 300
)

func finding(requirement, check, format string, arguments ...any) verdict.Finding {
	return verdict.Finding{Requirement: requirement, Check: check, Detail: shorten(fmt.Sprintf(format, arguments...), longestDetail)}
}

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

func (m *Monitor) report(found verdict.Finding) {
	identity := found.Requirement + " " + found.Detail
	m.mu.Lock()
	known := m.seen[identity] || m.reported[found.Requirement] >= mostFindings
	if !known {
		m.seen[identity] = true
		m.reported[found.Requirement]++
	}
	m.mu.Unlock()
	if !known {
		m.options.Report(found)
	}
}

// suspect reports a finding that holds if text is a sender key of the candidate: at once, or when that is seen.
func (m *Monitor) suspect(text, requirement, check, format string, arguments ...any) {
	if !m.looksLikeKey(text) {
		return
	}
	found := finding(requirement, check, format, arguments...)
	m.mu.Lock()
	known, written, before := m.known[text], m.written[text], m.suspicions[text]
	alike := 0
	for _, each := range before {
		if each.Requirement == requirement {
			alike++
		}
	}
	full := alike >= mostSuspicions || before == nil && len(m.suspicions) >= mostSuspected
	if !known && !written && !full && !slices.Contains(before, found) {
		m.suspicions[text] = append(before, found)
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

// ours reports whether a peer made the event that has these fields.
func (m *Monitor) ours(field func(name string) string) bool {
	return m.options.OursKey(field("sender_key")) || m.options.OursKey(field("sender")) || m.options.OursEvent(field("event_id"))
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

func eventName(event foreign.Value) string {
	kind := shorten(event.Get("type").String(), longestPlace/2)
	if id := event.Get("event_id").String(); id != "" {
		return kind + " " + shorten(id, longestPlace/2)
	}
	return kind + " (without event ID)"
}
