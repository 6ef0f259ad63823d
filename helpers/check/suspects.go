package check

// Which check killed a server: suspects are judged again alone, then the recorded order is replayed and bisected.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"msc4014/helpers/verdict"
)

// StaysUp is the requirement that a culprit breaks besides its own.
const StaysUp = "resilience/stays-up"

// judgement is the result of the search for culprits.
type judgement struct {
	culprits   []string // "check: cause"
	unsolved   []string // deaths that no check can be blamed for, with what was tried
	outside    []string // servers killed from outside, which did not happen again
	unknown    []string // deployments of which the machine was too slow to tell whether they are dead
	anyHealthy bool     // at least one deployment passed its final health check
}

// judgeSuspects settles every check. Those whose deployments were all healthy at the end keep their verdict. The suspects of a
// death are judged again, each alone on its own deployments; if none of them kills a server alone, the recorded order is
// replayed and bisected.
func (r *Runner) judgeSuspects(ctx context.Context, attempts []*attempt) judgement {
	var sum judgement
	suspects := map[*Check]bool{}
	var deaths []*instance
	for _, each := range r.instances {
		switch {
		case each.err != nil:
		case each.dead:
			deaths = append(deaths, each)
			for _, touching := range each.attempts[each.cleared:] {
				suspects[touching.check] = true
			}
		case each.unknown:
			sum.unknown = append(sum.unknown, each.deployment.ID())
		default:
			sum.anyHealthy = true
		}
	}
	var again []*attempt
	for _, each := range attempts {
		switch {
		case suspects[each.check]:
			again = append(again, each)
		default:
			r.settle(each)
		}
	}
	if ctx.Err() != nil {
		return sum
	}
	alone := map[*Check]*trial{}
	if len(again) > 0 {
		// Checks that were running when the server died are the likeliest; they come first.
		slices.SortStableFunc(again, func(a, b *attempt) int { return boolOrder(b.interrupted) - boolOrder(a.interrupted) })
		r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf("%d checks used a deployment that died; each is judged again alone", len(again))})
		alone = r.judgeAlone(ctx, again)
	}

	for _, death := range deaths {
		r.explain(ctx, death, alone, &sum)
	}
	if ctx.Err() != nil {
		return sum
	}
	for _, each := range again {
		r.settleAgain(each, alone[each.check].attempt)
	}
	return sum
}

// trial is a suspect's attempt on its own deployments.
type trial struct {
	once    sync.Once
	attempt *attempt
	death   *Death      // nil if no deployment of it died
	killed  []string    // the blueprints of those that died
	over    atomic.Bool // it completed without an interruption
}

// judgeAlone judges each suspect on its own deployments, a few at a time.
func (r *Runner) judgeAlone(ctx context.Context, again []*attempt) map[*Check]*trial {
	trials := map[*Check]*trial{}
	var (
		mu      sync.Mutex
		pending sync.WaitGroup
	)
	places := make(chan struct{}, min(r.options.Parallel, 3))
	for _, suspect := range again {
		places <- struct{}{}
		pending.Add(1)
		go func() {
			defer func() { <-places; pending.Done() }()
			done := r.trial(ctx, suspect.check)
			mu.Lock()
			defer mu.Unlock()
			trials[suspect.check] = done
		}()
	}
	pending.Wait()
	return trials
}

// trial judges one check alone, once in a run, and blames it if one of its deployments dies.
func (r *Runner) trial(ctx context.Context, one *Check) *trial {
	found := r.trialOf(one)
	found.once.Do(func() {
		found.attempt, found.death, found.killed = r.try(ctx, one)
		if ctx.Err() != nil {
			return // the interruption may have caused a death
		}
		found.blame(r)
		found.over.Store(true)
	})
	return found
}

// convict records an attempt that killed its own deployment as the trial of its check.
func (r *Runner) convict(done *attempt, death Death) {
	held := r.trialOf(done.check)
	held.once.Do(func() {
		held.attempt, held.death, held.killed = done, &death, []string{done.instances[0].blueprint}
		held.blame(r)
		held.over.Store(true)
	})
}

