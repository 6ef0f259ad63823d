package prove

// One trial of a mutant: the whole suite, until the first difference from the reference without a mutant.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"msc4014/cmd/internal/variant"
	"msc4014/faults/mutation"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/reference/pdu"
	"msc4014/report"
	"msc4014/requirements"
)

// mutantDialect is the dialect of all trials. The packages that are changed are the same in both; only names differ.
const mutantDialect = pdu.DialectMSC4014

// mutantTime bounds the trial of one mutant, which may make every check wait for its deadline.
const mutantTime = 20 * time.Minute

var (
	errDiffers = errors.New("the first difference was seen")
	errTooLong = fmt.Errorf("it did not end within %s", mutantTime)
)

// wanted is the plan of a trial with a mutant on, or none if number is 0.
func (m *mutating) wanted(number int) plan.Plan {
	artifact := m.program
	artifact.Candidate = "reference with a mutant"
	artifact.Environment = variant.Variant{Dialect: string(mutantDialect)}.Environment()
	if number > 0 {
		artifact.Environment = append(artifact.Environment, mutation.OnVariable+"="+strconv.Itoa(number))
	}
	return plan.Plan{Artifact: artifact}
}

// unmutated runs the suite against the program with all mutants off, which must be as the reference is, and returns the checks that
// ran while a mutant was reached, by the mutant's number (reach.during).
func (m *mutating) unmutated(ctx context.Context, scratch string) (reached map[int][]string, err error) {
	wanted, file := recording(m.wanted(0), scratch)
	var events []verdict.Event
	done, err := m.run(ctx, "unmutated", wanted, func(event verdict.Event, _ func(error)) {
		events = append(events, event)
		m.passOn(event)
	})
	if err != nil {
		return nil, err
	}
	if !done.planned {
		return nil, errors.New(done.results.Incomplete)
	}
	honest := outcome{trial: trial{takes: defaultReadings(mutantDialect), elsewhere: m.elsewhere()}, results: done.results}
	honest.judge()
	if len(honest.problems) > 0 {
		return nil, fmt.Errorf("the suite must pass without a mutant, but does not (results in %s): %s",
			m.shown(filepath.Join(m.results, "unmutated")), strings.Join(honest.problems, "; "))
	}
	m.expects = map[string][]string{}
	for _, requirement := range done.results.Requirements {
		m.expects[requirement.ID] = requirement.Readings
	}
	recorded, err := readReach(file)
	if err != nil {
		return nil, err
	}
	return recorded.during(spans(events)), nil
}

// passOn shows the progress of a run, without its failures: those of a mutant are meant.
func (m *mutating) passOn(event verdict.Event) {
	switch event.Kind {
	case verdict.KindPlan, verdict.KindCheckStart:
		m.progress.Handle(event)
	case verdict.KindCheckDone:
		m.progress.Handle(verdict.Event{Kind: event.Kind, Check: event.Check}) // without a result, so that it gets no line
	}
}

// try tries one mutant until the first difference that counts. A check that failed is final only once its servers have passed a
// health check, which they do at the end of the run. If they do not, the suite needs its whole run to tell which check fails, and
// gets it.
func (m *mutating) try(ctx context.Context, one *mutation.Site) (result Mutant, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, mutantTime, errTooLong)
	defer cancel()
	wanted := m.wanted(m.numbers[one.ID()])
	wanted.First = m.first(one)
	for _, provisional := range []bool{true, false} {
		var done ran
		done, err = m.run(ctx, one.ID(), wanted, func(event verdict.Event, stop func(error)) {
			if m.ends(event, provisional) {
				stop(errDiffers)
			}
		})
		if errors.Is(err, errTooLong) {
			result, err = Mutant{Outcome: NoVerdict, Problem: err.Error()}, nil
			break
		}
		if err != nil {
			return result, err
		}
		if result = m.judge(done); result.Outcome != "" {
			break
		}
	}
	if result.Outcome == "" {
		result = Mutant{Outcome: NoVerdict, Problem: "a check failed, but not for good"}
	}
	result.DurationMS = time.Since(began).Milliseconds()
	return result, err
}

