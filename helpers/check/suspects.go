package check

// Who brought a server down: suspects are judged again alone, and the recorded order is replayed and halved.

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

// judgement is what the search for culprits came to.
type judgement struct {
	culprits   []string // "check: cause"
	unsolved   []string // deaths that no check can be blamed for, and what was tried
	outside    []string // ends by a signal from outside that did not happen again
	untold     []string // deployments of which the machine was too slow to tell how they ended
	anyHealthy bool     // at least one deployment passed its closing health check
}

// judgeSuspects settles every check: those whose deployments all ended in health keep their verdict; suspects of a
// death are judged again, each alone on deployments of its own; if none of a dead deployment's suspects brings it
// down alone, the recorded order is replayed and cut in halves. A death without suspects is no less a death.
func (r *Runner) judgeSuspects(ctx context.Context, attempts []*attempt) judgement {
	var sum judgement
	suspects := map[*Check]bool{}
	var deaths []*ground
	for _, each := range r.grounds {
		switch {
		case each.err != nil:
		case each.dead:
			deaths = append(deaths, each)
			for _, touching := range each.touched[each.cleared:] {
				suspects[touching.check] = true
			}
		case each.untold:
			sum.untold = append(sum.untold, each.deployment.ID())
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
		// Those that were under way when the server died are the likeliest; they come first.
		slices.SortStableFunc(again, func(a, b *attempt) int { return boolOrder(b.interrupted) - boolOrder(a.interrupted) })
		r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf("%d checks touched a deployment that died; each is judged again alone", len(again))})
		alone = r.judgeAlone(ctx, again)
	}

	for _, death := range deaths {
		r.explain(ctx, death, alone, &sum)
	}
	if ctx.Err() != nil {
		return sum
	}
	for _, each := range again {
		r.settle(alone[each.check].attempt)
	}
	return sum
}

// trial is a suspect's attempt on deployments of its own.
type trial struct {
	once    sync.Once
	attempt *attempt
	death   *Death      // set when a deployment of it died
	over    atomic.Bool // it came to its end, without an interruption
}

// judgeAlone judges each suspect on deployments of its own, a few side by side.
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

// trial judges one check alone, once in a run, and blames it if a deployment of it dies again.
func (r *Runner) trial(ctx context.Context, one *Check) *trial {
	found := r.trialOf(one)
	found.once.Do(func() {
		found.attempt, found.death = r.try(ctx, one)
		if ctx.Err() != nil {
			return // what died may have died of the interruption
		}
		found.blame(r)
		found.over.Store(true)
	})
	return found
}

// convict takes an attempt during which its own deployment died for the trial.
func (r *Runner) convict(done *attempt, death Death) {
	held := r.trialOf(done.check)
	held.once.Do(func() {
		held.attempt, held.death = done, &death
		held.blame(r)
		held.over.Store(true)
	})
}

// trialOf is the one trial of a check.
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
		r.blame(t.attempt, fmt.Sprintf("the server died: %s", t.death.Cause), t.death.LogTail)
	}
}

// try runs one check alone and gives its deployments their closing look.
func (r *Runner) try(ctx context.Context, one *Check) (*attempt, *Death) {
	done := r.execute(ctx, one, func(ctx context.Context, blueprint string, private bool) (*ground, error) {
		deployment, err := r.options.Deployments.New(ctx, blueprint)
		if err != nil {
			return nil, err
		}
		return r.ground(ctx, blueprint, deployment, private), nil
	})
	var dead *Death
	for _, each := range done.grounds {
		if r.close(ctx, each) {
			death := each.deployment.Death()
			dead = &death
		}
		r.drop(ctx, each) // if its closing look was cut off
	}
	return done, dead
}

// explain finds who brought a deployment down: one that does it alone, or by replay.
func (r *Runner) explain(ctx context.Context, death *ground, alone map[*Check]*trial, sum *judgement) {
	if ctx.Err() != nil {
		return
	}
	found := false
	for _, touching := range death.touched {
		if tried := alone[touching.check]; tried != nil && tried.death != nil {
			found = true
			sum.addCulprit(fmt.Sprintf("%q: %s", touching.check.Name, tried.death.Cause))
			r.emit(verdict.Event{Kind: verdict.KindServerDied, Check: touching.check.Name, Message: tried.death.Cause})
		}
	}
	if found {
		return
	}
	cause := death.deployment.Death()
	var order []*Check
	for _, touching := range death.touched {
		if !slices.Contains(order, touching.check) {
			order = append(order, touching.check)
		}
	}
	group, groupDeath := r.replay(ctx, death.blueprint, order)
	if ctx.Err() != nil {
		return // what died may have died of the interruption
	}
	var last *trial // nil: what brings it down now ends with a check that it outlived
	if len(group) > 0 {
		last = alone[group[len(group)-1]]
	}
	story := func(what string) string { return withLog(cause.Cause+" "+what, cause.LogTail) }
	switch {
	case last != nil:
		names := names(group)
		r.blame(last.attempt, fmt.Sprintf("the server died when %s ran one after the other: %s", names, groupDeath.Cause), groupDeath.LogTail)
		sum.addCulprit(fmt.Sprintf("%s, one after the other: %s", names, groupDeath.Cause))
		r.emit(verdict.Event{Kind: verdict.KindServerDied, Check: last.attempt.check.Name, Message: groupDeath.Cause})
	case len(group) > 0:
		sum.unsolved = append(sum.unsolved, story(fmt.Sprintf("on a deployment that %s had used and outlived, and did so again when they were repeated", names(group))))
	case cause.Outside:
		sum.outside = append(sum.outside, cause.Cause)
	case len(order) == 0:
		sum.unsolved = append(sum.unsolved, story("before any check had used it"))
	default:
		sum.unsolved = append(sum.unsolved, story(fmt.Sprintf("on a deployment that %s had used, and did not when they were repeated", names(order))))
	}
}

