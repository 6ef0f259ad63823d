package verdict

// The events of a run, and the results, observations and findings in them.

import "time"

// CheckResult is the outcome of one check; the field names are those of results.json.
type CheckResult struct {
	Name         string   `json:"name"`
	Requirements []string `json:"requirements"`
	Path         string   `json:"path,omitempty"`
	Closing      bool     `json:"closing,omitempty"` // judged by the runner after all others
	Verdict      Verdict  `json:"verdict"`
	Reason       string   `json:"reason,omitempty"`
	BlockedBy    string   `json:"blocked_by,omitempty"`
	Died         bool     `json:"died,omitempty"` // a server died, and this check is to blame
	DurationMS   int64    `json:"duration_ms"`
	// Log and Transcript are paths relative to the results folder; set for checks that did not pass.
	Log        string `json:"log,omitempty"`
	Transcript string `json:"transcript,omitempty"`
	// Details are further facts, one line each: the server's answer, a measured time, what an attacker gained.
	Details []string `json:"details,omitempty"`
}

// Observation is the reading of an open requirement that the candidate follows.
type Observation struct {
	ID      string `json:"id"`
	Reading string `json:"reading"` // one that the catalogue lists, or NoneSeen
	Detail  string `json:"detail,omitempty"`
}

// NoneSeen is the reading if none was observed; the detail says why.
const NoneSeen = "none-seen"

// Finding is one event or answer of the candidate that breaks a requirement: found by a passive monitor, or by a step that failed
// and blocked a check.
type Finding struct {
	Requirement string `json:"requirement"`
	Check       string `json:"check"`          // the check that was running
	Detail      string `json:"detail"`         // identifies the event or the answer, or says how the step failed
	Step        bool   `json:"step,omitempty"` // a step failed, which blocked the check
}

// Candidate describes the software under test; the field names are those of results.json.
type Candidate struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Image       string `json:"image,omitempty"`
	Digest      string `json:"digest,omitempty"`
	Runtime     string `json:"runtime"`
	Dialect     string `json:"dialect,omitempty"`
	RoomVersion string `json:"room_version,omitempty"`
	// Configuration is the path, relative to the results folder, of the configuration that its first server ran with.
	Configuration string `json:"configuration,omitempty"`
	// Servers describes each server. They may be of different candidates.
	Servers []Server `json:"servers,omitempty"`
}

// Server is one server of a deployment; the field names are those of results.json.
type Server struct {
	Host          string `json:"host"` // "hs1"
	Name          string `json:"name"` // of its candidate
	Version       string `json:"version,omitempty"`
	Image         string `json:"image,omitempty"`
	Digest        string `json:"digest,omitempty"`
	Dialect       string `json:"dialect,omitempty"` // "" if it has no pseudo-ID rooms
	Configuration string `json:"configuration,omitempty"`
}

// EventKind is the kind of an Event.
type EventKind string

// The kinds of event, with the fields of Event that each one sets.
const (
	KindPlan        EventKind = "plan"         // Total, Candidate, Checks (all that will run; a later one adds more)
	KindCheckStart  EventKind = "check-start"  // Check
	KindCheckDone   EventKind = "check-done"   // Check, Result: provisional, for progress
	KindCheckFinal  EventKind = "check-final"  // Check, Result: the one that counts, exactly one for each planned check
	KindObservation EventKind = "observation"  // Check, Observation
	KindFinding     EventKind = "finding"      // Finding
	KindServerDied  EventKind = "server-died"  // Message; Check if the culprit is known
	KindCandidate   EventKind = "candidate"    // Candidate, if more became known about it
	KindNote        EventKind = "note"         // Message, for people
	KindPrint       EventKind = "print"        // Message of any number of lines, for the terminal only
	KindEnd         EventKind = "end"          // the run is complete; a stream without it was cut off
	KindCannot      EventKind = "cannot-start" // Message: the run is not possible (exit 2)
)

// Event is one line of the stream that the suite's binary writes.
type Event struct {
	Kind        EventKind    `json:"kind"`
	Time        time.Time    `json:"time"`
	Total       int          `json:"total,omitempty"`
	Checks      []string     `json:"checks,omitempty"`
	Check       string       `json:"check,omitempty"`
	Result      *CheckResult `json:"result,omitempty"`
	Observation *Observation `json:"observation,omitempty"`
	Finding     *Finding     `json:"finding,omitempty"`
	Candidate   *Candidate   `json:"candidate,omitempty"`
	Message     string       `json:"message,omitempty"`
}
