package report

// What a run tells, entry by entry, each with how it compares with the baseline: the one place that decides which entries
// turn a run red. The exit status and junit.xml are made from it.

import (
	"fmt"
	"strings"

	"msc4014/helpers/verdict"
)

// entry is one check, what the monitors found of one requirement, the readings of an open one that differ, or something
// that the baseline has and the suite does not.
type entry struct {
	suite   string // what it is shown under: a chapter, "monitors", "observations" or "baseline"
	name    string
	millis  int64
	verdict verdict.Verdict // empty of observations, and of what is gone

	kind    string // what it is, in a word: "worse", "expected", "strict" ...
	message string // the same in a sentence, with the reason
	text    string // what there is to read besides

	differs bool // from the baseline, which turns the run red
	strict  bool // it is not a pass, which --strict turns red
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

// compared is what the comparison says of each entry.
type compared struct {
	differences map[key]Difference
	expected    map[key]Expected
	file        string
	strict      bool
}

// entriesOf returns everything that a run tells: checks, findings, then other differences from the baseline. What was left
// out is not in it.
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
	told := map[key]bool{}
	for _, check := range results.Checks {
		at := key{WhatCheck, check.Name}
		if _, differs := c.differences[at]; LeftOut(check.Verdict, check.Reason) && !differs {
			continue
		}
		told[at] = true
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
		told[at] = true
		var text strings.Builder
		for _, finding := range findings {
			fmt.Fprintf(&text, "%s (during %q)\n", finding.Detail, finding.Check)
		}
		one := entry{suite: "monitors", name: requirement.ID, verdict: verdict.Fail, text: text.String()}
		c.place(&one, at, FindingReason(findings))
		entries = append(entries, one)
	}
	for _, at := range order {
		if told[at] {
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

// suiteOf is what a difference is shown under that no check and no finding of the run tells.
var suiteOf = map[string]string{WhatCheck: "baseline", WhatMonitor: "monitors", WhatObservation: "observations"}

// place says what an entry is, and whether it turns the run red.
func (c compared) place(one *entry, at key, reason string) {
	difference, differs := c.differences[at]
	expected, isExpected := c.expected[at]
	is := withReason(string(one.verdict), reason)
	one.strict = c.strict && one.verdict != "" && one.verdict != verdict.Pass && one.verdict != verdict.Error
	switch {
	case one.verdict == verdict.Error:
		one.kind, one.message = kindError, reason
	case differs && difference.Kind != New:
		one.kind, one.message, one.differs = string(difference.Kind), told(difference, reason), true
		if c.file == "" {
			one.kind, one.message = string(one.verdict), reason // all that can differ is a fail
		}
		if difference.ExpectedReason != "" {
			one.text = strings.TrimSuffix("expected: "+difference.ExpectedReason+"\n"+one.text, "\n")
		}
	case one.verdict == verdict.Fail && !differs && !isExpected:
		one.kind, one.message, one.differs = string(verdict.Fail), reason, true // nobody compared it
	case one.strict:
		one.kind, one.message = kindStrict, "--strict allows nothing but pass: "+is
		if isExpected {
			one.message = withReason("--strict allows nothing but pass, whatever the baseline expects: "+string(one.verdict), reason)
		}
	case differs:
		one.kind, one.message = string(New), told(difference, reason)
	case isExpected:
		one.kind, one.message = kindExpected, withReason(string(one.verdict)+", as the baseline expects", expected.Reason)
		if reason != expected.Reason && reason != "" {
			one.text = strings.TrimSuffix("this run: "+reason+"\n"+one.text, "\n")
		}
	default:
		one.kind, one.message = string(one.verdict), is
	}
}

// told says in a sentence how an entry differs from the baseline.
func told(difference Difference, reason string) string {
	const update = "; update the baseline (--update-baseline)"
	change := fmt.Sprintf("expected %s, got %s", difference.Expected, difference.Got)
	switch difference.Kind {
	case Worse:
		return withReason("worse than the baseline: "+change, reason)
	case Better:
		return "better than the baseline: " + change + update
	case Gone:
		return "gone: the suite does not have it any more" + update
	case New:
		return withReason("new, which the baseline does not know: "+difference.Got, reason)
	default:
		return withReason("changed from the baseline: "+change+update, reason)
	}
}

// evidence is what there is to read of a check that did not pass: what it judges, facts, and where log and transcript are.
func evidence(check verdict.CheckResult) string {
	if check.Verdict == verdict.Pass {
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
