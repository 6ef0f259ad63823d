package report

// The verdict of a requirement, from its checks, the passive monitors' findings, and the observations.

import (
	"fmt"

	"msc4014/helpers/verdict"
)

// requirements judges every requirement of the catalogue, in its order.
func (a *assembly) requirements(catalogue Catalogue, results Results) []Requirement {
	checks := map[string][]verdict.CheckResult{}
	for _, check := range results.Checks {
		check = a.counted(check)
		for _, id := range check.Requirements {
			checks[id] = append(checks[id], check)
		}
	}
	findings := map[string][]verdict.Finding{}
	for _, finding := range results.Findings {
		findings[finding.Requirement] = append(findings[finding.Requirement], finding)
	}
	readings := map[string][]verdict.Observation{}
	for _, observation := range results.Observations {
		readings[observation.ID] = append(readings[observation.ID], observation)
	}
	requirements := []Requirement{}
	for _, entry := range catalogue.Requirements {
		requirement := Requirement{
			ID: entry.ID, Chapter: entry.Chapter, Kind: entry.Kind, Own: entry.Own, Since: max(entry.Since, 1),
			Demand: entry.Demand, Source: entry.Source, Links: entry.Links, Possible: entry.Readings, Faults: entry.Faults, Consequence: entry.Consequence,
			Checks: []string{},
		}
		for _, check := range checks[entry.ID] {
			requirement.Checks = append(requirement.Checks, check.Name)
		}
		if entry.Kind == KindOpen {
			judgeOpen(&requirement, checks[entry.ID], readings[entry.ID])
		} else {
			judge(&requirement, checks[entry.ID], findings[entry.ID])
		}
		if len(requirement.Checks) == 0 && requirement.Verdict == verdict.NotRun {
			requirement.Reason = ReasonNoCheckYet
			if pattern := a.run.Selection.Pattern; pattern != nil && !pattern.MatchString(entry.ID) {
				requirement.Reason = ReasonLeftOutByRun
			}
		}
		requirements = append(requirements, requirement)
	}
	return requirements
}

// counted returns a check as it counts for its requirements. That a part of the checks crashed no server says nothing about
// the others, so a closing check passes in whole runs only.
func (a *assembly) counted(check verdict.CheckResult) verdict.CheckResult {
	if !check.Closing || check.Verdict != verdict.Pass {
		return check
	}
	option := ""
	switch {
	case a.run.Selection.Pattern != nil:
		option = "run"
	case a.run.Selection.Shard != "":
		option = "shard"
	case a.run.Selection.Pair:
		option = "pair"
	default:
		return check
	}
	check.Verdict = verdict.NotRun
	check.Reason = leftOut + option + ": it judges what all checks together do to the servers"
	return check
}

// judge sets the verdict and reason of a requirement that a server can fail. A finding counts like a failed check.
func judge(requirement *Requirement, checks []verdict.CheckResult, findings []verdict.Finding) {
	requirement.Verdict, requirement.Reason = combine(checks)
	if len(findings) == 0 || requirement.Verdict == verdict.Fail {
		return
	}
	requirement.Verdict = verdict.Fail
	requirement.Reason = FindingReason(findings)
}

// refuseUnfounded turns each check into an error that is blocked by a requirement that did not fail, and reports whether there is
// any: something was seen to break, and nothing would say so.
func refuseUnfounded(results *Results) (refused bool) {
	failed := map[string]bool{}
	for _, requirement := range results.Requirements {
		failed[requirement.ID] = requirement.Verdict == verdict.Fail
	}
	for i := range results.Checks {
		check := &results.Checks[i]
		if check.Verdict != verdict.Blocked || failed[check.BlockedBy] {
			continue
		}
		check.Verdict, refused = verdict.Error, true
		check.Reason = fmt.Sprintf("the suite's own error: blocked by %q, which did not fail in this run: %s", check.BlockedBy, check.Reason)
	}
	return refused
}

// FindingReason describes the findings about one requirement in one line; findings must not be empty.
func FindingReason(findings []verdict.Finding) string {
	reason := fmt.Sprintf("seen by the monitors during %q: %s", findings[0].Check, findings[0].Detail)
	if findings[0].Step {
		reason = fmt.Sprintf("a step of %q failed: %s", findings[0].Check, findings[0].Detail)
	}
	if more := len(findings) - 1; more > 0 {
		reason += fmt.Sprintf(" (and %d more)", more)
	}
	return reason
}

// judgeOpen sets the verdict of an open requirement: pass means that a reading was seen. A check may fail for another of its
// requirements before it can observe a reading; that is not a fail here.
func judgeOpen(requirement *Requirement, checks []verdict.CheckResult, observations []verdict.Observation) {
	var noneSeen string
	for _, observation := range observations {
		if observation.Reading != verdict.NoneSeen {
			requirement.Readings = append(requirement.Readings, observation.Reading)
		} else if noneSeen == "" {
			noneSeen = observation.Detail
		}
	}
	combined, reason := combine(checks)
	switch {
	case len(requirement.Readings) > 0:
		requirement.Verdict = verdict.Pass
	case len(observations) > 0:
		requirement.Verdict, requirement.Reason = verdict.Inconclusive, "no reading could be seen: "+noneSeen
	case combined == verdict.Fail:
		requirement.Verdict = verdict.Inconclusive
		requirement.Reason = "the check ended before a reading was seen: " + reason
	case combined == verdict.Pass:
		requirement.Verdict, requirement.Reason = verdict.Inconclusive, "its checks recorded no reading"
	default:
		requirement.Verdict, requirement.Reason = combined, reason
	}
}

// combine returns the combined verdict of checks and the reason of the first one that decided it.
func combine(checks []verdict.CheckResult) (verdict.Verdict, string) {
	verdicts := make([]verdict.Verdict, 0, len(checks))
	for _, check := range checks {
		verdicts = append(verdicts, check.Verdict)
	}
	combined := verdict.Combine(verdicts)
	if combined == verdict.Pass {
		return combined, ""
	}
	var reason string
	deciding := 0
	for _, check := range checks {
		if check.Verdict != combined {
			continue
		}
		if deciding == 0 {
			reason = check.Reason
			if reason == "" && check.BlockedBy != "" {
				reason = "blocked by " + check.BlockedBy
			}
		}
		deciding++
	}
	if deciding > 1 {
		reason += fmt.Sprintf(" (%d of %d checks)", deciding, len(checks))
	} else if deciding == 1 && len(checks) > 1 {
		reason += fmt.Sprintf(" (1 of %d checks)", len(checks))
	}
	return combined, reason
}
