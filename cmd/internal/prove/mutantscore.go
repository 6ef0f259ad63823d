package prove

// The results of mutants: mutants.json, from which a later run continues, and the text on the terminal.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"msc4014/faults/mutation"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// MutantsFile is the name of the results in their folder.
const MutantsFile = "mutants.json"

// What the suite must reach, in per cent.
const (
	leastNoticed   = 95 // of the mutants that are not equivalent
	mostEquivalent = 15 // of all
)

// Outcome is what became of a mutant.
type Outcome string

// The outcomes. Only Noticed counts for the suite.
const (
	Noticed    Outcome = "noticed"     // a check failed, a monitor found something, or another reading was seen
	Survived   Outcome = "survived"    // the whole suite ran, and saw no such difference
	NotReached Outcome = "not reached" // no check makes the server execute the changed place, so it was not tried
	// DoesNotStart is a server with which no run can be made, or none that judges anything: exit status 2, not 1.
	DoesNotStart Outcome = "does not start"
	NoVerdict    Outcome = "error" // the suite or the machine failed; the next run tries it again
)

// outcomes are all outcomes, in the order in which they are shown.
var outcomes = []Outcome{Noticed, Survived, NotReached, DoesNotStart, NoVerdict}

// Mutants is mutants.json.
type Mutants struct {
	Schema     int          `json:"schema"`
	Suite      report.Suite `json:"suite"`
	Seed       uint64       `json:"seed"`
	Count      int          `json:"count"`
	Run        string       `json:"run,omitempty"`
	Sources    string       `json:"sources"` // a hash of the suite, the reference and the rules
	Started    time.Time    `json:"started"` // the last run
	DurationMS int64        `json:"duration_ms"`
	Parallel   int          `json:"parallel"`
	Sites      int          `json:"sites"` // places that a rule can change

	Score    MutantScore            `json:"score"`
	Packages map[string]MutantScore `json:"packages"`
	Problems []string               `json:"problems"`
	Mutants  []Mutant               `json:"mutants"`
	// Earlier are results of other mutants with the same sources.
	Earlier []Mutant `json:"earlier,omitempty"`
}

// MutantScore counts mutants. Those that are listed as equivalent are in no other count.
type MutantScore struct {
	Mutants    int             `json:"mutants"`
	Outcomes   map[Outcome]int `json:"outcomes"`
	Equivalent int             `json:"equivalent"`
}

// Mutant is one mutant and what became of it.
type Mutant struct {
	ID       string        `json:"id"`
	File     string        `json:"file"`
	Function string        `json:"function"`
	Line     int           `json:"line"`
	Rule     mutation.Rule `json:"rule"`
	Diff     string        `json:"diff"`

	Outcome Outcome    `json:"outcome,omitempty"` // "" if it was not tried yet
	Reached bool       `json:"reached"`
	By      *NoticedBy `json:"by,omitempty"`
	// Others counts the checks that neither passed nor failed, of a mutant that was not noticed.
	Others  map[verdict.Verdict]int `json:"others,omitempty"`
	Problem string                  `json:"problem,omitempty"` // why it has no other outcome
	// Equivalent is why no answer on the wire differs, for a mutant that is listed as equivalent.
	Equivalent string `json:"equivalent,omitempty"`
	DurationMS int64  `json:"duration_ms,omitempty"`
}

// NoticedBy is the first difference that was seen.
type NoticedBy struct {
	What        string `json:"what"` // check, monitor or observation, as in a comparison with a baseline
	Check       string `json:"check,omitempty"`
	Requirement string `json:"requirement,omitempty"`
	Words       string `json:"words"`
}

func (n *NoticedBy) String() string {
	subject := n.Requirement
	if n.What == report.WhatCheck {
		subject = fmt.Sprintf("%q", n.Check)
	}
	return fmt.Sprintf("%s %s: %s", n.What, subject, n.Words)
}

// weigh sets the mutants, in the order of sites, and what is derived from them.
func (m *Mutants) weigh(sites []*mutation.Site, known map[string]Mutant, equivalent map[string]string) {
	m.Score, m.Packages, m.Problems = MutantScore{Outcomes: map[Outcome]int{}}, map[string]MutantScore{}, []string{}
	m.Mutants, m.Earlier = []Mutant{}, nil
	rest := maps.Clone(known)
	untried := 0
	for _, site := range sites {
		one := known[site.ID()]
		one.ID, one.File, one.Function, one.Line, one.Rule, one.Diff = site.ID(), site.File, site.Function, site.Line, site.Rule, site.Diff()
		one.Equivalent = equivalent[one.ID]
		delete(rest, one.ID)
		m.Mutants = append(m.Mutants, one)
		if one.Outcome == "" {
			untried++
		}
		if one.Equivalent != "" && one.Outcome == Noticed {
			m.Problems = append(m.Problems, fmt.Sprintf("mutant %s is listed as equivalent, but noticed by %s", one.ID, one.By))
		}
		m.Score.count(one)
		below, there := m.Packages[site.Package()]
		if !there {
			below.Outcomes = map[Outcome]int{}
		}
		below.count(one)
		m.Packages[site.Package()] = below
	}
	for _, id := range slices.Sorted(maps.Keys(rest)) {
		m.Earlier = append(m.Earlier, rest[id])
	}
	if untried > 0 { // as in the file of a run that was ended
		m.Problems = append(m.Problems, fmt.Sprintf("%d are not tried yet", untried))
	}
	if m.Score.Outcomes[Noticed]*100 < leastNoticed*m.Score.differing() {
		m.Problems = append(m.Problems, fmt.Sprintf("%s are noticed, fewer than %d %%", m.Score.noticed(), leastNoticed))
	}
	if m.Score.Equivalent*100 > mostEquivalent*m.Score.Mutants {
		m.Problems = append(m.Problems, fmt.Sprintf("%d of %d are listed as equivalent, more than %d %%", m.Score.Equivalent, m.Score.Mutants, mostEquivalent))
	}
}