// trialOf returns the trial of a check.
func (r *Runner) trialOf(one *Check) *trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.trials[one]
	if found == nil {
		found = &trial{}
		r.trials[one] = found
	}
	return found
}

// blame blames the check if its deployment died.
func (t *trial) blame(r *Runner) {
	if t.death != nil {
		r.blame(t.attempt, fmt.Sprintf("the server died: %s", t.death), t.death.LogTail)
	}
}

// try runs one check alone and closes its deployments.
func (r *Runner) try(ctx context.Context, one *Check) (done *attempt, dead *Death, killed []string) {
	done = r.execute(ctx, one, func(ctx context.Context, blueprint string, private bool) (*instance, error) {
		deployment, err := r.options.Deployments.New(ctx, blueprint)
		if err != nil {
			return nil, err
		}
		return r.newInstance(ctx, blueprint, deployment, private), nil
	})
	for _, each := range done.instances {
		if r.close(ctx, each) {
			death := each.deployment.Death()
			dead, killed = &death, append(killed, each.blueprint)
		}
		r.drop(ctx, each) // if closing was interrupted
	}
	return done, dead, killed
}

// explain finds the culprit of a death: a check that causes it alone, or a group found by replay.
func (r *Runner) explain(ctx context.Context, death *instance, alone map[*Check]*trial, sum *judgement) {
	if ctx.Err() != nil {
		return
	}
	found := false
	suspects := map[*Check]*trial{}
	for _, touching := range death.attempts[death.cleared:] {
		tried := alone[touching.check]
		suspects[touching.check] = tried
		if tried != nil && slices.Contains(tried.killed, death.blueprint) {
			found = true
			sum.addCulprit(fmt.Sprintf("%q: %s", touching.check.Name, tried.death.Cause))
			r.emit(verdict.Event{Kind: verdict.KindServerDied, Check: touching.check.Name, Message: tried.death.String()})
		}
	}
	if found {
		return
	}
	cause := death.deployment.Death()
	var order []*Check
	for _, touching := range death.attempts {
		if !slices.Contains(order, touching.check) {
			order = append(order, touching.check)
		}
	}
	group, groupDeath, err := r.replay(ctx, death.blueprint, order, sum)
	if ctx.Err() != nil {
		return // the interruption may have caused a death
	}
	var last *trial // nil if the group ends with a check after which the deployment was healthy
	if len(group) > 0 {
		last = suspects[group[len(group)-1]]
	}
	story := func(what string) string { return withLog(cause.Cause+" "+what, cause.LogTail) }
	switch {
	case last != nil:
		names := names(group)
		r.blame(last.attempt, fmt.Sprintf("the server died when %s ran one after the other: %s", names, groupDeath), groupDeath.LogTail)
		sum.addCulprit(fmt.Sprintf("%s, one after the other: %s", names, groupDeath.Cause))
		r.emit(verdict.Event{Kind: verdict.KindServerDied, Check: last.attempt.check.Name, Message: groupDeath.String()})
	case len(group) > 0:
		sum.unsolved = append(sum.unsolved, story(fmt.Sprintf("on a deployment that %s had used and outlived, and did so again when they were repeated", names(group))))
	case cause.Outside:
		sum.outside = append(sum.outside, cause.Cause)
	case len(order) == 0:
		sum.unsolved = append(sum.unsolved, story("before any check used it"))
	case err != nil:
		sum.unsolved = append(sum.unsolved, story(fmt.Sprintf("on a deployment that %s had used, and they could not be repeated (%v)", names(order), err)))
	default:
		sum.unsolved = append(sum.unsolved, story(fmt.Sprintf("on a deployment that %s had used, and did not when they were repeated", names(order))))
	}
}

