package prove

// One trial: the suite's binary runs some checks against the reference; the outcome is compared with the expected one.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/cmd/internal/suitebinary"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/runtime/session"
)

// cleanupTime bounds how long the suite's binary may take to clean up.
const cleanupTime = 60 * time.Second

// outcome is the outcome of a trial.
type outcome struct {
	trial
	results  report.Results
	failed   []string // requirements
	killed   []string // checks that failed, as they must
	problems []string // differences from the expected outcome
}

// try runs one trial. It returns an error if the trial could not be run for a reason other than the reference.
func (p *proving) try(ctx context.Context, one trial, with readied) (done outcome, err error) {
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	if with.err != nil {
		done = outcome{trial: one}
		done.problem("its reference cannot be made: %v", with.err)
		return done, nil
	}
	artifact := with.reference
	one.variant.Dialect = string(one.dialect)
	artifact.Candidate = strings.TrimSpace("reference " + one.variant.Arguments())
	artifact.Environment = append(one.variant.Environment(), with.environment...)
	wanted := plan.Plan{
		Artifact: artifact, Run: selection.Exactly(one.checks), Only: true, Sessions: one.sessions, Unshortened: one.sessions > 0,
	}
	ran, err := p.run(ctx, one.folder, wanted, func(verdict.Event, func(error)) {})
	if err != nil {
		return done, err
	}
	if !ran.planned && one.honest() {
		return done, errors.New(ran.results.Incomplete)
	}
	done = outcome{trial: one, results: ran.results}
	if one.sessions == 0 {
		done.judge()
	}
	return done, nil
}

// ran is how a run of the suite's binary ended.
type ran struct {
	results report.Results
	planned bool   // it got as far as running checks
	cannot  string // why the suite could not make the run, if it said so
	stopped error  // why it was ended early, if it was
}

// run runs the suite's binary with a plan, whose remaining fields it sets, and keeps the results in a folder inside that of the proof.
// handle is called with each event, and with a function that ends the run early. An error means that there are no results, for a reason
// other than the reference.
func (p *proving) run(ctx context.Context, name string, wanted plan.Plan, handle func(event verdict.Event, stop func(error))) (done ran, err error) {
	folder, err := report.OpenFolder(filepath.Join(p.results, name))
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	own, err := session.Open()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, own.Close()) }()

	started := time.Now()
	wanted.Runtime, wanted.Results, wanted.Session = "process", folder.Staging(), own.Dir
	limited, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ending, err := suitebinary.Process{
		Binary: p.binary, Plan: wanted, Lock: own.LockFile(), Kill: p.Kill, CleanupTime: cleanupTime,
		Handle: func(event verdict.Event) { handle(event, stop) },
	}.RunIn(limited, folder)
	if err != nil {
		return done, err
	}
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	run := report.Run{
		Suite: p.Suite, Started: started, Duration: time.Since(started), Registered: p.registered, Incomplete: ending.BrokeOff(limited),
		Candidate: wanted.Candidate(),
	}
	if run.Selection, err = selection.New(wanted.Run, "", false); err != nil {
		return done, err
	}
	done = ran{results: report.Assemble(run, p.Report, ending.Events), planned: ending.Planned(), cannot: ending.Cannot}
	if !ending.Complete {
		done.stopped = context.Cause(limited)
	}
	return done, folder.Keep(done.results)
}

// judge compares the results with the outcome that the trial must have.
func (o *outcome) judge() {
	if o.results.Incomplete != "" {
		o.problem("the run ended early: %s", o.results.Incomplete)
	}
	for _, requirement := range o.results.Requirements {
		if requirement.Verdict == verdict.Fail {
			o.failed = append(o.failed, requirement.ID)
		}
		must := slices.Contains(o.fails, requirement.ID)
		may := must || o.fault != nil && (slices.Contains(o.fault.Requirements, requirement.ID) || o.twinsAlone(requirement.ID))
		reading, takes := o.takes[requirement.ID]
		switch {
		case !may && requirement.Verdict == verdict.Fail:
			o.problem("%s must not fail, but does: %s", requirement.ID, requirement.Reason)
		case !o.ran(requirement):
		case must && requirement.Verdict != verdict.Fail:
			o.problem("%s must fail, but is %s", requirement.ID, described(requirement.Verdict, requirement.Reason))
		case o.mixed && o.mayBeUnjudged(requirement):
		case o.honest() && !must && requirement.Verdict != verdict.Pass && !o.tookContainers(requirement):
			o.problem("%s must pass, but is %s", requirement.ID, described(requirement.Verdict, requirement.Reason))
		case takes && !slices.Equal(requirement.Readings, []string{reading}):
			o.problem("%s: the report must show reading %q, but shows %q %s", requirement.ID, reading, requirement.Readings,
				requirement.Reason)
		}
	}
	for _, check := range o.results.Checks {
		if check.Verdict == verdict.Error {
			o.problem("the check %q must end with a verdict, but is %s", check.Name, described(check.Verdict, check.Reason))
		}
		if o.honest() && len(check.NotJudged) > 0 {
			o.problem("the check %q must judge everything that it covers, but does not judge: %s", check.Name, strings.Join(check.NotJudged, "; "))
		}
		if slices.Contains(o.passes, check.Name) && check.Verdict != verdict.Pass {
			o.problem("the check %q must pass with this reading, too, but is %s", check.Name, described(check.Verdict, check.Reason))
		}
	}
	if o.fault != nil {
		o.judgeKills()
	}
}

