package report

// The baseline comparison in the summary.

import (
	"fmt"
)

// comparison writes how a run compares with its baseline, with one line per difference.
func (s *summary) comparison(results Results) {
	c := results.Baseline
	if c == nil {
		return
	}
	s.line("  baseline       %s", s.baselineText(results))
	if c.File == "" {
		return // only fails can differ, and they are listed above
	}
	news := c.New
	if !s.verbose && len(news) > newShown {
		news = news[:newShown]
	}
	for _, difference := range append(append([]Difference{}, c.Differences...), news...) {
		colour := yellow
		switch difference.Kind {
		case Worse:
			colour = red
		case Better:
			colour = green
		case New:
			colour = dim
		}
		s.line("    %s %s", s.style.paint(colour, fmt.Sprintf("%-12s", difference.Kind)), difference)
	}
	if more := len(c.New) - len(news); more > 0 {
		s.line("    %s %d more, in the report", s.style.paint(dim, fmt.Sprintf("%-12s", New)), more)
	}
}

// newShown is how many results the console shows that a baseline does not have.
const newShown = 5

// worse writes what is worse than the baselines of several candidates once more, at the end, where the logs of CI are read first.
func (s *summary) worse(candidates []Summarised) {
	headed := false
	for _, one := range candidates {
		if one.Results.Baseline == nil {
			continue
		}
		for _, difference := range one.Results.Baseline.Differences {
			if difference.Kind != Worse {
				continue
			}
			if !headed {
				s.line("%s", s.style.paint(bold, "worse than expected"))
				headed = true
			}
			s.line("  %s: %s", oneLine(one.Results.Candidate.Name), s.style.paint(red, oneLine(difference.String())))
			if difference.Reason != "" {
				s.line("    %s", shortened(difference.Reason))
			}
		}
	}
}

// baselineText returns the comparison in one line.
func (s *summary) baselineText(results Results) string {
	c := results.Baseline
	text := baselineWord(results)
	if results.Incomplete != "" {
		text += ", as far as it was judged"
	}
	if c.File != "" {
		text = c.File + ": " + text
	} else {
		text = "none, so no fail is expected: " + text
	}
	if c.Unreviewed > 0 {
		text += fmt.Sprintf("; its reasons that still begin with TODO: %d", c.Unreviewed)
	}
	return text
}

// baselineWord returns the comparison in a few words.
func baselineWord(results Results) string {
	c := results.Baseline
	if c == nil {
		return "not compared"
	}
	if results.Incomplete == "" && len(Unjudged(results)) > 0 && len(c.Differences) == 0 {
		return "not judged"
	}
	if len(c.Differences) == 0 {
		if len(c.New) > 0 {
			return fmt.Sprintf("as expected, %d new", len(c.New))
		}
		return "as expected"
	}
	text := ""
	for _, kind := range []DifferenceKind{Worse, Better, Changed, Gone} {
		count := 0
		for _, difference := range c.Differences {
			if difference.Kind == kind {
				count++
			}
		}
		if count > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", count, kind)
		}
	}
	return text
}

// String describes the difference in one line: what was expected and what was found. The check has the reason.
func (d Difference) String() string {
	text := d.Name
	if d.What != WhatCheck {
		text = d.What + " " + text
	}
	switch {
	case d.Kind == Gone:
		return fmt.Sprintf("%s: the suite no longer has it", text)
	case d.Expected == "":
		text += ": " + d.Got
	default:
		text += fmt.Sprintf(": expected %s, got %s", d.Expected, d.Got)
	}
	return text
}
