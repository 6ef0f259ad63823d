// Package verdict holds the words in which a run tells what it found: verdicts, the result of a check, observations,
// and the stream of events that the suite's binary writes, one JSON object a line, and that reports are made from.
package verdict

// Verdict is what a check or a requirement came to.
type Verdict string

// The seven verdicts. Error is never the server's fault and never stands in a baseline.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Unsupported  Verdict = "unsupported"
	Blocked      Verdict = "blocked"
	Inconclusive Verdict = "inconclusive"
	NotRun       Verdict = "not-run"
	Error        Verdict = "error"
)

// All lists every verdict in the order in which reports count them.
var All = []Verdict{Pass, Fail, Unsupported, Blocked, Inconclusive, NotRun, Error}

// Valid tells whether v is one of the seven.
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

// Combine tells what a requirement came to from the verdicts of its checks: fail if any failed, pass if all passed,
// otherwise the first that applies of error, inconclusive, blocked, unsupported, not-run. No checks: not-run.
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
