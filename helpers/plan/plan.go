// Package plan defines the input of the suite's binary: the command line writes one run of one candidate as JSON to its standard
// input, and reads a stream of verdict.Event from its standard output.
package plan

import (
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// FewestSessions is the least number of sessions of a run for twin sessions: the checks that play them share every eight, and each plays one at
// least.
const FewestSessions = 8

// Plan is one run of one candidate, or of two in a mixed deployment.
type Plan struct {
	Artifact runtime.Artifact `json:"artifact"`
	// Second is the artifact of hs2 in a mixed deployment, whose other servers run Artifact. If it is set, only the checks of
	// mixed deployments run.
	Second *runtime.Artifact `json:"second,omitempty"`
	// Clients is the image of real clients; nil leaves out the checks that need it.
	Clients *runtime.Artifact `json:"clients,omitempty"`
	Runtime string            `json:"runtime"` // "docker" or "process"
	Run     string            `json:"run,omitempty"`
	// RoomVersion is the room version to judge; "" means the deployed one.
	RoomVersion string `json:"room_version,omitempty"`
	Parallel    int    `json:"parallel,omitempty"` // 0: the suite decides
	Shuffle     int64  `json:"shuffle,omitempty"`  // 0: recorded order
	Seed        uint64 `json:"seed,omitempty"`     // of hostile input; 0 means 1
	Shard       string `json:"shard,omitempty"`    // "I/N"
	Keep        bool   `json:"keep,omitempty"`     // keep servers and their files, and say where
	// AllEvidence keeps the logs and transcripts of checks that pass, too.
	AllEvidence bool `json:"all_evidence,omitempty"`
	// Repeat is how often each selected check runs; 0 means once.
	Repeat int `json:"repeat,omitempty"`
	// Only keeps the run to what Run and Shard select, also where steps find other requirements broken.
	Only bool `json:"only,omitempty"`
	// Sessions is how many twin sessions to play, from Seed on, in place of those of a usual run, at least FewestSessions; 0 for the usual
	// ones.
	Sessions int `json:"sessions,omitempty"`
	// Unshortened leaves twin sessions that differ as they are.
	Unshortened bool `json:"unshortened,omitempty"`
	// Expected has the differences that the candidate's baseline expects, by check, for checks that find several things.
	Expected map[string][]string `json:"expected,omitempty"`
	// First are checks that start before the others, in this order.
	First []string `json:"first,omitempty"`
	// Results is the absolute path of the folder for logs and transcripts of checks that did not pass.
	Results string `json:"results"`
	// Session is the folder of the run's session (runtime/session), whose lock the command line holds.
	Session string `json:"session"`
}

// Candidate returns what is known about the candidate before it runs. A mixed deployment has the names of both candidates, that of
// hs1 first: "A,B".
func (p Plan) Candidate() verdict.Candidate {
	if p.Second != nil {
		return verdict.Candidate{Name: p.Artifact.Candidate + "," + p.Second.Candidate, Runtime: p.Runtime}
	}
	return verdict.Candidate{
		Name: p.Artifact.Candidate, Version: p.Artifact.Version, Image: p.Artifact.Image, Digest: p.Artifact.Digest,
		Runtime: p.Runtime,
	}
}

// SuiteVersion is the version of the suite, as reports name it.
const SuiteVersion = "0.1.0"
