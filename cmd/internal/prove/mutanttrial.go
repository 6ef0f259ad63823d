package prove

// The trials of one mutant: in a setting that reaches it, until the first difference from the reference without a mutant.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msc4014/faults/mutation"
	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/requirements"
)

// mutantTime bounds the trial of one mutant in one setting, as it may make every check wait for its deadline.
const mutantTime = 20 * time.Minute

var (
	errDiffers = errors.New("the first difference was seen")
	errTooLong = fmt.Errorf("it did not end within %s", mutantTime)
)

// try tries one mutant in the settings that may show it, until it is noticed in one.
func (m *mutating) try(ctx context.Context, one *mutation.Site) (result Mutant, err error) {
	began := time.Now()
	for _, in := range m.settingsOf(one) {
		next, err := m.tryIn(ctx, one, in)
		if err != nil {
			return result, err
		}
		if result.Outcome == "" || next.Outcome != Survived {
			result = next
		}
		if result.Outcome != Survived {
			break
		}
	}
	result.DurationMS = time.Since(began).Milliseconds()
	return result, nil
}

// tryIn tries one mutant in a setting until the first difference that counts. A check that failed is final only once its servers have
// passed a health check, which they do at the end of the run. If they do not, the suite needs its whole run to tell which check fails,
// and gets it.
func (m *mutating) tryIn(ctx context.Context, one *mutation.Site, in *setting) (result Mutant, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, mutantTime, errTooLong)
	defer cancel()
	wanted := m.wanted(in, m.numbers[one.ID()])
	wanted.First = m.first(one, in)
	for _, provisional := range []bool{true, false} {
		done, err := m.run(ctx, in.folderOf(one.ID()), wanted, func(event verdict.Event, stop func(error)) {
			if m.ends(in, event, provisional) {
				stop(errDiffers)
			}
		})
		if errors.Is(err, errTooLong) {
			return Mutant{Outcome: NoVerdict, Problem: err.Error()}, nil
		}
		if err != nil {
			return result, err
		}
		if result = m.judge(in, done); result.Outcome != "" {
			return result, nil
		}
	}
	return Mutant{Outcome: NoVerdict, Problem: "a check failed, but not for good"}, nil
}

// tryOnly tries one mutant with all checks, without an end at the first difference; if that shows none, in the other settings, too.
func (m *mutating) tryOnly(ctx context.Context, one *mutation.Site, scratch string) error {
	began := time.Now()
	number := m.numbers[one.ID()]
	wanted, file := recording(m.wanted(m.usual, number), scratch)
	done, err := m.run(ctx, "run", wanted, func(event verdict.Event, _ func(error)) { m.progress.Handle(event) })
	if err != nil {
		return err
	}
	result := m.judge(m.usual, done)
	if result.Outcome == Survived {
		recorded, err := readReach(file)
		if err != nil {
			return err
		}
		if len(recorded[number]) == 0 {
			result.Outcome = NotReached
		}
		if result, err = m.tryOthers(ctx, one, scratch, result); err != nil {
			return err
		}
	}
	result.DurationMS = time.Since(began).Milliseconds()
	m.known[one.ID()] = result
	return nil
}

// tryOthers tries a mutant, which the usual setting came to a result of, in the other settings that may show it.
func (m *mutating) tryOthers(ctx context.Context, one *mutation.Site, scratch string, usual Mutant) (result Mutant, err error) {
	result = usual
	for _, in := range m.others {
		if usual.Outcome == Survived && !in.concerns(one) {
			continue
		}
		m.progress.Doing("trying " + in.name)
		if err := m.unmutated(ctx, in, scratch, func(verdict.Event) {}); err != nil {
			return result, err
		}
		if _, reached := in.reached[m.numbers[one.ID()]]; !reached {
			continue
		}
		if result, err = m.tryIn(ctx, one, in); err != nil || result.Outcome != Survived {
			return result, err
		}
	}
	return result, nil
}

// judge returns the result of a trial in a setting, without an outcome if the run was ended early for nothing.
func (m *mutating) judge(in *setting, done ran) Mutant {
	results := done.results
	if by := m.difference(in, results); by != nil {
		return Mutant{Outcome: Noticed, By: by}
	}
	counts := map[verdict.Verdict]int{}
	for _, check := range results.Checks {
		if check.Verdict != verdict.Pass && in.runs(check.Name) {
			counts[check.Verdict]++
		}
	}
	switch unjudged := report.Unjudged(results); {
	case errors.Is(done.stopped, errDiffers):
		return Mutant{}
	case !done.planned && done.cannot != "":
		return Mutant{Outcome: DoesNotStart, Problem: done.cannot}
	case results.Incomplete != "":
		return Mutant{Outcome: NoVerdict, Problem: results.Incomplete}
	case results.Counts[verdict.Error] > 0:
		return Mutant{Outcome: NoVerdict, Problem: firstReason(results, verdict.Error), Others: counts}
	case len(unjudged) > 0 && len(in.checks) == 0: // of a few checks, none may have a verdict though the server starts
		return Mutant{Outcome: DoesNotStart, Problem: strings.Join(unjudged, "; "), Others: counts}
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
func (m *mutating) difference(in *setting, results report.Results) *NoticedBy {
	closing := m.closing()
	var found *NoticedBy
	for _, check := range results.Checks {
		if check.Verdict == verdict.Fail && (found == nil || slices.Contains(closing, found.Check)) {
			found = &NoticedBy{What: report.WhatCheck, Check: check.Name, Words: oneLine(check.Reason), With: in.with()}
		}
	}
	if found != nil {
		return found
	}
	for _, finding := range results.Findings {
		if m.kind(finding.Requirement) != requirements.Open {
			return &NoticedBy{
				What: report.WhatMonitor, Requirement: finding.Requirement, Check: finding.Check, Words: oneLine(finding.Detail), With: in.with(),
			}
		}
	}
	for _, seen := range results.Observations {
		if in.isOther(seen) {
			return &NoticedBy{
				What: report.WhatObservation, Requirement: seen.ID, With: in.with(),
				Words: fmt.Sprintf("reading %s, not %s", seen.Reading, cmp.Or(strings.Join(in.expects[seen.ID], " + "), "none")),
			}
		}
	}
	for _, check := range results.Checks {
		if lost := in.lost(check); len(lost) > 0 {
			return &NoticedBy{What: report.WhatCheck, Check: check.Name, Words: "not judged: " + strings.Join(lost, "; "), With: in.with()}
		}
	}
	return nil
}
