package report

// The entries of a report, and how each compares with the baseline. This is the only place that decides which entries turn a
// run red; the exit status and junit.xml are derived from it.

import (
	"fmt"
	"strings"

	"msc4014/helpers/verdict"
)

// entry is one check, the monitors' findings about one requirement, the differing readings of an open requirement, or
// something that the baseline has and the suite does not.
type entry struct {
	suite   string // a chapter, "monitors", "observations" or "baseline"
	name    string
	millis  int64
	verdict verdict.Verdict // empty for observations, and for what is gone

	kind    string // one word: "worse", "expected", "strict" ...
	message string // the same as a sentence, with the reason
	text    string // further details

	differs bool // from the baseline, which turns the run red
	strict  bool // not a pass, which --strict turns red
}

// The kinds of entry besides those of Difference.
const (
	kindExpected = "expected" // not a pass, as the baseline says
	kindStrict   = "strict"
	kindError    = "error"
	kindPass     = "pass"
)

// key finds an entry in a comparison.
type key struct{ what, name string }

// compared is the comparison by entry.
type compared struct {
	differences map[key]Difference
	expected    map[key]Expected
	file        string
	strict      bool
}

// entriesOf returns the checks and findings of a run, then other differences from the baseline, without what was left out.
func entriesOf(results Results) []entry {
	c := compared{differences: map[key]Difference{}, expected: map[key]Expected{}, strict: results.Strict}
	var order []key
	if results.Baseline != nil {
		c.file = results.Baseline.File
		for _, difference := range append(append([]Difference{}, results.Baseline.Differences...), results.Baseline.New...) {
			at := key{difference.What, difference.Name}
			c.differences[at] = difference
			order = append(order, at)
		}
		for _, expected := range results.Baseline.Expected {
			c.expected[key{expected.What, expected.Name}] = expected
		}
	}
	var entries []entry
	seen := map[key]bool{}
	for _, check := range results.Checks {
		at := key{WhatCheck, check.Name}
		if _, differs := c.differences[at]; LeftOut(check.Verdict, check.Reason) && !differs {
			continue
		}
		seen[at] = true
		one := entry{
			suite: chapterOf(check.Requirements), name: CheckTitle(check.Name, check.Path), millis: check.DurationMS,
			verdict: check.Verdict, text: evidence(check),
		}
		c.place(&one, at, whyNot(check))
		entries = append(entries, one)
	}
	for _, requirement := range results.Requirements {
		findings := findingsOf(results, requirement.ID)
		if requirement.Kind == KindOpen || len(findings) == 0 {
			continue
		}
		at := key{WhatMonitor, requirement.ID}
		seen[at] = true
		var text strings.Builder
		for _, finding := range findings {
			fmt.Fprintf(&text, "%s (during %q)\n", finding.Detail, finding.Check)
		}
		one := entry{suite: "monitors", name: requirement.ID, verdict: verdict.Fail, text: text.String()}
		c.place(&one, at, FindingReason(findings))
		entries = append(entries, one)
	}
	for _, at := range order {
		if seen[at] {
			continue
		}
		one := entry{suite: suiteOf[at.what], name: at.name}
		if c.differences[at].Kind == Gone {
			one.suite = "baseline"
		} else if at.what != WhatObservation {
			one.verdict = verdict.Verdict(c.differences[at].Got)
		}
		c.place(&one, at, c.differences[at].Reason)
		entries = append(entries, one)
	}
	return entries
}

// suiteOf is the suite of a difference that belongs to no check and no finding of the run.
var suiteOf = map[string]string{WhatCheck: "baseline", WhatMonitor: "monitors", WhatObservation: "observations"}

// place sets an entry's kind and message, and whether it turns the run red.
func (c compared) place(one *entry, at key, reason string) {
	difference, differs := c.differences[at]
	expected, isExpected := c.expected[at]
	is := withReason(string(one.verdict), reason)
	one.strict = c.strict && one.verdict != "" && one.verdict != verdict.Pass && one.verdict != verdict.Error
	switch {
	case one.verdict == verdict.Error:
		one.kind, one.message = kindError, reason
	case differs && difference.Kind != New:
		one.kind, one.message, one.differs = string(difference.Kind), described(difference, reason), true
		if c.file == "" {
			one.kind, one.message = string(one.verdict), reason // only a fail can differ
		}
		if difference.ExpectedReason != "" {
			one.text = strings.TrimSuffix("expected: "+difference.ExpectedReason+"\n"+one.text, "\n")
		}
	case one.verdict == verdict.Fail && !differs && !isExpected:
		one.kind, one.message, one.differs = string(verdict.Fail), reason, true // nobody compared it
	case one.strict:
		one.kind, one.message = kindStrict, "--strict requires a pass: "+is
		if isExpected {
			one.message = withReason("--strict requires a pass, whatever the baseline expects: "+string(one.verdict), reason)
		}
	case differs:
		one.kind, one.message = string(New), described(difference, reason)
	case isExpected:
		one.kind, one.message = kindExpected, withReason(string(one.verdict)+", as the baseline expects", expected.Reason)
		if reason != expected.Reason && reason != "" {
			one.text = strings.TrimSuffix("this run: "+reason+"\n"+one.text, "\n")
		}
	default:
		one.kind, one.message = string(one.verdict), is
	}
}

// described returns a sentence that says how an entry differs from the baseline.
func described(difference Difference, reason string) string {
	const update = "; update the baseline (--update-baseline)"
	change := fmt.Sprintf("expected %s, got %s", difference.Expected, difference.Got)
	switch difference.Kind {
	case Worse:
		return withReason("worse than the baseline: "+change, reason)
	case Better:
		return "better than the baseline: " + change + update
	case Gone:
		return "gone: the suite no longer has it" + update
	case New:
		return withReason("new, and not in the baseline: "+difference.Got, reason)
	default:
		return withReason("changed from the baseline: "+change+update, reason)
	}
}

// differsFromFirst reports whether a check that was judged again came to another verdict.
func differsFromFirst(check verdict.CheckResult) bool {
	return check.First != nil && check.First.Verdict != check.Verdict
}

// evidence returns the details of a check that did not pass, or not at first: its requirements, facts, and the paths of log and
// transcript.
func evidence(check verdict.CheckResult) string {
	if check.Verdict == verdict.Pass && !differsFromFirst(check) {
		return ""
	}
	lines := append([]string{"requirements: " + strings.Join(check.Requirements, ", ")}, check.Details...)
	if check.Log != "" {
		lines = append(lines, "log: "+check.Log)
	}
	if check.Transcript != "" {
		lines = append(lines, "transcript: "+check.Transcript)
	}
	return strings.Join(lines, "\n")
}