// mayBeUnjudged reports whether the readings that the reference takes explain why a requirement has no verdict: it is open, and they
// leave nothing to see of it, or they leave it nothing to judge (unjudged).
func (o *outcome) mayBeUnjudged(of report.Requirement) bool {
	if of.Kind == report.KindOpen {
		return of.Verdict == verdict.Unsupported || of.Verdict == verdict.Inconclusive
	}
	return of.Verdict == verdict.Unsupported && slices.ContainsFunc(o.variant.Readings, func(reading string) bool {
		return slices.Contains(unjudged[reading], of.ID)
	})
}

// twinsAlone reports whether only twin sessions found a requirement broken: they may notice any fault.
func (o *outcome) twinsAlone(requirement string) bool {
	return requirement == likeOrdinaryRooms && !slices.ContainsFunc(o.results.Checks, func(check verdict.CheckResult) bool {
		return check.Verdict == verdict.Fail && slices.Contains(check.Requirements, requirement) && !isTwins(check.Name)
	})
}

// judgeKills compares the checks that failed with those that the fault must make fail. A check that fails for another reason,
// or that has no verdict, proves nothing.
func (o *outcome) judgeKills() {
	if len(o.fault.Kills) == 0 {
		o.problem("it names no check that must fail (kills, in faults/data)")
	}
	for _, kill := range o.fault.Kills {
		at := slices.IndexFunc(o.results.Checks, func(check verdict.CheckResult) bool { return check.Name == kill.Check })
		if at < 0 {
			o.problem("there is no check %q, which must fail", kill.Check)
			continue
		}
		switch check := o.results.Checks[at]; {
		case check.Verdict != verdict.Fail:
			o.problem("the check %q must fail with %q, but is %s", kill.Check, kill.By, described(check.Verdict, check.Reason))
		case !strings.Contains(oneLine(check.Reason), oneLine(kill.By)):
			o.problem("the check %q must fail with %q, but fails with: %s", kill.Check, kill.By, check.Reason)
		default:
			o.killed = append(o.killed, kill.Check)
		}
	}
}

// oneLine returns a text with each sequence of white space replaced by a space.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// ran reports whether any check of a requirement was selected.
func (o *outcome) ran(requirement report.Requirement) bool {
	return len(requirement.Checks) > 0 && !report.LeftOut(requirement.Verdict, requirement.Reason)
}

// tookContainers reports whether a requirement has no verdict because one of its checks needs containers.
func (o *outcome) tookContainers(requirement report.Requirement) bool {
	return requirement.Verdict == verdict.NotRun &&
		slices.ContainsFunc(requirement.Checks, func(name string) bool { return slices.Contains(o.elsewhere, name) })
}

func described(v verdict.Verdict, reason string) string {
	if reason == "" {
		return string(v)
	}
	return fmt.Sprintf("%s: %s", v, reason)
}

func (o *outcome) problem(format string, arguments ...any) {
	o.problems = append(o.problems, fmt.Sprintf(format, arguments...))
}

// shown returns the outcome as a check result for the progress display: pass if there are no problems.
func (o *outcome) shown(took time.Duration) *verdict.CheckResult {
	result := &verdict.CheckResult{Name: o.name, Verdict: verdict.Pass, DurationMS: took.Milliseconds()}
	if len(o.problems) > 0 {
		result.Verdict, result.Reason = verdict.Fail, strings.Join(o.problems, "; ")
	}
	return result
}
