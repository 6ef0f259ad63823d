package prove

// The proof as text: a column of the matrix for each fault, a row for each requirement, and the score.

import (
	"fmt"
	"io"
	"strings"
	"time"

	"msc4014/report"
)

// Write writes the proof as text for users; file is the path of the complete proof.
func (p *Proof) Write(w io.Writer, style report.Style, file string) error {
	var text page
	line := text.line
	mark := func(good bool) string { return mark(style, good) }
	line("")
	line("The reference without faults")
	for _, one := range p.Honest {
		line("  %s  dialect %-9s checks: %s (%s)", mark(len(one.Problems) == 0), one.Dialect, one.Checks, duration(one.DurationMS))
		if len(one.OtherWords) > 0 {
			line("       these must fail because names differ from the MSC's: %s", strings.Join(one.OtherWords, ", "))
		}
	}
	line("")
	line("Faults, and the requirements that they make fail")
	for _, one := range p.Faults {
		line("  %s  %-31s %s", mark(len(one.Problems) == 0), one.ID, strings.Join(one.Failed, ", "))
	}
	if len(p.Unseen) > 0 {
		line("       faults that no check covers: %s", strings.Join(p.Unseen, ", "))
	}
	p.writeReadings(line, mark)
	line("")
	line("Requirements, their checks, and the faults that make them fail")
	for _, row := range p.Requirements {
		killed, named := 0, 0
		for _, check := range row.Checks {
			switch {
			case len(check.KilledBy) > 0 || len(row.Readings) > 1:
				killed++
			case len(check.NamedBy) > 0:
				named++
			}
		}
		shown := mark(killed+named == len(row.Checks))
		if named > 0 && killed+named == len(row.Checks) {
			shown = "-  "
		}
		line("  %s  %-6s %-42s %d/%d  %s", shown, row.Kind, row.ID, killed, len(row.Checks), row.by())
	}
	text.problems(style, p.Problems)
	line("")
	switch {
	case p.Sample > 1 && p.ChangedSince != "":
		line("  faults tried, one in %d and changed    %s, since %s", p.Sample, p.Score.Tried, p.ChangedSince)
	case p.Sample > 1:
		line("  faults tried, one in %-17d%s", p.Sample, p.Score.Tried)
	case p.ChangedSince != "":
		line("  faults tried, of those that changed   %s, since %s", p.Score.Tried, p.ChangedSince)
	}
	line("  checks that some fault makes fail     %s", p.Score.Checks)
	if len(p.Elsewhere) > 0 {
		line("  checks that need containers           %d, not tried: %s", len(p.Elsewhere), strings.Join(p.Elsewhere, ", "))
	}
	if len(p.FaultsElsewhere) > 0 {
		line("  faults whose checks need containers   %d, not tried: %s", len(p.FaultsElsewhere), strings.Join(p.FaultsElsewhere, ", "))
	}
	line("  requirements with only such checks    %s", p.Score.Requirements)
	line("  faults that break what their row says %s", p.Score.Faults)
	line("  readings that are distinguished       %s, and %d that the reference cannot take", p.Score.Readings, len(p.Untried))
	line("  time                                  %s, %d trials in parallel", duration(p.DurationMS), p.Parallel)
	line("  complete proof                        %s", file)
	_, err := io.WriteString(w, text.String())
	return err
}

// mark returns whether something is as it must be.
func mark(style report.Style, good bool) string {
	if good {
		return style.Good("ok ")
	}
	return style.Bad("NOT")
}

func (p *Proof) writeReadings(line func(string, ...any), mark func(bool) string) {
	if len(p.Readings)+len(p.Untried) == 0 {
		return
	}
	line("")
	line("Readings of open requirements")
	for _, one := range p.Readings {
		line("  %s  %-38s %-28s seen: %s", mark(len(one.Problems) == 0), one.Requirement, one.Reading, strings.Join(one.Seen, ", "))
	}
	for _, one := range p.Untried {
		line("  -    %-38s %-28s the reference cannot take it", one.Requirement, one.Reading)
	}
}

// by returns what proves a row: the faults, each once, or the readings.
func (p Proven) by() string {
	if len(p.Readings) > 0 {
		return strings.Join(p.Readings, ", ")
	}
	seen := map[string]bool{}
	var names []string
	for _, check := range p.Checks {
		for _, id := range check.KilledBy {
			if !seen[id] {
				seen[id] = true
				names = append(names, id)
			}
		}
	}
	return strings.Join(names, ", ")
}

// page is a text that is written line by line.
type page struct{ strings.Builder }

func (p *page) line(format string, arguments ...any) {
	p.WriteString(strings.TrimRight(fmt.Sprintf(format, arguments...), " ") + "\n")
}

// problems writes what is missing, if anything is.
func (p *page) problems(style report.Style, problems []string) {
	if len(problems) == 0 {
		return
	}
	p.line("")
	p.line("%s", style.Bad("Problems"))
	for _, problem := range problems {
		p.line("  %s", shortened(problem))
	}
}

// problemShown is the number of characters of a problem that the terminal shows.
const problemShown = 500

func shortened(text string) string {
	text = oneLine(text)
	if runes := []rune(text); len(runes) > problemShown {
		return string(runes[:problemShown]) + "..."
	}
	return text
}

func duration(milliseconds int64) string {
	return (time.Duration(milliseconds) * time.Millisecond).Round(100 * time.Millisecond).String()
}
