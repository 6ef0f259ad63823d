package prove

// The trials: the reference without faults, in both dialects; with each reading of open requirements; and with each fault.
// Every trial runs some checks, and has an expected outcome.

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"

	"msc4014/cmd/internal/variant"
	"msc4014/faults"
	"msc4014/internal/selection"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/requirements"
)

// trial is one run of checks against one variant of the reference.
type trial struct {
	name    string // "fault one-key-a-user"
	folder  string // its results folder, inside that of the proof
	dialect pdu.Dialect
	variant variant.Variant // of the reference
	checks  []string        // that run; if there are none, all do

	fault *faults.Fault // that the reference shows, nil for none
	// fails are the requirements that must fail; no others may.
	fails []string
	// takes are the readings that the report must show, by requirement.
	takes map[string]string
	// mixed says that the reference takes readings that hide what other requirements judge (mayBeUnjudged).
	mixed bool
	// passes are checks that must pass.
	passes []string
	// elsewhere are the checks that need containers: a trial runs plain processes, so it cannot run them.
	elsewhere []string
	// requirement is the open requirement under trial, "" for none.
	requirement string
	// sessions is how many twin sessions are played in place of the usual ones; what comes of them is not judged. 0 for the usual ones.
	sessions int
}

// honest reports whether the trial is of the reference without faults and with its default readings.
func (t trial) honest() bool { return t.fault == nil && t.requirement == "" }

// coverage is the checks of the suite, and the part of them that the proof covers.
type coverage struct {
	registered []selection.Check
	catalogue  *requirements.Catalogue
	selected   selection.Selection
	sample     int             // one in so many faults is tried; 0 means all
	seed       string          // by which they are chosen
	changed    map[string]bool // faults that are tried in addition; nil unless the proof is of what changed
}