// replay runs checks in order on one deployment; if that dies, it halves the order until no half does it.
func (r *Runner) replay(ctx context.Context, blueprint string, order []*Check) ([]*Check, Death) {
	if len(order) == 0 {
		return nil, Death{}
	}
	death := r.replayOnce(ctx, blueprint, order)
	if death == nil {
		return nil, Death{}
	}
	for len(order) > 1 && ctx.Err() == nil {
		half := len(order) / 2
		if again := r.replayOnce(ctx, blueprint, order[:half]); again != nil {
			order, death = order[:half], again
		} else if again := r.replayOnce(ctx, blueprint, order[half:]); again != nil {
			order, death = order[half:], again
		} else {
			break
		}
	}
	return order, *death
}

// replayOnce runs checks in order on one fresh deployment and tells how it died, or nil.
func (r *Runner) replayOnce(ctx context.Context, blueprint string, order []*Check) *Death {
	deployment, err := r.options.Deployments.New(ctx, blueprint)
	if err != nil {
		r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf("replay: deployment %s: %v", blueprint, err)})
		return nil
	}
	stage := r.ground(ctx, blueprint, deployment, false)
	for _, one := range order {
		if isClosed(deployment.Died()) || ctx.Err() != nil {
			break
		}
		done := r.execute(ctx, one, func(ctx context.Context, wanted string, private bool) (*ground, error) {
			if wanted == blueprint && !private {
				return stage, nil
			}
			return r.begin(ctx, wanted, private)
		})
		for _, each := range done.grounds {
			if each != stage {
				r.close(ctx, each)
			}
		}
	}
	dead := r.close(ctx, stage)
	r.drop(ctx, stage) // if its closing look was cut off
	if !dead {
		return nil
	}
	death := deployment.Death()
	return &death
}

// blame makes a check's verdict the fail of a culprit.
func (r *Runner) blame(culprit *attempt, reason, logTail string) {
	if culprit.result.Verdict == verdict.Fail {
		culprit.result.Details = append(culprit.result.Details, "before that: "+culprit.result.Reason)
	}
	culprit.result.Verdict = verdict.Fail
	culprit.result.Reason = reason
	culprit.result.BlockedBy = ""
	if line := lastLine(logTail); line != "" {
		culprit.result.Details = append(culprit.result.Details, "the end of the server's log: "+line)
	}
	r.emit(verdict.Event{Kind: verdict.KindFinding, Finding: &verdict.Finding{
		Requirement: StaysUp, Check: culprit.check.Name, Detail: reason}})
}

// settle tells an attempt's result as the one that counts, once.
func (r *Runner) settle(done *attempt) { done.settled.Do(func() { r.tell(done) }) }

// tell keeps an attempt's evidence and emits its observations and its result.
func (r *Runner) tell(done *attempt) {
	result := done.result
	if done.starved && result.Verdict == verdict.Error {
		r.mu.Lock()
		r.starved++
		r.slowest = max(r.slowest, done.slowness)
		r.mu.Unlock()
	}
	if r.options.Keep != nil && (!proven(result) || r.options.KeepEvidence) {
		log, transcript, err := r.options.Keep(result, done.evidence)
		result.Log, result.Transcript = log, transcript
		if err != nil {
			result.Details = append(result.Details, "evidence was not kept: "+err.Error())
		}
	}
	for _, each := range done.observed {
		r.emit(verdict.Event{Kind: verdict.KindObservation, Check: result.Name, Observation: &each})
	}
	r.emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: result.Name, Result: &result})
}

// judgeClosingChecks gives the closing checks their verdict: every deployment ended in health, or what became of those that
// did not, all of it.
func (r *Runner) judgeClosingChecks(sum judgement) {
	var fails []string
	for _, each := range []struct {
		what   string
		deaths []string
	}{
		{"brought down by ", sum.culprits},
		{"a server died, and no check is to blame: ", sum.unsolved},
		{"died of hostile input after the checks that told it had ended: ", r.expendables.losses()},
	} {
		if len(each.deaths) > 0 {
			fails = append(fails, each.what+strings.Join(each.deaths, "; "))
		}
	}
	var outside []string
	if len(sum.outside) > 0 {
		outside = []string{"a server was killed from outside: " + strings.Join(sum.outside, "; ")}
	}
	for _, one := range r.options.Checks {
		if !one.Closing {
			continue
		}
		result := verdict.CheckResult{Name: one.Name, Requirements: one.Requires, Path: one.Path, Closing: true, Verdict: verdict.Pass}
		switch {
		case len(fails) > 0:
			result.Verdict, result.Reason = verdict.Fail, strings.Join(append(fails, outside...), ". And ")
		case len(outside) > 0:
			result.Verdict, result.Reason = verdict.Error, outside[0]
		case len(sum.untold) > 0:
			result.Verdict, result.Reason = verdict.Error, "the machine was too slow to tell whether these ended in health: "+strings.Join(sum.untold, ", ")
		case !sum.anyHealthy:
			result.Verdict, result.Reason = verdict.NotRun, "no other check of this run stood on a deployment"
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

// withLog adds the last line of a server's log to what is told of its death.
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