// replay runs checks in order on one deployment. If that dies, it looks for the part of the order that kills a deployment: it halves the
// order until neither half does, then leaves out the last check as long as the others do. The error is for an order that could not
// be repeated.
func (r *Runner) replay(ctx context.Context, blueprint string, order []*Check, sum *judgement) ([]*Check, Death, error) {
	if len(order) == 0 {
		return nil, Death{}, nil
	}
	ran, death, err := r.replayOnce(ctx, blueprint, order, sum)
	if death == nil {
		return nil, Death{}, err
	}
	order = ran
	kills := func(part []*Check) bool {
		ran, again, err := r.replayOnce(ctx, blueprint, part, sum)
		if err != nil {
			r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf("a part of a replay could not be repeated: %v", err)})
		}
		if again != nil {
			order, death = ran, again
		}
		return again != nil
	}
	for len(order) > 1 && ctx.Err() == nil {
		half := len(order) / 2
		if !kills(order[:half]) && !kills(order[half:]) && (half == len(order)-1 || !kills(order[:len(order)-1])) {
			break
		}
	}
	return order, *death, nil
}

// replayOnce runs checks in order on one fresh deployment, until it dies, and returns those that ran, and how it died or nil. The death
// of another deployment, which a check uses besides, is unsolved unless the check kills such a one alone.
func (r *Runner) replayOnce(ctx context.Context, blueprint string, order []*Check, sum *judgement) (ran []*Check, death *Death, err error) {
	deployment, err := r.options.Deployments.New(ctx, blueprint)
	if err != nil {
		return nil, nil, fmt.Errorf("deployment %s: %w", blueprint, err)
	}
	replayed := r.newInstance(ctx, blueprint, deployment, false)
	for _, one := range order {
		if isClosed(deployment.Died()) || ctx.Err() != nil {
			break
		}
		ran = append(ran, one)
		done := r.execute(ctx, one, func(ctx context.Context, wanted string, private bool) (*instance, error) {
			if wanted == blueprint && !private {
				return replayed, nil
			}
			return r.begin(ctx, wanted, private)
		})
		for _, each := range done.instances {
			tried := r.tried(one)
			known := tried != nil && slices.Contains(tried.killed, each.blueprint)
			if each != replayed && r.close(ctx, each) && ctx.Err() == nil && !known {
				its := each.deployment.Death()
				sum.unsolved = append(sum.unsolved, withLog(fmt.Sprintf("%s on a deployment of its own when %q was repeated", its.Cause, one.Name), its.LogTail))
			}
		}
	}
	dead := r.close(ctx, replayed)
	r.drop(ctx, replayed) // if closing was interrupted
	if !dead {
		return ran, nil, nil
	}
	its := deployment.Death()
	return ran, &its, nil
}

// blame turns the verdict of an attempt into fail, or, if it died of its positive control, into blocked by StaysUp.
func (r *Runner) blame(culprit *attempt, reason, logTail string) {
	if culprit.result.Verdict == verdict.Fail {
		culprit.result.Details = append(culprit.result.Details, "before that: "+culprit.result.Reason)
	}
	culprit.result.Verdict, culprit.result.BlockedBy = verdict.Fail, ""
	if culprit.controlling && !slices.Contains(culprit.check.Requires, StaysUp) {
		culprit.result.Verdict, culprit.result.BlockedBy = verdict.Blocked, StaysUp
		reason = "before what it judges was tried, with the positive control, " + reason
	}
	culprit.result.Reason = reason
	culprit.result.Died = true
	if line := lastLine(logTail); line != "" && crashIn(logTail) == "" {
		culprit.result.Details = append(culprit.result.Details, "the end of the server's log: "+line)
	}
	r.emit(verdict.Event{Kind: verdict.KindFinding, Finding: &verdict.Finding{
		Requirement: StaysUp, Check: culprit.check.Name, Detail: reason}})
}

// settle reports the result of an attempt as final, once.
func (r *Runner) settle(done *attempt) { done.settled.Do(func() { r.report(done) }) }

// settleAgain settles a check that was judged again: the later attempt counts, and the first result stands beside it.
func (r *Runner) settleAgain(first, again *attempt) {
	if again != first {
		again.first = first
	}
	r.settle(again)
}

// report keeps an attempt's evidence and emits its observations and its result.
func (r *Runner) report(done *attempt) {
	result := r.keep(done, false)
	if done.first != nil {
		before := r.keep(done.first, true)
		result.First = &before
		r.tellDifference(&result, done.first)
	}
	if done.starved && result.Verdict == verdict.Error {
		r.mu.Lock()
		r.starved++
		r.slowest = max(r.slowest, done.slowness)
		r.mu.Unlock()
	}
	for _, each := range done.observed {
		r.emit(verdict.Event{Kind: verdict.KindObservation, Check: result.Name, Observation: &each})
	}
	r.reportStep(result) // before the result: an interrupted run must not have one without the other
	r.emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: result.Name, Result: &result})
}

