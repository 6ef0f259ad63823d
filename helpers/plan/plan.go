// Package plan is what the command line asks of the suite's binary: one run of one candidate, as JSON on its standard
// input. The binary answers with a stream of verdict.Event on its standard output.
package plan

import (
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// Plan is one run of one candidate, or of two that stand side by side.
type Plan struct {
	Artifact runtime.Artifact `json:"artifact"`
	// Second is what hs2 is made of in a mixed deployment, whose other servers are made of Artifact. With it only the
	// checks of mixed deployments run.
	Second   *runtime.Artifact `json:"second,omitempty"`
	Runtime  string            `json:"runtime"` // "docker" or "process", decided
	Run      string            `json:"run,omitempty"`
	Parallel int               `json:"parallel,omitempty"` // 0: the suite decides
	Shuffle  int64             `json:"shuffle,omitempty"`  // 0: recorded order
	Seed     uint64            `json:"seed,omitempty"`     // of hostile input; 0: 1, the usual one
	Shard    string            `json:"shard,omitempty"`    // "I/N"
	Keep     bool              `json:"keep,omitempty"`     // leave servers and their files behind, and say where
	// Results is the absolute folder where logs and transcripts of checks that did not pass are kept.
	Results string `json:"results"`
	// Session is the folder of the run's session (runtime/session), whose lock is held by the command line.
	Session string `json:"session"`
}

// Candidate is what is known of the candidate before it runs. A mixed deployment is named by both candidates, that of
// hs1 first, "A,B"; the rest is told of each server by itself.
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
