package prove

// The results of mutants as text on the terminal.

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"msc4014/faults/mutation"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// shown returns the result as a check result for the progress display: pass if it was noticed.
func (o Mutant) shown(name string, rule mutation.Rule) *verdict.CheckResult {
	result := &verdict.CheckResult{Name: name, Verdict: verdict.Pass, DurationMS: o.DurationMS}
	switch o.Outcome {
	case Noticed:
	case NoVerdict:
		result.Verdict, result.Reason = verdict.Error, o.Problem
	default:
		result.Verdict, result.Reason = verdict.Fail, strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", rule, o.Outcome, o.Problem), ": ")
	}
	return result
}

// Write writes the results as text for users; file is the path of the complete ones.
func (m *Mutants) Write(w io.Writer, style report.Style, file string) error {
	var text page
	line := text.line
	for _, group := range []struct {
		outcome Outcome
		title   string
	}{
		{Survived, "Mutants that no check notices"},
		{NotReached, "Mutants that no check reaches"},
		{DoesNotStart, "Mutants with which the server does not start"},
		{NoVerdict, "Mutants without a verdict"},
	} {
		title := group.title
		for _, one := range m.Mutants {
			if one.Equivalent != "" || one.Outcome != group.outcome {
				continue
			}
			if title != "" {
				line("")
				line("%s", style.Bad(title))
				title = ""
			}
			one.write(&text)
		}
	}
	line("")
	line("%-42s %8s %8s %8s %11s %14s %6s %10s", "Mutants", "all", Noticed, Survived, NotReached, DoesNotStart, NoVerdict, "equivalent")
	row := func(name string, score MutantScore) {
		cells := []any{name, score.Mutants}
		for _, outcome := range outcomes {
			cells = append(cells, score.Outcomes[outcome])
		}
		line("  %-40s %8d %8d %8d %11d %14d %6d %10d", append(cells, score.Equivalent)...)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Packages)) {
		row(name, m.Packages[name])
	}
	row("all", m.Score)
	text.problems(style, m.Problems)
	line("")
	line("  noticed           %s", m.Score.noticed())
	line("  sample            %d of %d places that a rule can change, seed %d", m.Score.Mutants, m.Sites, m.Seed)
	line("  time              %s, %d trials in parallel", duration(m.DurationMS), m.Parallel)
	line("  complete results  %s", file)
	_, err := io.WriteString(w, text.String())
	return err
}

// write writes a mutant that was not noticed.
func (o Mutant) write(to *page) {
	to.line("  %s  %s:%d, %s: %s", o.ID, o.File, o.Line, o.Function, o.Rule)
	for diff := range strings.Lines(o.Diff) {
		to.line("            %s", strings.TrimRight(diff, "\n"))
	}
	if o.Problem != "" {
		to.line("            %s", shortened(o.Problem))
	}
	if len(o.Others) > 0 {
		to.line("            checks that neither passed nor failed: %s", report.Counts(o.Others))
	}
}

// writeAlone writes the result of the only mutant; folder has what its trial left.
func (o Mutant) writeAlone(w io.Writer, folder string) error {
	var text page
	text.line("")
	o.write(&text)
	switch o.Outcome {
	case Noticed:
		text.line("  noticed by %s", o.By)
	case Survived:
		text.line("  survived: no check notices it, though it is reached")
	case NotReached:
		text.line("  not reached by any check")
	case DoesNotStart:
		text.line("  does not start: no check can judge the server")
	default:
		text.line("  no verdict: try it again")
	}
	if o.Equivalent != "" {
		text.line("  listed as equivalent: %s", o.Equivalent)
	}
	text.line("  results    %s", folder)
	_, err := io.WriteString(w, text.String())
	return err
}
