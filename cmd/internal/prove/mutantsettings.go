package prove

// How the reference is started for trials of mutants: with its default readings, and with each other one, for code that does something
// else then, or that only then is reached.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"msc4014/faults/mutation"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/requirements"
)

// mutantDialect is the dialect of all trials. The packages that are changed are the same in both; only names differ.
const mutantDialect = pdu.DialectMSC4014

// byBase is the requirement whose readings are the base versions of the room version. All checks run with the other one, since every
// redacted event depends on it.
const byBase = "room-version/identifier"

// setting is one way to start the reference, and what the suite sees of it without a mutant.
type setting struct {
	trial // its checks, and the reading that it takes; without a requirement, the default ones

	field   string              // of pseudonym.Readings that it sets
	expects map[string][]string // the readings that are seen, by requirement
	reached map[int][]string    // checks that ran while a mutant was reached, by the mutant's number (reach.during)
}

// settings returns the setting with the default readings, and one with each other reading.
func (m *mutating) settings() (usual *setting, others []*setting) {
	defaults := defaultReadings(mutantDialect)
	usual = &setting{
		trial:   trial{name: "the default readings", dialect: mutantDialect, takes: defaults, elsewhere: m.elsewhere()},
		expects: map[string][]string{},
	}
	for id, reading := range defaults {
		usual.expects[id] = []string{reading}
	}
	all, _ := readingTrials(m.coverage)
	for _, one := range all {
		if one.takes[one.requirement] == defaults[one.requirement] {
			continue
		}
		one.elsewhere = m.elsewhere()
		if one.checks = append(one.checks, m.closing()...); one.requirement == byBase {
			one.checks = nil
		}
		others = append(others, &setting{trial: one, field: fieldOf(one.requirement)})
	}
	return usual, others
}

// fieldOf returns the field of pseudonym.Readings that has the reading of a requirement.
func fieldOf(requirement string) string {
	for _, offer := range pseudonym.Offers() {
		var readings pseudonym.Readings
		if offer.Requirement != requirement || readings.Set(requirement, offer.Readings[0]) != nil {
			continue
		}
		value := reflect.ValueOf(readings)
		for i := range value.NumField() {
			if !value.Field(i).IsZero() {
				return value.Type().Field(i).Name
			}
		}
	}
	return ""
}

// settingsOf returns the settings that reach a mutant and may show it: the usual one first. If that reaches it, those of the others whose
// reading the changed function looks at, and the other base version; otherwise all others that do.
func (m *mutating) settingsOf(one *mutation.Site) (all []*setting) {
	number := m.numbers[one.ID()]
	_, usually := m.usual.reached[number]
	if usually {
		all = append(all, m.usual)
	}
	for _, in := range m.others {
		if _, reached := in.reached[number]; reached && (!usually || in.concerns(one)) {
			all = append(all, in)
		}
	}
	return all
}

// concerns reports whether a mutant that the usual setting reaches may do something else in this one. Code that depends on the base
// version does not look at the reading, so it cannot be told from other code.
func (in *setting) concerns(one *mutation.Site) bool {
	return slices.Contains(one.Readings, in.field) || in.requirement == byBase
}

// folderOf returns the results folder of what is tried in the setting: that of the usual one has the name alone.
func (in *setting) folderOf(name string) string { return strings.TrimSuffix(name+"-"+in.folder, "-") }

// with returns what the setting sets, as an argument of ./run.sh reference.
func (in *setting) with() string { return strings.Join(in.variant.Readings, " ") }

// runs reports whether a check is run in the setting, by plain processes.
func (in *setting) runs(check string) bool {
	return !slices.Contains(in.elsewhere, check) && (len(in.checks) == 0 || slices.Contains(in.checks, check))
}

// wanted is the plan of a trial in a setting with a mutant on, or none if number is 0.
func (m *mutating) wanted(in *setting, number int) plan.Plan {
	artifact := m.program
	artifact.Candidate = "reference with a mutant"
	with := in.variant
	with.Dialect = string(in.dialect)
	artifact.Environment = with.Environment()
	if number > 0 {
		artifact.Environment = append(artifact.Environment, mutation.OnVariable+"="+strconv.Itoa(number))
	}
	return plan.Plan{Artifact: artifact, Run: selection.Exactly(in.checks), Only: len(in.checks) > 0}
}

