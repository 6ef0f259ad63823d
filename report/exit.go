package report

// The exit status of a run. It is derived from the results alone, so that results.json, junit.xml and the process agree.

import (
	"fmt"

	"msc4014/helpers/verdict"
)

// The exit statuses.
const (
	StatusExpected = 0 // as the baseline expects
	StatusWorse    = 1 // worse than the baseline, the baseline is out of date, or something was an error
	StatusCannot   = 2 // the run could not be made, was interrupted, or judged nothing
)

// Exit is the exit status of one candidate's run, with one sentence for each reason if it is not 0.
type Exit struct {
	Status  int      `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
}

// ExitOf derives the exit status from results that have been compared with their baseline.
func ExitOf(results Results) Exit {
	unjudged, red := Unjudged(results), whyRed(results)
	exit := Exit{Reasons: append(unjudged, red...)}
	switch {
	case len(unjudged) > 0:
		exit.Status = StatusCannot
	case len(red) > 0:
		exit.Status = StatusWorse
	}
	return exit
}

// Unjudged returns one sentence for each reason why the run could not judge what it was asked to judge: StatusCannot.
func Unjudged(results Results) []string {
	var reasons []string
	if results.Incomplete != "" {
		reasons = append(reasons, "the run is incomplete: "+results.Incomplete)
	}
	if results.RequireRoomVersion && results.Candidate.RoomVersion == "" {
		return append(reasons, "--require-room-version: "+withReason(lacking(results), whyUnsupported(results)))
	}
	if results.Incomplete == "" && !judgedSomething(results) && !expectedToJudgeNothing(results) {
		sentence := "nothing was judged: " + checkCounts(results)
		if why := whyUnsupported(results); why != "" && results.Candidate.RoomVersion == "" {
			sentence += "; " + withReason(lacking(results), why)
		}
		reasons = append(reasons, sentence)
	}
	return reasons
}

// judgedSomething reports whether any verdict says something about the candidate: a fail, or a pass of what was asked for.
// A closing check passes whenever nothing happened. If the candidate does not have the room version, checks that do not
// need it still pass; they count only if no other checks were asked for.
func judgedSomething(results Results) bool {
	passes := results.Candidate.RoomVersion != "" || results.Counts[verdict.Unsupported] == 0
	for _, check := range results.Checks {
		if check.Verdict == verdict.Fail || check.Verdict == verdict.Pass && !check.Closing && passes {
			return true
		}
	}
	for _, requirement := range results.Requirements {
		if requirement.Kind != KindOpen && len(findingsOf(results, requirement.ID)) > 0 {
			return true
		}
	}
	return false
}

// expectedToJudgeNothing reports whether a baseline expects the verdicts of the run. --strict ignores baselines.
func expectedToJudgeNothing(results Results) bool {
	return !results.Strict && results.Baseline != nil && results.Baseline.File != "" && results.Baseline.Compared > 0
}

// lacking says that the candidate, or the two of a pair, do not have the room version.
func lacking(results Results) string {
	if results.Selection != nil && results.Selection.Pair {
		return results.Candidate.Name + " do not have the room version in common"
	}
	return results.Candidate.Name + " does not have the room version"
}

// whyUnsupported returns the reason of the first unsupported check.
func whyUnsupported(results Results) string {
	for _, check := range results.Checks {
		if check.Verdict == verdict.Unsupported {
			return check.Reason
		}
	}
	return ""
}

// whyRed returns one sentence for each kind of entry that turns the run red: StatusWorse. There is at least one whenever an
// entry is red, except in an incomplete run, where errors in unjudged checks do not count.
func whyRed(results Results) []string {
	differs, strict := false, newCounts()
	for _, one := range entriesOf(results) {
		differs = differs || one.differs
		if one.strict {
			strict[one.verdict]++
		}
	}
	var reasons []string
	if differs {
		reasons = append(reasons, whatDiffers(results))
	}
	if errors := results.Counts[verdict.Error]; errors > 0 && results.Incomplete == "" {
		reasons = append(reasons, fmt.Sprintf("the suite or the machine failed, not the candidate; checks that ended as an error: %d", errors))
	}
	if text := strict.String(); text != "none" {
		reasons = append(reasons, "--strict requires every check to pass: "+text)
	}
	return reasons
}

// whatDiffers says in one line what the differences from the baseline mean and what to do about them.
func whatDiffers(results Results) string {
	if results.Baseline == nil || results.Baseline.File == "" || len(results.Baseline.Differences) == 0 {
		return "it has failures, and no baseline expects them (--update-baseline creates one)"
	}
	for _, difference := range results.Baseline.Differences {
		if difference.Kind == Worse {
			return "worse than its baseline " + results.Baseline.File
		}
	}
	return fmt.Sprintf("its baseline %s is out of date; if the new results are right, run with --update-baseline", results.Baseline.File)
}