// sampled reports whether a fault is among those that are tried.
func (c coverage) sampled(one faults.Fault) bool {
	switch {
	case c.changed[one.ID]:
		return true
	case c.sample == 0:
		return c.changed == nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(c.seed + " " + one.ID)) // never fails, by its documentation
	return hash.Sum32()%uint32(c.sample) == 0
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

// selects reports whether the proof covers a check of a requirement.
func (c coverage) selects(id string) bool {
	return slices.ContainsFunc(c.registered, func(check selection.Check) bool {
		return slices.Contains(check.Requirements, id) && c.selected.Matches(check)
	})
}

// kind returns the kind of a requirement.
func (c coverage) kind(id string) requirements.Kind {
	requirement, _ := c.catalogue.Lookup(id)
	return requirement.Kind
}

// closing returns the checks that every deployment stayed healthy. They run in each trial, to notice a fault that crashes
// the server as a side effect.
func (c coverage) closing() []string {
	var names []string
	for _, check := range c.registered {
		if check.Closing {
			names = append(names, check.Name)
		}
	}
	return names
}

// elsewhere returns the checks that need containers.
func (c coverage) elsewhere() []string {
	var names []string
	for _, check := range c.registered {
		if check.Containers {
			names = append(names, check.Name)
		}
	}
	return names
}

// trials returns all trials of the proof, the longest first; with whole, each fault gets the whole suite. rest are the
// readings that cannot be tried.
func (p *Prover) trials(c coverage, whole bool) (all []trial, rest []Untried, err error) {
	faults, err := p.faultTrials(c)
	if err != nil {
		return nil, nil, err
	}
	readings, rest := readingTrials(c)
	for i := range readings {
		c.besides(&readings[i])
	}
	for _, dialect := range dialects {
		honest := honestTrial(dialect)
		honest.fails, honest.takes = p.otherWords(dialect), defaultReadings(dialect)
		if !c.selected.Whole() {
			for _, check := range c.registered {
				if c.selected.Matches(check) {
					honest.checks = append(honest.checks, check.Name)
				}
			}
			for _, other := range slices.Concat(faults, readings) {
				honest.checks = append(honest.checks, other.checks...)
			}
			slices.Sort(honest.checks)
			if honest.checks = slices.Compact(honest.checks); len(honest.checks) == 0 {
				return nil, nil, fmt.Errorf("--run %q matches no fault, no check and no requirement that has one; ./run.sh list "+
					"shows checks and requirements", c.selected.Pattern)
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

// honestTrial returns a trial of the reference without faults.
func honestTrial(dialect pdu.Dialect) trial {
	return trial{name: "the reference, dialect " + string(dialect), folder: "reference@" + string(dialect), dialect: dialect}
}

// dialects are the dialects of the reference.
var dialects = []pdu.Dialect{pdu.DialectMSC4014, pdu.DialectDendrite}

// deployedSpelling is the fault that only uses the names of the deployed dialect.
const deployedSpelling = "deployed-spelling"

// otherWords returns the requirements that a dialect cannot meet because they judge the names in the MSC: those of
// deployedSpelling.
func (p *Prover) otherWords(dialect pdu.Dialect) []string {
	if dialect == pdu.DialectMSC4014 {
		return nil
	}
	for _, one := range p.Faults {
		if one.ID == deployedSpelling {
			return one.Requirements
		}
	}
	return nil
}

// concerns reports whether a fault is selected for the proof: by its ID, or by a requirement that it breaks.
func (c coverage) concerns(one faults.Fault) bool {
	return c.selected.Whole() || c.selected.Pattern.MatchString(one.ID) || slices.ContainsFunc(one.Requirements, c.selects)
}

// faultTrials returns one trial for each fault with a requirement that has a check, except faults whose checks need
// containers.
func (p *Prover) faultTrials(c coverage) ([]trial, error) {
	var trials []trial
	for _, one := range p.Faults {
		if err := c.catalogue.MustHave(one.Requirements...); err != nil {
			return nil, fmt.Errorf("the row of fault %s: %w", one.ID, err)
		}
		next := trial{
			name: "fault " + one.ID, folder: "fault-" + one.ID, dialect: pdu.DialectMSC4014,
			variant: variant.Variant{Faults: []string{one.ID}}, fault: &one,
		}
		if one.Dialect != "" {
			next.dialect = pdu.Dialect(one.Dialect)
		}
		for _, id := range one.Requirements {
			if c.kind(id) == requirements.Open {
				return nil, fmt.Errorf("the row of fault %s: %s is open, so no server can fail it", one.ID, id)
			}
			if len(c.of(id)) > 0 {
				next.fails = append(next.fails, id)
			}
		}
		if next.checks = c.of(next.fails...); len(next.checks) > 0 && !one.Containers && c.concerns(one) && c.sampled(one) {
			trials = append(trials, next)
		}
	}
	return trials, nil
}

// readingTrials returns one trial for each reading that the reference can take of an open requirement with checks.
func readingTrials(c coverage) (trials []trial, rest []Untried) {
	for _, requirement := range c.catalogue.All() {
		checks := c.of(requirement.ID)
		if requirement.Kind != requirements.Open || len(checks) == 0 || !c.selects(requirement.ID) {
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
				folder: "reading-" + strings.ReplaceAll(requirement.ID, "/", "-") + "-" + slug, dialect: pdu.DialectMSC4014,
				variant: variant.Variant{Readings: []string{requirement.ID + "=" + slug}}, checks: checks,
				requirement: requirement.ID, takes: map[string]string{requirement.ID: slug},
			})
		}
	}
	return trials, rest
}

// beside has checks, by --run, that must pass with a reading of a requirement that is not theirs. A check with another reading as a step or
// a control fails servers for what is open, or judges nothing of them.
var beside = []struct {
	requirement string
	reading     pseudonym.Reading
	checks      string
}{
	{"mapping/delivered-by-third-server", "refused", "^(redaction/|unverified/|invite/signs-only-invites$)"},
	{"mapping/delivered-by-third-server", "send-join-only", "^(redaction/|unverified/|invite/signs-only-invites$)"},
	{"signing/rejects-noncanonical", "key-spelling-accepted", "^(auth/ban-by-key|sender-key/ban-not-evaded)$"},
	{"unverified/requests-stay-home", "leave", "^unverified/"},
}

// besides adds to the trial of a reading the checks that must pass beside those of its requirement. Those of other open requirements must
// see the reading that the reference takes.
func (c coverage) besides(one *trial) {
	one.checks = slices.Clone(one.checks) // the trials of a requirement share them
	taken := pseudonym.DefaultReadings(one.dialect)
	for _, row := range beside {
		if row.requirement != one.requirement || string(row.reading) != one.takes[one.requirement] || taken.Set(row.requirement, row.reading) != nil {
			continue
		}
		matching := selection.Selection{Pattern: regexp.MustCompile(row.checks)}
		for _, check := range c.registered {
			if !matching.Matches(check) || check.Containers || slices.Contains(one.checks, check.Name) {
				continue
			}
			one.checks, one.passes = append(one.checks, check.Name), append(one.passes, check.Name)
			for _, id := range check.Requirements {
				if reading, offered := taken.Get(id); offered {
					one.takes[id] = string(reading)
				}
			}
		}
	}
}

// defaultReadings returns the readings that the reference takes unless it is told otherwise, by requirement.
func defaultReadings(dialect pdu.Dialect) map[string]string {
	taken := map[string]string{}
	defaults := pseudonym.DefaultReadings(dialect)
	for _, offer := range pseudonym.Offers() {
		reading, _ := defaults.Get(offer.Requirement)
		taken[offer.Requirement] = string(reading)
	}
	return taken
}

// offered returns the readings of a requirement that the reference can take.
func offered(id string) []pseudonym.Reading {
	for _, offer := range pseudonym.Offers() {
		if offer.Requirement == id {
			return offer.Readings
		}
	}
	return nil
}
