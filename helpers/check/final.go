package check

// Which verdicts are final before the run is over, and what an interrupted run keeps.

import (
	"context"
	"slices"
	"time"
)

// lastLooks bounds the closing looks of an interrupted run, all of them side by side.
const lastLooks = 5 * time.Second

// settleIfFinal settles an attempt that nothing can change any more.
func (r *Runner) settleIfFinal(done *attempt) {
	if done.final() {
		r.settle(done)
	}
}

// final reports whether the check had ended by itself and every deployment that it stood on was well after that.
func (a *attempt) final() bool {
	return !a.cutShort && !slices.ContainsFunc(a.grounds, func(each *ground) bool { return !each.outlived(a) })
}

// outlived reports whether the deployment passed a closing look after the attempt had ended.
func (g *ground) outlived(done *attempt) bool {
	g.mu.Lock()
	cleared := slices.Contains(g.touched[:g.cleared], done)
	g.mu.Unlock()
	if cleared {
		return true
	}
	g.looking.Lock()
	defer g.looking.Unlock()
	return g.well
}

// keepFinal settles, after an interruption, what is final all the same: attempts whose deployments pass a closing look now,
// and those that were found to bring a server down. Then it removes every deployment.
func (r *Runner) keepFinal(ctx context.Context, attempts []*attempt) {
	limited, cancel := context.WithTimeout(ctx, r.options.LastLooks)
	defer cancel()
	r.closeGrounds(limited)
	// Time may be short: those first that have no evidence to be written.
	slices.SortStableFunc(attempts, func(a, b *attempt) int { return boolOrder(proven(b.result)) - boolOrder(proven(a.result)) })
	for _, each := range attempts {
		if tried := r.tried(each.check); tried != nil && tried.death != nil {
			r.settle(tried.attempt)
		} else {
			r.settleIfFinal(each)
		}
	}
	for _, each := range r.grounds {
		if each.err == nil {
			r.drop(ctx, each)
		}
	}
}

// tried is the trial of a check that came to its end, or nil.
func (r *Runner) tried(one *Check) *trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found := r.trials[one]; found != nil && found.over.Load() {
		return found
	}
	return nil
}
