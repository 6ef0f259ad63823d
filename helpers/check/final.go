package check

// Which verdicts are final before the run ends, and what an interrupted run keeps.

import (
	"context"
	"slices"
	"time"
)

// usualFinalChecks is the default of Options.FinalChecks.
const usualFinalChecks = 5 * time.Second

// settleIfFinal settles an attempt whose verdict cannot change any more.
func (r *Runner) settleIfFinal(done *attempt) {
	if done.final() {
		r.settle(done)
	}
}

// final reports whether the check ended by itself and every deployment that it used was healthy afterwards.
func (a *attempt) final() bool {
	return !a.cutShort && !slices.ContainsFunc(a.instances, func(each *instance) bool { return !each.outlived(a) })
}

// outlived reports whether the deployment passed a final health check after the attempt had ended.
func (i *instance) outlived(done *attempt) bool {
	i.mu.Lock()
	cleared := slices.Contains(i.attempts[:i.cleared], done)
	i.mu.Unlock()
	if cleared {
		return true
	}
	i.closeMu.Lock()
	defer i.closeMu.Unlock()
	return i.healthy
}

// keepFinal settles, after an interruption, the attempts that are final anyway: those whose deployments pass a final health
// check now, and those that were found to kill a server. Then it removes every deployment.
func (r *Runner) keepFinal(ctx context.Context, attempts []*attempt) {
	limited, cancel := context.WithTimeout(ctx, r.options.FinalChecks)
	defer cancel()
	r.closeInstances(limited)
	// Time may be short: attempts without evidence to write come first.
	slices.SortStableFunc(attempts, func(a, b *attempt) int { return boolOrder(proven(b.result)) - boolOrder(proven(a.result)) })
	for _, each := range attempts {
		if tried := r.tried(each.check); tried != nil && tried.death != nil {
			r.settleAgain(each, tried.attempt)
		} else {
			r.settleIfFinal(each)
		}
	}
	for _, each := range r.instances {
		if each.err == nil {
			r.drop(ctx, each)
		}
	}
}

// tried returns the completed trial of a check, or nil.
func (r *Runner) tried(one *Check) *trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.trials[one]; found != nil && found.over.Load() {
		return found
	}
	return nil
}