// keep keeps the evidence of an attempt that needs it, and returns its result.
func (r *Runner) keep(done *attempt, first bool) verdict.CheckResult {
	result := done.result
	if r.options.Keep == nil || done.dropped || !r.needsFiles(done) {
		return result
	}
	log, transcript, err := r.options.Keep(result, first, done.evidence)
	result.Log, result.Transcript = log, transcript
	if err != nil {
		result.Details = append(slices.Clone(result.Details), "keeping the evidence failed: "+err.Error())
	}
	return result
}

// tellDifference adds to the result of a check that was judged again how its first attempt ended, if that was otherwise. A death may
// explain it only if the check was still running, or is to blame for it.
func (r *Runner) tellDifference(result *verdict.CheckResult, first *attempt) {
	before := first.result
	if before.Verdict == result.Verdict && before.BlockedBy == result.BlockedBy {
		return
	}
	when := "its server died before it had ended"
	if !first.interrupted {
		when = "before its server died"
	}
	if !first.interrupted && !result.Died {
		r.emit(verdict.Event{Kind: verdict.KindNote, Check: result.Name, Message: fmt.Sprintf(
			"%q was %s before its server died, and is %s when judged again alone; results.json has both", result.Name, before.Verdict, result.Verdict)})
	}
	line := fmt.Sprintf("the first attempt came to %s (%s)", before.Verdict, when)
	if before.Reason != "" {
		line += ": " + before.Reason
	}
	result.Details = append(slices.Clone(result.Details), line)
}

// judgeClosingChecks emits the results of the closing checks. They pass if every deployment was healthy at the end; otherwise
// the reason lists all deaths.
func (r *Runner) judgeClosingChecks(sum judgement) {
	var fails []string
	for _, each := range []struct {
		what   string
		deaths []string
	}{
		{"killed by ", sum.culprits},
		{"a server died, but no check is to blame: ", sum.unsolved},
		{"died of hostile input after the checks that sent it had ended: ", r.expendables.losses()},
	} {
		if len(each.deaths) > 0 {
			fails = append(fails, each.what+strings.Join(each.deaths, "; "))
		}
	}
	var errors []string
	if len(sum.outside) > 0 {
		errors = append(errors, "a server was killed from outside: "+strings.Join(sum.outside, "; "))
	}
	if len(sum.unknown) > 0 {
		errors = append(errors, "the machine was too slow to tell whether these were healthy at the end: "+strings.Join(sum.unknown, ", "))
	}
	for _, one := range r.options.Checks {
		if !one.Closing {
			continue
		}
		result := verdict.CheckResult{Name: one.Name, Requirements: one.Requires, Path: one.Path, Closing: true, Verdict: verdict.Pass}
		switch {
		case len(fails) > 0:
			result.Verdict, result.Reason = verdict.Fail, strings.Join(append(fails, errors...), ". And ")
		case len(errors) > 0:
			result.Verdict, result.Reason = verdict.Error, strings.Join(errors, ". And ")
		case !sum.anyHealthy:
			result.Verdict, result.Reason = verdict.NotRun, "no other check of this run used a deployment"
		}
		r.emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: one.Name, Result: &result})
	}
}

func (j *judgement) addCulprit(text string) {
	if !slices.Contains(j.culprits, text) {
		j.culprits = append(j.culprits, text)
	}
}

func names(checks []*Check) string {
	quoted := make([]string, len(checks))
	for i, one := range checks {
		quoted[i] = fmt.Sprintf("%q", one.Name)
	}
	return strings.Join(quoted, ", ")
}

// withLog appends the last line of a server's log to the story of its death.
func withLog(story, logTail string) string {
	if line := lastLine(logTail); line != "" {
		return story + ": " + line
	}
	return story
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return condense(lines[len(lines)-1])
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}
