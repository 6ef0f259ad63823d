// Package verdict defines the results of a run: verdicts, results of checks, observations, and the stream of events that the
// suite's binary writes, one JSON object per line, and from which reports are made.
package verdict

// Verdict is the result of a check or of a requirement.
type Verdict string

// The seven verdicts. Error is never the server's fault and never in a baseline.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Unsupported  Verdict = "unsupported"
	Blocked      Verdict = "blocked"
	Inconclusive Verdict = "inconclusive"
	NotRun       Verdict = "not-run"
	Error        Verdict = "error"
)

// WithoutClients is the reason of checks that are not run because the run has no real clients.
const WithoutClients = "real clients run only with --with-clients, and in containers"

// All lists every verdict in the order in which reports count them.
var All = []Verdict{Pass, Fail, Unsupported, Blocked, Inconclusive, NotRun, Error}

// Valid reports whether v is one of the seven.
func (v Verdict) Valid() bool {
	for _, known := range All {
		if v == known {
			return true
		}
	}
	return false
}

// rank orders the verdicts for Combine: the first that applies decides.
var rank = []Verdict{Fail, Error, Inconclusive, Blocked, Unsupported, NotRun}

// Combine returns the verdict of a requirement from those of its checks: fail if any failed, pass if all passed, otherwise the first
// that applies of error, inconclusive, blocked, unsupported, not-run. Without checks it is not-run.
func Combine(checks []Verdict) Verdict {
	if len(checks) == 0 {
		return NotRun
	}
	for _, worst := range rank {
		for _, v := range checks {
			if v == worst {
				return worst
			}
		}
	}
	return Pass
}
