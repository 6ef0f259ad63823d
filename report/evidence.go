package report

// When checks ran, what their roots came to, and where the evidence is of what was observed and found.

import (
	"time"

	"msc4014/helpers/verdict"
)

// fixTimes sets when a check began and ended, counted from the start of the run; also for its first attempt.
func (a *assembly) fixTimes(result *verdict.CheckResult) {
	if !result.Started.IsZero() {
		result.Started = result.Started.UTC().Truncate(time.Millisecond)
		result.StartMS = max(result.Started.Sub(a.run.Started).Milliseconds(), 0)
		result.EndMS = result.StartMS + result.DurationMS
	}
	if result.First != nil {
		first := *result.First
		a.fixTimes(&first)
		result.First = &first
	}
}

// findUnsteady finds the checks that came to different verdicts when they ran several times.
func findUnsteady(results *Results) {
	counts := map[string]Counts{}
	var order []string
	for _, check := range results.Checks {
		if LeftOut(check.Verdict, check.Reason) {
			continue
		}
		name := verdict.Repeated(check.Name)
		if counts[name] == nil {
			counts[name] = Counts{}
			order = append(order, name)
		}
		counts[name][check.Verdict]++
	}
	for _, name := range order {
		if len(counts[name]) > 1 {
			results.Unsteady = append(results.Unsteady, Unsteady{Check: name, Counts: counts[name]})
		}
	}
}

// nameRootVerdicts sets the verdicts of the requirements that block checks.
func nameRootVerdicts(results *Results) {
	verdicts := map[string]verdict.Verdict{}
	for _, requirement := range results.Requirements {
		verdicts[requirement.ID] = requirement.Verdict
	}
	for i := range results.Checks {
		check := &results.Checks[i]
		check.RootVerdict = verdicts[check.BlockedBy]
		if check.First != nil {
			check.First.RootVerdict = verdicts[check.First.BlockedBy]
		}
	}
}

// nameEvidence sets the logs and transcripts of observations and findings: those of the check, if they were kept.
func nameEvidence(results *Results) {
	checks := map[string]verdict.CheckResult{}
	for _, check := range results.Checks {
		checks[check.Name] = check
	}
	for i := range results.Observations {
		observed := &results.Observations[i]
		check := checks[observed.Check]
		observed.Log, observed.Transcript = check.Log, check.Transcript
	}
	for i := range results.Findings {
		found := &results.Findings[i]
		if at := attemptOf(*found, checks[found.Check]); at != nil {
			found.Log, found.Transcript = at.Log, at.Transcript
		}
		if !found.At.IsZero() {
			found.At = found.At.UTC().Truncate(time.Millisecond)
		}
	}
}

// attemptOf returns the attempt at a check in which something was found; nil if it was none whose result was kept. What the runner found,
// and not a monitor, belongs to the result that counts.
func attemptOf(found verdict.Finding, check verdict.CheckResult) *verdict.CheckResult {
	if found.At.IsZero() {
		return &check
	}
	for _, each := range []*verdict.CheckResult{&check, check.First} {
		if each == nil || each.Started.IsZero() {
			continue
		}
		ended := each.Started.Add(time.Duration(each.DurationMS+2) * time.Millisecond) // both times were rounded down
		if !found.At.Before(each.Started) && !found.At.After(ended) {
			return each
		}
	}
	return nil
}
