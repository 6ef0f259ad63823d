package baseline

// Comparing a run with its baseline, and updating the baseline from a run.

import (
	"fmt"
	"sort"
	"strings"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// Compare compares results with b, which was read from file. If b is nil, no fail is expected. Only what this run judged is
// compared: not what was left out, what this runtime cannot do, or errors, which turn a run red anyway. What b does not have
// is new and turns nothing red. With the same verdict, another root of what is blocked, or a death in place of a wrong answer, is a
// difference, too.
func Compare(b *Baseline, file string, results report.Results) report.Comparison {
	c := comparing{Comparison: report.Comparison{File: file, Differences: []report.Difference{}}}
	if b == nil {
		b = noFail(results)
	} else {
		c.Unreviewed, c.given = b.Unreviewed(), true
	}
	c.checks(b, results)
	c.monitors(b, results)
	c.observations(b, results)
	return c.Comparison
}

// noFail returns a baseline that expects every failed check to pass, and the actual verdict of all others. What checks judge is not known.
func noFail(results report.Results) *Baseline {
	b := &Baseline{Catalogue: results.MSC.Catalogue, Checks: map[string]Expectation{}, Observations: readings(results)}
	for _, check := range results.Checks {
		expected := Expectation{Verdict: check.Verdict, NotJudged: check.NotJudged}
		if check.Verdict == verdict.Fail {
			expected.Verdict = verdict.Pass
		}
		b.Checks[check.Name] = expected
	}
	return b
}

// comparing is a comparison in progress.
type comparing struct {
	report.Comparison
	given bool // there is a baseline
}

// judged reports whether a check of a run has a verdict to compare. That a part of the checks crashed no server says nothing
// about the others.
func judged(results report.Results, check verdict.CheckResult) bool {
	if check.Closing && check.Verdict == verdict.Pass && !whole(results) {
		return false
	}
	return check.Verdict != verdict.NotRun && check.Verdict != verdict.Error
}

// whole reports whether a run covered everything, so that what is missing from it is gone.
func whole(results report.Results) bool { return results.Selection == nil && results.Incomplete == "" }

func (c *comparing) differ(difference report.Difference) {
	if difference.Kind == report.New {
		c.New = append(c.New, difference)
	} else {
		c.Differences = append(c.Differences, difference)
	}
}

// asExpected records an entry that is not a pass but as the baseline expects, with the baseline's reason.
func (c *comparing) asExpected(what, name string, got verdict.Verdict, expected Expectation) {
	if c.given && got != verdict.Pass {
		c.Expected = append(c.Expected, report.Expected{What: what, Name: name, Verdict: got, Reason: expected.Reason})
	}
}

// checks compares the verdicts of checks in the order of the run, then reports those that are gone.
func (c *comparing) checks(b *Baseline, results report.Results) {
	there := map[string]bool{}
	for _, check := range results.Checks {
		there[check.Name] = true
		if !judged(results, check) {
			continue
		}
		expected, known := b.Checks[verdict.Repeated(check.Name)]
		difference := report.Difference{
			What: report.WhatCheck, Name: check.Name, Got: string(check.Verdict), Reason: check.Reason, ExpectedReason: expected.Reason,
		}
		if !known || expected.Verdict == verdict.NotRun {
			difference.Kind = report.New
			c.differ(difference)
			continue
		}
		c.Compared++
		got := Expectation{Verdict: check.Verdict, BlockedBy: check.BlockedBy, Died: check.Died}
		if b.Format < withManner {
			got.BlockedBy, got.Died = "", false
			check.NotJudged = nil
		}
		switch {
		case expected.expects(got) && expected.isOver(results.Started):
			difference.Kind, difference.Expected, difference.Got = report.Changed, expected.String(), got.manner()+" after that day"
		case expected.expects(got) && expected.unexpected(check) != "":
			difference.Kind, difference.Expected = report.Worse, expected.String()
			difference.Got = got.manner() + ", " + expected.unexpected(check)
		case expected.expects(got):
			c.asExpected(report.WhatCheck, check.Name, check.Verdict, expected)
			continue
		case expected.Verdict == check.Verdict:
			difference.Kind, difference.Expected, difference.Got = directionOfManner(expected, got), expected.manner(), got.manner()
		default:
			difference.Kind, difference.Expected = direction(expected.Verdict, check.Verdict), string(expected.Verdict)
		}
		c.differ(difference)
	}
	if !whole(results) {
		return
	}
	for _, name := range sortedKeys(b.Checks) {
		if !there[name] {
			c.differ(report.Difference{
				Kind: report.Gone, What: report.WhatCheck, Name: name, Expected: string(b.Checks[name].Verdict), ExpectedReason: b.Checks[name].Reason,
			})
		}
	}
}

// direction classifies a change of verdict.
func direction(expected, got verdict.Verdict) report.DifferenceKind {
	switch {
	case got == verdict.Fail || expected == verdict.Pass:
		return report.Worse
	case got == verdict.Pass:
		return report.Better
	default:
		return report.Changed
	}
}

// directionOfManner classifies a change of how a check came to the same verdict: a death is worse than a wrong answer, and no root is
// better or worse than another.
func directionOfManner(expected, got Expectation) report.DifferenceKind {
	switch {
	case got.Died:
		return report.Worse
	case expected.Died:
		return report.Better
	default:
		return report.Changed
	}
}

// monitors compares the passive monitors' findings by requirement. A requirement added to the catalogue after b was created
// is new.
func (c *comparing) monitors(b *Baseline, results report.Results) {
	broken := broken(results)
	for _, requirement := range results.Requirements {
		reason, found := broken[requirement.ID]
		expected := b.Monitors[requirement.ID]
		got, failing := Expectation{Verdict: verdict.Pass}, Expectation{Verdict: verdict.Fail}
		if found {
			got = failing
		}
		mayFail := expected.expects(failing)
		if !mayFail {
			expected.Verdict = verdict.Pass
		}
		difference := report.Difference{
			What: report.WhatMonitor, Name: requirement.ID, Expected: expected.String(), Got: got.manner(), Reason: reason,
			ExpectedReason: expected.Reason,
		}
		switch {
		case !found && !mayFail:
			continue
		case !found && (!whole(results) || results.Counts[verdict.Error] > 0):
			continue // what shows it may not have run
		case !mayFail && requirement.Since > b.Catalogue:
			difference.Kind, difference.Expected = report.New, ""
			c.differ(difference)
			continue
		case expected.expects(got) && expected.isOver(results.Started):
			difference.Kind, difference.Got = report.Changed, got.manner()+" after that day"
			c.differ(difference)
		case expected.expects(got):
			c.asExpected(report.WhatMonitor, requirement.ID, got.Verdict, expected)
		default:
			difference.Kind = direction(expected.Verdict, got.Verdict)
			c.differ(difference)
		}
		c.Compared++
	}
}

// broken returns, in one line each, the monitors' findings about requirements that a server can fail.
func broken(results report.Results) map[string]string {
	open := map[string]bool{}
	for _, requirement := range results.Requirements {
		open[requirement.ID] = requirement.Kind == report.KindOpen
	}
	findings := map[string][]verdict.Finding{}
	for _, finding := range results.Findings {
		if !open[finding.Requirement] {
			findings[finding.Requirement] = append(findings[finding.Requirement], finding)
		}
	}
	reasons := map[string]string{}
	for id, found := range findings {
		reasons[id] = report.FindingReason(found)
	}
	return reasons
}

// observations compares the readings of open requirements. No reading is better or worse than another.
func (c *comparing) observations(b *Baseline, results report.Results) {
	got := readings(results)
	for _, id := range sortedKeys(got) {
		expected, known := b.Observations[id]
		difference := report.Difference{What: report.WhatObservation, Name: id, Got: got[id]}
		switch {
		case !known:
			difference.Kind = report.New
			c.differ(difference)
		case expected != got[id]:
			c.Compared++
			difference.Kind, difference.Expected, difference.Reason = report.Changed, expected, detail(results, id)
			c.differ(difference)
		default:
			c.Compared++
		}
	}
}

// readings returns the reading of each open requirement; several readings are joined by " + ".
func readings(results report.Results) map[string]string {
	all := map[string][]string{}
	for _, observation := range results.Observations {
		all[observation.ID] = append(all[observation.ID], observation.Reading)
	}
	joined := map[string]string{}
	for id, list := range all {
		sort.Strings(list)
		joined[id] = strings.Join(list, " + ")
	}
	return joined
}

// detail returns the first detail of an observation of id.
func detail(results report.Results, id string) string {
	for _, observation := range results.Observations {
		if observation.ID == id && observation.Detail != "" {
			return observation.Detail
		}
	}
	return ""
}

// Update returns b, which may be nil, updated with what results judged. A written reason stays while the verdict, and how the check
// came to it, is the same; otherwise the run's reason replaces it, prefixed with Todo. Update returns an error if results are incomplete or
// have an error, since neither can be expected of a candidate.
func Update(b *Baseline, results report.Results) (*Baseline, error) {
	if results.Incomplete != "" {
		return nil, fmt.Errorf("the baseline was not updated: the run is incomplete (%s)", results.Incomplete)
	}
	updated := &Baseline{
		Candidate: results.Candidate.Name, Catalogue: results.MSC.Catalogue,
		Checks: map[string]Expectation{}, Monitors: map[string]Expectation{}, Observations: map[string]string{},
	}
	if b == nil {
		b = &Baseline{}
	}
	if !whole(results) && b.Catalogue != 0 {
		updated.Catalogue = b.Catalogue // not everything that the new catalogue added was judged
	}
	if whole(results) || b.Format == withManner || judgesAll(b, results) {
		updated.Format = withManner
	}
	there := map[string]bool{}
	for _, check := range results.Checks {
		there[check.Name] = true
		before, known := b.Checks[check.Name]
		switch {
		case check.Verdict == verdict.Error:
			return nil, fmt.Errorf("the baseline was not updated: check %q ended as an error, which cannot be expected: %s",
				check.Name, check.Reason)
		case judged(results, check):
			got := Expectation{Verdict: check.Verdict, BlockedBy: check.BlockedBy, Died: check.Died, Reason: check.Reason}
			if b.Format != withManner { // it tells nothing else, and its reasons stay
				before.BlockedBy, before.Died = got.BlockedBy, got.Died
			}
			before = before.on(results.Started)
			entry := expect(before, got)
			// What a run does not find may still be there: it may take longer, or need another order. It is removed by hand.
			if check.Verdict == verdict.Fail {
				entry.Differences = union(before.Differences, check.Differences)
			}
			entry.NotJudged = union(before.NotJudged, check.NotJudged)
			if updated.Format != withManner {
				entry.BlockedBy, entry.Died = "", false
			}
			updated.Checks[check.Name] = entry
		case known:
			updated.Checks[check.Name] = before
		}
	}
	found := broken(results)
	for id, reason := range found {
		updated.Monitors[id] = expect(b.Monitors[id].on(results.Started), Expectation{Verdict: verdict.Fail, Reason: reason})
	}
	for id, before := range b.Monitors { // what is not found in every run
		if _, again := found[id]; !again && !before.isOver(results.Started) && before.expects(Expectation{Verdict: verdict.Pass}) {
			updated.Monitors[id] = before
		}
	}
	for id, reading := range readings(results) {
		updated.Observations[id] = reading
	}
	if !whole(results) {
		keepOthers(updated.Checks, b.Checks)
		keepOthers(updated.Monitors, b.Monitors)
	}
	keepOthers(updated.Observations, b.Observations)
	if whole(results) {
		forgetGone(updated.Observations, results)
	}
	return updated, nil
}

// judgesAll reports whether results have a verdict of every check of b that fails or is blocked, so that nothing about how is missing:
// a run of a part of the suite, such as that of a pair, may be all that its baseline has.
func judgesAll(b *Baseline, results report.Results) bool {
	has := map[string]bool{}
	for _, check := range results.Checks {
		has[check.Name] = judged(results, check)
	}
	for name, expected := range b.Checks {
		if !has[name] && (expected.Verdict == verdict.Fail || expected.Verdict == verdict.Blocked) {
			return false
		}
	}
	return true
}

// expect returns the entry for what a run got.
func expect(before, got Expectation) Expectation {
	if len(before.Either) > 0 && before.expects(got) {
		return before
	}
	if got.Verdict == verdict.Pass {
		return Expectation{Verdict: got.Verdict}
	}
	if before.manner() == got.manner() && before.Reason != "" && !strings.HasPrefix(before.Reason, Todo) {
		return before
	}
	if got.BlockedBy != "" {
		got.Reason = strings.TrimSuffix("blocked by "+got.BlockedBy+": "+got.Reason, ": ")
	}
	got.Reason = Todo + strings.Join(strings.Fields(got.Reason), " ")
	return got
}

// keepOthers adds the entries of before that updated lacks.
func keepOthers[V any](updated, before map[string]V) {
	for name, entry := range before {
		if _, ok := updated[name]; !ok {
			updated[name] = entry
		}
	}
}

// forgetGone removes the observations of requirements that the suite no longer has.
func forgetGone(observations map[string]string, results report.Results) {
	there := map[string]bool{}
	for _, requirement := range results.Requirements {
		there[requirement.ID] = true
	}
	for id := range observations {
		if !there[id] {
			delete(observations, id)
		}
	}
}

// sortedKeys returns the keys of m, sorted.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
