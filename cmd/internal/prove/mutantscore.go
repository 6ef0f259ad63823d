package prove

// The results of mutants: mutants.json, from which a later run continues.

import (
	"encoding/json"
	"errors"
	"fmt"
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

// earlierMutantsFile is the MutantsFile of another run: of other mutants, or with other sources.
const earlierMutantsFile = "mutants-earlier.json"

// mutantsSchema is the version of MutantsFile.
const mutantsSchema = 2

// What the suite must reach, in per cent.
const (
	leastNoticed   = 95 // of the mutants that are not equivalent
	mostEquivalent = 15 // of all
)

// Outcome is what became of a mutant.
type Outcome string

// The outcomes. Only Noticed counts for the suite.
const (
	Noticed    Outcome = "noticed"     // a check failed or judged less, a monitor found something, or another reading was seen
	Survived   Outcome = "survived"    // all checks of the settings that may show it ran, and saw no such difference
	NotReached Outcome = "not reached" // no check makes the server execute the changed place, with any reading, so it was not tried
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
	Seed       uint64       `json:"seed,omitempty"`  // 0 for a single mutant
	Count      int          `json:"count,omitempty"` // 0 for a single mutant
	Run        string       `json:"run,omitempty"`
	Sources    string       `json:"sources"` // a hash of the program, the suite, the reference and the rules
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

	// undecided reports that mutants without a verdict could make up for what is missing, and that nothing else is.
	undecided bool
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
	// With is the reading with which it was seen, as an argument of ./run.sh reference; "" for the default ones.
	With string `json:"with,omitempty"`
}

func (n *NoticedBy) String() string {
	subject := n.Requirement
	if n.What == report.WhatCheck {
		subject = fmt.Sprintf("%q", n.Check)
	}
	text := fmt.Sprintf("%s %s: %s", n.What, subject, n.Words)
	if n.With != "" {
		text += " (" + n.With + ")"
	}
	return text
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
	m.undecided = false
	if noticed := m.Score.Outcomes[Noticed]; !m.Score.suffice(noticed) {
		problem := fmt.Sprintf("%s are noticed, fewer than %d %%", m.Score.noticed(), leastNoticed)
		if m.Score.suffice(noticed + m.Score.Outcomes[NoVerdict]) {
			problem += fmt.Sprintf("; with the %d that have no verdict it may be enough: try them again", m.Score.Outcomes[NoVerdict])
			m.undecided = len(m.Problems) == 0
		}
		m.Problems = append(m.Problems, problem)
	}
	if m.Score.Equivalent*100 > mostEquivalent*m.Score.Mutants {
		m.Problems = append(m.Problems, fmt.Sprintf("%d of %d are listed as equivalent, more than %d %%", m.Score.Equivalent, m.Score.Mutants, mostEquivalent))
		m.undecided = false
	}
}

// status returns the exit status.
func (m *Mutants) status() int {
	switch {
	case len(m.Problems) == 0:
		return StatusProven
	case m.undecided:
		return StatusCannot
	}
	return StatusUnproven
}

// status returns the exit status of a run of this mutant alone.
func (o Mutant) status() int {
	switch o.Outcome {
	case Noticed:
		return StatusProven
	case NoVerdict:
		return StatusCannot
	}
	return StatusUnproven
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

// suffice reports whether it is enough if so many mutants are noticed.
func (s *MutantScore) suffice(noticed int) bool { return noticed*100 >= leastNoticed*s.differing() }

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

// resume takes the results of earlier runs with the same sources. If they are not of the same mutants, it sets their file aside; if they
// are of other sources, it also removes what their trials left.
func (m *mutating) resume() error {
	file := filepath.Join(m.results, MutantsFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var before Mutants
	var form struct{ Schema int }
	if err == nil {
		err = json.Unmarshal(data, &form)
	}
	if err == nil && form.Schema == mutantsSchema {
		err = json.Unmarshal(data, &before)
	}
	if err != nil {
		return fmt.Errorf("cannot continue the results in %s: %w; remove it to start again", file, err)
	}
	all := slices.Concat(before.Mutants, before.Earlier)
	current := before.Sources == m.score.Sources // those of another schema are unknown
	if current && before.Seed == m.score.Seed && before.Run == m.score.Run {
		m.earlier = time.Duration(before.DurationMS) * time.Millisecond
	} else if err := setAside(m.results, MutantsFile, earlierMutantsFile); err != nil {
		return err
	}
	if !current {
		m.say("the suite, the reference or this program has changed since mutants were tried: starting again; the earlier results are in " +
			m.shown(filepath.Join(m.results, earlierMutantsFile)))
		left, err := os.ReadDir(m.results)
		if err != nil {
			return err
		}
		for _, folder := range left {
			if slices.ContainsFunc(all, func(one Mutant) bool { return mutantID.MatchString(one.ID) && strings.HasPrefix(folder.Name(), one.ID) }) {
				if err := os.RemoveAll(filepath.Join(m.results, folder.Name())); err != nil {
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
	m.say(fmt.Sprintf("continuing: %d mutants were tried before, with the same sources", len(m.known)))
	return nil
}