// learnAll learns what the suite sees in each setting without a mutant.
func (m *mutating) learnAll(ctx context.Context, scratch string) error {
	m.progress.Begin()
	m.progress.Doing("running the suite without a mutant, to learn which mutants are reached")
	if err := m.unmutated(ctx, m.usual, scratch, m.passOn); err != nil {
		return err
	}
	queue := make(chan *setting, len(m.others))
	for _, in := range m.others {
		queue <- in
	}
	close(queue)
	name := func(in *setting) string { return "without a mutant, " + in.name }
	err := inParallel(ctx, m.proving, len(queue), func(context.Context) <-chan *setting { return queue }, name,
		func(ctx context.Context, in *setting) (*verdict.CheckResult, error) {
			err := m.unmutated(ctx, in, scratch, func(verdict.Event) {})
			return &verdict.CheckResult{Name: name(in), Verdict: verdict.Pass}, err
		})
	slices.SortStableFunc(m.others, func(a, b *setting) int { return cmp.Compare(len(a.reached), len(b.reached)) })
	return err
}

// unmutated runs the suite in a setting with all mutants off, and learns what it sees. The reference must be as in a proof.
func (m *mutating) unmutated(ctx context.Context, in *setting, scratch string, show func(verdict.Event)) error {
	folder := in.folderOf("unmutated")
	below := filepath.Join(scratch, folder)
	if err := os.MkdirAll(below, 0o755); err != nil {
		return err
	}
	wanted, file := recording(m.wanted(in, 0), below)
	var events []verdict.Event
	done, err := m.run(ctx, folder, wanted, func(event verdict.Event, _ func(error)) {
		events = append(events, event)
		show(event)
	})
	if err != nil {
		return err
	}
	if !done.planned {
		return errors.New(done.results.Incomplete)
	}
	honest := outcome{trial: in.trial, results: done.results}
	honest.judge()
	if len(honest.problems) > 0 {
		return fmt.Errorf("the suite must pass without a mutant, with %s, but does not (results in %s): %s",
			in.name, m.shown(filepath.Join(m.results, folder)), strings.Join(honest.problems, "; "))
	}
	in.expects = map[string][]string{}
	for _, requirement := range done.results.Requirements {
		in.expects[requirement.ID] = requirement.Readings
	}
	recorded, err := readReach(file)
	if err != nil {
		return err
	}
	in.reached = recorded.during(spans(events))
	return nil
}

// passOn shows the progress of a run, without a line for each result.
func (m *mutating) passOn(event verdict.Event) {
	switch event.Kind {
	case verdict.KindPlan, verdict.KindCheckStart:
		m.progress.Handle(event)
	case verdict.KindCheckDone:
		m.progress.Handle(verdict.Event{Kind: event.Kind, Check: event.Check}) // without a result, so that it gets no line
	}
}

// ends reports whether an event shows a difference that ends a trial: a failure, which may be provisional, a finding, or another
// reading.
func (m *mutating) ends(in *setting, event verdict.Event, provisional bool) bool {
	switch event.Kind {
	case verdict.KindCheckDone:
		return provisional && event.Result != nil && event.Result.Verdict == verdict.Fail
	case verdict.KindCheckFinal:
		return event.Result != nil && event.Result.Verdict == verdict.Fail
	case verdict.KindFinding:
		return event.Finding != nil && m.kind(event.Finding.Requirement) != requirements.Open
	case verdict.KindObservation:
		return event.Observation != nil && in.isOther(*event.Observation)
	}
	return false
}

// isOther reports whether a reading is not one that is seen without a mutant. That none was seen is not a reading. With another reading of
// one requirement, those of others do not count: they were seen in one run, and may depend on time.
func (in *setting) isOther(seen verdict.Observation) bool {
	if in.requirement != "" && seen.ID != in.requirement {
		return false
	}
	expected, known := in.expects[seen.ID]
	return known && seen.Reading != verdict.NoneSeen && !slices.Contains(expected, seen.Reading)
}

// lost returns what a check does not judge because of a mutant. Without one, checks judge everything in the usual setting (outcome.judge);
// what they judge in others may depend on time, as other readings there.
func (in *setting) lost(check verdict.CheckResult) []string {
	if in.requirement != "" {
		return nil
	}
	return check.NotJudged
}
