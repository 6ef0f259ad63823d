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
	// RootVerdict is the verdict of BlockedBy in the same run.
	RootVerdict Verdict `json:"blocked_by_verdict,omitempty"`
	Died        bool    `json:"died,omitempty"` // a server died, and this check, or its positive control, is to blame
	// Differences are names of what made the check fail, of checks that find several things (check.C.Differs), sorted.
	Differences []string `json:"differences,omitempty"`
	// NotJudged names what the check could not judge of what it covers (check.C.NotJudged), sorted.
	NotJudged []string `json:"not_judged,omitempty"`
	// Started is zero if the check did not run. StartMS and EndMS count from the start of the run.
	Started    time.Time `json:"started,omitzero"`
	StartMS    int64     `json:"start_ms,omitempty"`
	EndMS      int64     `json:"end_ms,omitempty"`
	DurationMS int64     `json:"duration_ms"`
	// Log and Transcript are paths relative to the results folder; set for checks that did not pass, and for those that an observation
	// or a finding rests on.
	Log        string `json:"log,omitempty"`
	Transcript string `json:"transcript,omitempty"`
	// Details are further facts, one line each: the server's answer, a measured time, what an attacker gained.
	Details []string `json:"details,omitempty"`
	// First is the result of the first attempt, if the check was judged again because a server died that it had used.
	First *CheckResult `json:"first,omitempty"`
}

// Observation is the reading of an open requirement that the candidate follows.
type Observation struct {
	ID      string `json:"id"`
	Reading string `json:"reading"` // one that the catalogue lists, or NoneSeen
	Detail  string `json:"detail,omitempty"`
	// Check observed it; Log and Transcript are that check's.
	Check      string `json:"check,omitempty"`
	Log        string `json:"log,omitempty"`
	Transcript string `json:"transcript,omitempty"`
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
	// At is when a monitor saw it; zero for what the runner found.
	At time.Time `json:"at,omitzero"`
	// Log and Transcript are those of the check, if they were kept of the attempt in which it was found.
	Log        string `json:"log,omitempty"`
	Transcript string `json:"transcript,omitempty"`
}

// Environment is what may make two runs differ besides the candidate; the field names are those of results.json.
type Environment struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	Go   string `json:"go"` // version that built the suite
	// Engine is the container engine; nil if servers run as plain processes.
	Engine *Engine `json:"engine,omitempty"`
	Seed   uint64  `json:"seed"` // of hostile input
	// Shuffle is the seed of the order in which checks start; 0 for the suite's own order.
	Shuffle  int64 `json:"shuffle"`
	Parallel int   `json:"parallel"` // checks at a time, apart from those with places of their own
	// Variables are the environment variables in effect that the suite knows, by name.
	Variables map[string]string `json:"variables"`
}

// Engine is a container engine.
type Engine struct {
	Version    string `json:"version"`
	APIVersion string `json:"api_version"` // that the suite and the engine agreed on
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
	Host    string `json:"host"` // "hs1"
	Name    string `json:"name"` // of its candidate
	Version string `json:"version,omitempty"`
	Image   string `json:"image,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Dialect string `json:"dialect,omitempty"` // "" if it has no pseudo-ID rooms, or if none of its events was seen
	// Format describes the wire format of those rooms, and where each part of it was seen.
	Format        string `json:"format,omitempty"`
	Configuration string `json:"configuration,omitempty"`
}

// EventKind is the kind of an Event.
type EventKind string

// The kinds of event, with the fields of Event that each one sets.
const (
	KindPlan        EventKind = "plan"         // Total, Candidate, Environment, Checks (all that will run; a later one adds more)
	KindCheckStart  EventKind = "check-start"  // Check
	KindCheckDone   EventKind = "check-done"   // Check, Result, Again: provisional, for progress
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
	Kind   EventKind    `json:"kind"`
	Time   time.Time    `json:"time"`
	Total  int          `json:"total,omitempty"`
	Checks []string     `json:"checks,omitempty"`
	Check  string       `json:"check,omitempty"`
	Result *CheckResult `json:"result,omitempty"`
	// Again reports that a server died which the check had used, so that it is judged again: Result is not what counts.
	Again       bool         `json:"again,omitempty"`
	Observation *Observation `json:"observation,omitempty"`
	Finding     *Finding     `json:"finding,omitempty"`
	Candidate   *Candidate   `json:"candidate,omitempty"`
	Environment *Environment `json:"environment,omitempty"`
	Message     string       `json:"message,omitempty"`
}
