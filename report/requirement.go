package report

// What a requirement came to, from its checks, what the passive monitors found, and what was observed.

import (
	"fmt"

	"msc4014/helpers/verdict"
)

// requirements judges every demand of the catalogue, in its order.
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
			ID: entry.ID, Chapter: entry.Chapter, Kind: entry.Kind, Since: max(entry.Since, 1), Checks: []string{},
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

// counted is a check as it counts for its requirements. That no server died of a part of the checks says nothing about the
// others: a closing check passes in whole runs only.
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
	check.Reason = leftOut + option + ": what it judges is what all checks do to the servers"
	return check
}

// judge gives a demand that a server can fail its verdict and reason. What a monitor found counts like a failed check.
func judge(requirement *Requirement, checks []verdict.CheckResult, findings []verdict.Finding) {
	requirement.Verdict, requirement.Reason = combine(checks)
	if len(findings) == 0 || requirement.Verdict == verdict.Fail {
		return
	}
	requirement.Verdict = verdict.Fail
	requirement.Reason = FindingReason(findings)
}

// FindingReason puts what the monitors found of one requirement into one line; findings must not be empty.
func FindingReason(findings []verdict.Finding) string {
	reason := fmt.Sprintf("seen by the monitors during %q: %s", findings[0].Check, findings[0].Detail)
	if more := len(findings) - 1; more > 0 {
		reason += fmt.Sprintf(" (and %d more)", more)
	}
	return reason
}

// judgeOpen says what became of an open question: pass means that a reading was seen. A check may fail for another of
// its requirements before it could look; that is no fail here.
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
		requirement.Verdict, requirement.Reason = verdict.Inconclusive, "its checks noted no reading"
	default:
		requirement.Verdict, requirement.Reason = combined, reason
	}
}

// combine returns the verdict of all checks together and the reason of the first that decided it.
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