func (s *MutantScore) count(one Mutant) {
	s.Mutants++
	switch {
	case one.Equivalent != "":
		s.Equivalent++
	case one.Outcome != "":
		s.Outcomes[one.Outcome]++
	}
}

// differing returns how many mutants are not equivalent.
func (s *MutantScore) differing() int { return s.Mutants - s.Equivalent }

// noticed describes the share of mutants that were noticed.
func (s *MutantScore) noticed() string {
	share := 100.0
	if s.differing() > 0 {
		share = 100 * float64(s.Outcomes[Noticed]) / float64(s.differing())
	}
	return fmt.Sprintf("%d of %d that are not equivalent (%.1f %%)", s.Outcomes[Noticed], s.differing(), share)
}

// weigh derives the results from what is known.
func (m *mutating) weigh() {
	m.score.DurationMS = (m.earlier + time.Since(m.score.Started)).Milliseconds()
	m.score.weigh(m.sites, m.known, m.why)
}

// save writes the results into their folder and returns the file's path.
func (m *mutating) save() (string, error) {
	file := filepath.Join(m.results, MutantsFile)
	if err := writeJSON(file, m.score); err != nil {
		return "", fmt.Errorf("cannot write the results of mutants: %w", err)
	}
	return file, nil
}

var mutantID = regexp.MustCompile(`^[0-9a-f]{8}$`)

// resume takes the results of earlier runs with the same sources. It removes those of other sources.
func (m *mutating) resume() error {
	file := filepath.Join(m.results, MutantsFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var before Mutants
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil {
		return fmt.Errorf("cannot continue the results in %s: %w; remove it to start again", file, err)
	}
	all := slices.Concat(before.Mutants, before.Earlier)
	if before.Sources != m.score.Sources {
		m.say("the suite or the reference has changed since these mutants were tried: starting again")
		for _, one := range all {
			if mutantID.MatchString(one.ID) {
				if err := os.RemoveAll(filepath.Join(m.results, one.ID)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, one := range all {
		if one.Outcome != "" && one.Outcome != NoVerdict {
			m.learn(one.ID, one.File, one)
		}
	}
	m.earlier = time.Duration(before.DurationMS) * time.Millisecond
	m.say(fmt.Sprintf("continuing: %d mutants were tried before, with the same sources", len(m.known)))
	return nil
}

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
	var text strings.Builder
	line := func(format string, arguments ...any) {
		text.WriteString(strings.TrimRight(fmt.Sprintf(format, arguments...), " ") + "\n")
	}
	for _, group := range []struct {
		title string
		is    func(Mutant) bool
	}{
		{"Mutants that no check notices", func(one Mutant) bool { return one.Outcome == Survived }},
		{"Mutants that no check reaches", func(one Mutant) bool { return one.Outcome == NotReached }},
		{"Mutants with which the server does not start", func(one Mutant) bool { return one.Outcome == DoesNotStart }},
		{"Mutants without a verdict", func(one Mutant) bool { return one.Outcome == NoVerdict }},
	} {
		title := group.title
		for _, one := range m.Mutants {
			if one.Equivalent != "" || !group.is(one) {
				continue
			}
			if title != "" {
				line("")
				line("%s", style.Bad(title))
				title = ""
			}
			one.write(line)
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
	if len(m.Problems) > 0 {
		line("")
		line("%s", style.Bad("Problems"))
		for _, problem := range m.Problems {
			line("  %s", shortened(problem))
		}
	}
	line("")
	line("  noticed           %s", m.Score.noticed())
	line("  sample            %d of %d places that a rule can change, seed %d", m.Score.Mutants, m.Sites, m.Seed)
	line("  time              %s, %d trials in parallel", duration(m.DurationMS), m.Parallel)
	line("  complete results  %s", file)
	_, err := io.WriteString(w, text.String())
	return err
}

// write writes a mutant that was not noticed.
func (o Mutant) write(line func(string, ...any)) {
	line("  %s  %s:%d, %s: %s", o.ID, o.File, o.Line, o.Function, o.Rule)
	for diff := range strings.Lines(o.Diff) {
		line("            %s", strings.TrimRight(diff, "\n"))
	}
	if o.Problem != "" {
		line("            %s", shortened(o.Problem))
	}
	if len(o.Others) > 0 {
		line("            checks that neither passed nor failed: %s", report.Counts(o.Others))
	}
}

// writeOne writes the result of the only mutant, and returns the exit status.
func (m *mutating) writeOne(w io.Writer, one Mutant) (int, error) {
	var text strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&text, format+"\n", arguments...) }
	line("")
	one.write(line)
	status := StatusUnproven
	switch {
	case one.Outcome == Noticed:
		status = StatusProven
		line("  noticed by %s", one.By)
	case one.Reached:
		line("  %s, though it is reached", one.Outcome)
	default:
		line("  %s: no check reaches it", one.Outcome)
	}
	if one.Equivalent != "" {
		line("  listed as equivalent: %s", one.Equivalent)
	}
	line("  results    %s", m.shown(m.results))
	_, err := io.WriteString(w, text.String())
	return status, err
}