// tryOnly tries one mutant with all checks, without an end at the first difference.
func (m *mutating) tryOnly(ctx context.Context, one *mutation.Site, scratch string) error {
	began := time.Now()
	number := m.numbers[one.ID()]
	wanted, file := recording(m.wanted(number), scratch)
	done, err := m.run(ctx, "run", wanted, func(event verdict.Event, _ func(error)) { m.progress.Handle(event) })
	if err != nil {
		return err
	}
	result := m.judge(done)
	if result.Outcome == Survived {
		recorded, err := readReach(file)
		if err != nil {
			return err
		}
		if len(recorded[number]) == 0 {
			result.Outcome = NotReached
		}
	}
	result.DurationMS = time.Since(began).Milliseconds()
	m.known[one.ID()] = result
	return nil
}

// ends reports whether an event shows a difference that ends a trial: a failure, which may be provisional, a finding, or another
// reading.
func (m *mutating) ends(event verdict.Event, provisional bool) bool {
	switch event.Kind {
	case verdict.KindCheckDone:
		return provisional && event.Result != nil && event.Result.Verdict == verdict.Fail
	case verdict.KindCheckFinal:
		return event.Result != nil && event.Result.Verdict == verdict.Fail
	case verdict.KindFinding:
		return event.Finding != nil && m.kind(event.Finding.Requirement) != requirements.Open
	case verdict.KindObservation:
		return event.Observation != nil && m.isOther(*event.Observation)
	}
	return false
}

// isOther reports whether a reading is not one that the reference takes. That none was seen is not a reading. If the reference was not
// run without a mutant, only the readings that it offers are known.
func (m *mutating) isOther(seen verdict.Observation) bool {
	expected, known := m.expects[seen.ID]
	return known && seen.Reading != verdict.NoneSeen && !slices.Contains(expected, seen.Reading)
}

// judge returns the result of a trial, without an outcome if the run was ended early for nothing.
func (m *mutating) judge(done ran) Mutant {
	results := done.results
	if by := m.difference(results); by != nil {
		return Mutant{Outcome: Noticed, By: by}
	}
	counts := map[verdict.Verdict]int{}
	for _, check := range results.Checks {
		if check.Verdict != verdict.Pass && !slices.Contains(m.elsewhere(), check.Name) {
			counts[check.Verdict]++
		}
	}
	switch unjudged := report.Unjudged(results); {
	case errors.Is(done.stopped, errDiffers):
		return Mutant{}
	case !done.planned && done.cannot != "":
		return Mutant{Outcome: DoesNotStart, Problem: done.cannot}
	case len(unjudged) > 0 && results.Incomplete == "":
		return Mutant{Outcome: DoesNotStart, Problem: strings.Join(unjudged, "; "), Others: counts}
	case results.Incomplete != "":
		return Mutant{Outcome: NoVerdict, Problem: results.Incomplete}
	case results.Counts[verdict.Error] > 0:
		return Mutant{Outcome: NoVerdict, Problem: firstReason(results, verdict.Error), Others: counts}
	}
	return Mutant{Outcome: Survived, Others: counts}
}

// firstReason returns the first check with a verdict, and its reason.
func firstReason(results report.Results, of verdict.Verdict) string {
	for _, check := range results.Checks {
		if check.Verdict == of {
			return fmt.Sprintf("%q is %s", check.Name, described(of, check.Reason))
		}
	}
	return ""
}

// difference returns the first difference from the reference without a mutant that counts: a check that fails, a finding of a
// monitor, another reading, or something that a check does not judge any more.
func (m *mutating) difference(results report.Results) *NoticedBy {
	closing := m.closing()
	var found *NoticedBy
	for _, check := range results.Checks {
		if check.Verdict == verdict.Fail && (found == nil || slices.Contains(closing, found.Check)) {
			found = &NoticedBy{What: report.WhatCheck, Check: check.Name, Words: oneLine(check.Reason)}
		}
	}
	if found != nil {
		return found
	}
	for _, finding := range results.Findings {
		if m.kind(finding.Requirement) != requirements.Open {
			return &NoticedBy{What: report.WhatMonitor, Requirement: finding.Requirement, Check: finding.Check, Words: oneLine(finding.Detail)}
		}
	}
	for _, seen := range results.Observations {
		if m.isOther(seen) {
			return &NoticedBy{
				What: report.WhatObservation, Requirement: seen.ID,
				Words: fmt.Sprintf("reading %s, not %s", seen.Reading, cmp.Or(strings.Join(m.expects[seen.ID], " + "), "none")),
			}
		}
	}
	for _, check := range results.Checks {
		if len(check.NotJudged) > 0 { // of the reference without a mutant, everything is (outcome.judge)
			return &NoticedBy{What: report.WhatCheck, Check: check.Name, Words: "not judged: " + strings.Join(check.NotJudged, "; ")}
		}
	}
	return nil
}
