package prove

// What is tried: the reference as it should be, in both dialects; in each reading of what the texts leave open; and with
// each fault. Every trial is a run of some checks, and knows what must come of it.

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/helpers/pseudoid"
	"msc4014/internal/selection"
	"msc4014/reference/choice"
	"msc4014/reference/fault"
	"msc4014/reference/pseudonym"
	"msc4014/requirements"
)

// trial is one run of checks against one kind of reference.
type trial struct {
	name    string // "fault one-key-a-user"
	folder  string // its results, below those of the proof
	dialect pseudoid.Dialect
	choices choice.Choices // of the reference
	checks  []string       // which run; all if there are none

	fault *fault.Fault // that the reference shows, nil for none
	// fails are the requirements that must fail, and no other may.
	fails []string
	// takes are the readings that the ledger must show, by requirement.
	takes map[string]string
	// elsewhere are the checks that take containers: a trial, whose references are plain processes, cannot have them.
	elsewhere []string
	// requirement is the open one that the trial is about, "" for none.
	requirement string
}

// honest reports whether the trial is of the reference as it should be.
func (t trial) honest() bool { return t.fault == nil && t.requirement == "" }

// coverage is the checks of the suite, and which of them the proof is asked for.
type coverage struct {
	registered []selection.Check
	catalogue  *requirements.Catalogue
	asked      selection.Selection
}

// of returns the names of the checks of some requirements.
func (c coverage) of(ids ...string) []string {
	var names []string
	for _, check := range c.registered {
		if slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(check.Requirements, id) }) {
			names = append(names, check.Name)
		}
	}
	return names
}

// askedAbout reports whether the proof is asked for a requirement that has checks, or for a check of it.
func (c coverage) askedAbout(id string) bool {
	return slices.ContainsFunc(c.registered, func(check selection.Check) bool {
		return slices.Contains(check.Requirements, id) && c.asked.Matches(check)
	})
}

// kind returns the kind of a requirement.
func (c coverage) kind(id string) requirements.Kind {
	requirement, _ := c.catalogue.Lookup(id)
	return requirement.Kind
}

// closing are the checks that every deployment stayed healthy. They run in each trial: a server that a fault brings down
// by the way must be seen.
func (c coverage) closing() []string {
	var names []string
	for _, check := range c.registered {
		if check.Closing {
			names = append(names, check.Name)
		}
	}
	return names
}

// elsewhere are the checks that take containers.
func (c coverage) elsewhere() []string {
	var names []string
	for _, check := range c.registered {
		if check.Containers {
			names = append(names, check.Name)
		}
	}
	return names
}

// trials are all that the proof asks for, those that take longest first; whole gives each fault the whole suite. rest are
// the readings that cannot be tried.
func (p *Prover) trials(c coverage, whole bool) (all []trial, rest []Untried, err error) {
	faults, err := p.faultTrials(c)
	if err != nil {
		return nil, nil, err
	}
	readings, rest := readingTrials(c)
	for _, dialect := range dialects {
		honest := trial{
			name: "the reference, dialect " + string(dialect), folder: "reference@" + string(dialect), dialect: dialect,
			fails: p.otherWords(dialect), takes: map[string]string{},
		}
		defaults := pseudonym.DefaultReadings(dialect)
		for _, offer := range pseudonym.Offers() {
			reading, _ := defaults.Get(offer.Requirement)
			honest.takes[offer.Requirement] = string(reading)
		}
		if !c.asked.Whole() {
			for _, check := range c.registered {
				if c.asked.Matches(check) {
					honest.checks = append(honest.checks, check.Name)
				}
			}
			for _, other := range slices.Concat(faults, readings) {
				honest.checks = append(honest.checks, other.checks...)
			}
			slices.Sort(honest.checks)
			if honest.checks = slices.Compact(honest.checks); len(honest.checks) == 0 {
				return nil, nil, fmt.Errorf("--run %q matches no fault, no check and no requirement that has one; ./run.sh list "+
					"shows checks and requirements", c.asked.Pattern)
			}
		}
		all = append(all, honest)
	}
	all = slices.Concat(all, faults, readings)
	for i, one := range all {
		all[i].elsewhere = c.elsewhere()
		if whole && one.fault != nil {
			all[i].checks = nil
		} else if len(one.checks) > 0 {
			all[i].checks = append(one.checks, c.closing()...)
		}
	}
	return all, rest, nil
}

// dialects are those that the reference speaks.
var dialects = []pseudoid.Dialect{pseudoid.DialectMSC4014, pseudoid.DialectDendrite}

// otherWords are the requirements that a dialect cannot meet because they judge the words of the text: those of the fault
// that is nothing but the other words.
func (p *Prover) otherWords(dialect pseudoid.Dialect) []string {
	if dialect == pseudoid.DialectMSC4014 {
		return nil
	}
	for _, one := range p.Faults {
		if one.ID == fault.DeployedSpelling {
			return one.Requirements
		}
	}
	return nil
}

// faultTrials are one for each fault with a requirement that any check judges.
func (p *Prover) faultTrials(c coverage) ([]trial, error) {
	var trials []trial
	for _, one := range p.Faults {
		if err := c.catalogue.MustHave(one.Requirements...); err != nil {
			return nil, fmt.Errorf("the row of fault %s: %w", one.ID, err)
		}
		next := trial{
			name: "fault " + string(one.ID), folder: "fault-" + string(one.ID), dialect: pseudoid.DialectMSC4014,
			choices: choice.Choices{Faults: []string{string(one.ID)}}, fault: &one,
		}
		if one.Dialect != "" {
			next.dialect = pseudoid.Dialect(one.Dialect)
		}
		asked := c.asked.Whole() || c.asked.Pattern.MatchString(string(one.ID))
		for _, id := range one.Requirements {
			if c.kind(id) == requirements.Open {
				return nil, fmt.Errorf("the row of fault %s: %s is open, no server can fail it", one.ID, id)
			}
			if len(c.of(id)) > 0 {
				next.fails = append(next.fails, id)
				asked = asked || c.askedAbout(id)
			}
		}
		if next.checks = c.of(next.fails...); len(next.checks) > 0 && asked {
			trials = append(trials, next)
		}
	}
	return trials, nil
}

// readingTrials are one for each reading of each open requirement with checks, as far as the reference can take it.
func readingTrials(c coverage) (trials []trial, rest []Untried) {
	for _, requirement := range c.catalogue.All() {
		checks := c.of(requirement.ID)
		if requirement.Kind != requirements.Open || len(checks) == 0 || !c.askedAbout(requirement.ID) {
			continue
		}
		offered := offered(requirement.ID)
		for _, slug := range requirement.Slugs() {
			if !slices.Contains(offered, pseudonym.Reading(slug)) {
				rest = append(rest, Untried{requirement.ID, slug})
				continue
			}
			trials = append(trials, trial{
				name:   fmt.Sprintf("reading %s: %s", requirement.ID, slug),
				folder: "reading-" + strings.ReplaceAll(requirement.ID, "/", "-") + "-" + slug, dialect: pseudoid.DialectMSC4014,
				choices: choice.Choices{Readings: []string{requirement.ID + "=" + slug}}, checks: checks,
				requirement: requirement.ID, takes: map[string]string{requirement.ID: slug},
			})
		}
	}
	return trials, rest
}

// offered are the readings of a requirement that the reference can take.
func offered(id string) []pseudonym.Reading {
	for _, offer := range pseudonym.Offers() {
		if offer.Requirement == id {
			return offer.Readings
		}
	}
	return nil
}
