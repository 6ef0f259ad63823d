// Package monitor examines everything that the candidate sends while checks run: each answer to a client and each event that a
// peer receives. A finding counts against the requirement that it breaks, whichever check was running. Events of peers and data
// of clients are ignored. A false finding is worse than a missing one: where only a user ID is allowed, any valid key is taken
// for a sender key; elsewhere a string counts as one only if the candidate is seen, before or after, to use it as a sender.
package monitor

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/verdict"
)

// Options configures the monitors.
type Options struct {
	// Format is the candidate's event format of pseudo-ID rooms.
	Format pseudoid.Format
	// OursKey reports whether the suite made the sender key, OursEvent whether it made the event.
	OursKey   func(senderKey string) bool
	OursEvent func(eventID string) bool
	// Report is called with each finding, once for each requirement and detail.
	Report func(verdict.Finding)
}

// Monitor holds the passive monitors of a run. Its methods are safe for concurrent use.
type Monitor struct {
	options  Options
	mu       sync.Mutex
	seen     map[string]bool   // findings that were reported
	reported map[string]int    // number of findings by requirement
	rooms    map[string]string // the first room of each sender key
	known    map[string]bool   // sender keys that the candidate uses
	written  map[string]bool   // strings like sender keys that clients sent
	filters  map[string]bool   // filters with event_format "federation"

	suspicions map[string][]verdict.Finding // what to report once a string turns out to be a sender key
	members    map[string]*membership       // by room ID
}

// New returns the monitors of a run.
func New(options Options) *Monitor {
	return &Monitor{
		options: options, seen: map[string]bool{}, reported: map[string]int{}, rooms: map[string]string{}, known: map[string]bool{},
		written: map[string]bool{}, filters: map[string]bool{}, suspicions: map[string][]verdict.Finding{},
		members: map[string]*membership{},
	}
}

// Bounds for candidates with endless faults; one finding fails a requirement.
const (
	// maxFindings bounds the findings of a requirement.
	maxFindings = 1000
	// maxSuspected bounds the strings that may be keys, maxSuspicions the findings of a requirement about one of them.
	maxSuspected, maxSuspicions = 1 << 14, 8
	// maxPowers bounds the user IDs with power in a room that may turn out to have keys.
	maxPowers = 4096
	// maxDetail and maxPlace bound, in bytes, the text of a finding and the place in it.
	maxDetail, maxPlace = 1000, 300
)

func finding(requirement, check, format string, arguments ...any) verdict.Finding {
	return verdict.Finding{Requirement: requirement, Check: check, Detail: shorten(fmt.Sprintf(format, arguments...), maxDetail), At: time.Now()}
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
	known := m.seen[identity] || m.reported[found.Requirement] >= maxFindings
	if !known {
		m.seen[identity] = true
		m.reported[found.Requirement]++
	}
	m.mu.Unlock()
	if !known {
		m.options.Report(found)
	}
}

// suspect reports a finding that is true if text is a sender key of the candidate: at once, or as soon as that is known.
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
	full := alike >= maxSuspicions || before == nil && len(m.suspicions) >= maxSuspected
	again := slices.ContainsFunc(before, func(each verdict.Finding) bool {
		return each.Requirement == requirement && each.Check == check && each.Detail == found.Detail
	})
	if !known && !written && !full && !again {
		m.suspicions[text] = append(before, found)
	}
	m.mu.Unlock()
	if known && !written {
		m.report(found)
	}
}

// Suspects reports whether what was seen during a check may yet turn out to be a finding.
func (m *Monitor) Suspects(check string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, about := range m.suspicions {
		if slices.ContainsFunc(about, func(each verdict.Finding) bool { return each.Check == check }) {
			return true
		}
	}
	for _, room := range m.members {
		if slices.ContainsFunc(room.suspect, func(each power) bool { return each.check == check }) {
			return true
		}
	}
	return false
}

// learn notes a key that the candidate uses and reports the suspicions about it.
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

// clientWrote notes a string that a client sent: wherever it appears later, it may come from the client.
func (m *Monitor) clientWrote(text string) {
	if !m.looksLikeKey(text) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written[text] = true
	delete(m.suspicions, text)
}

// looksLikeKey reports whether a string may be a sender key of the candidate: 32 bytes in unpadded base64 that are a curve point,
// and not a key of a peer. That is true of every second hash, too.
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

// roomOf returns the first room of a key, which may be this one.
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
	kind := shorten(event.Get("type").String(), maxPlace/2)
	if id := event.Get("event_id").String(); id != "" {
		return kind + " " + shorten(id, maxPlace/2)
	}
	return kind + " (without event ID)"
}
