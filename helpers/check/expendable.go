package check

// Expendable deployments, for checks that try to bring servers down and look for what does it. When one dies, that ends
// no check and makes nobody a suspect: whoever asked for it judges it.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"msc4014/helpers/verdict"
)

// expendables are the deployments of a run that may die.
type expendables struct {
	mu     sync.Mutex
	shared map[string]*expendable // the latest of each blueprint
	all    []*expendable
}

// expendable is one of them, or why there is none.
type expendable struct {
	once       sync.Once
	made       atomic.Bool // what is below may be read
	deployment Deployment
	err        error
}

// Expendable returns a living deployment of a blueprint that may die. It is shared with other checks, which may bring it
// down as well: who finds it dead tries alone, on a fresh one that is the check's own. One that cannot be had ends the
// check with error.
func (c *C) Expendable(blueprint string, fresh bool) Deployment {
	r := c.runner
	r.expendables.mu.Lock()
	found := r.expendables.shared[blueprint]
	if fresh || found == nil || found.gone() {
		found = &expendable{}
		r.expendables.all = append(r.expendables.all, found)
		if !fresh {
			if r.expendables.shared == nil {
				r.expendables.shared = map[string]*expendable{}
			}
			r.expendables.shared[blueprint] = found
		}
	}
	r.expendables.mu.Unlock()
	// It outlives the check that happened to need it first.
	found.once.Do(func() {
		found.deployment, found.err = r.options.Deployments.New(context.WithoutCancel(c.ctx), blueprint)
		found.made.Store(true)
	})
	if found.err != nil {
		c.SuiteError(fmt.Errorf("deployment %s: %w", blueprint, found.err))
	}
	return found.deployment
}

// Discard removes a fresh expendable deployment, and keeps the end of its log as evidence if keepLog says so.
func (c *C) Discard(deployment Deployment, keepLog bool) {
	if keepLog {
		log := DeploymentLog{Deployment: deployment.ID(), Text: deployment.Log(deathLogLines)}
		c.mu.Lock()
		c.outcome.logs = append(c.outcome.logs, log)
		c.mu.Unlock()
	}
	r := c.runner
	r.expendables.mu.Lock()
	r.expendables.all = slices.DeleteFunc(r.expendables.all, func(e *expendable) bool { return e.made.Load() && e.deployment == deployment })
	r.expendables.mu.Unlock()
	r.closeExpendable(context.WithoutCancel(c.ctx), deployment)
}

// gone tells whether it is known not to serve any more. One that is just being made is not.
func (e *expendable) gone() bool {
	return e.made.Load() && (e.err != nil || isClosed(e.deployment.Died()))
}

// closeExpendables removes those that are left, at the end of the run.
func (r *Runner) closeExpendables(ctx context.Context) {
	r.expendables.mu.Lock()
	left := r.expendables.all
	r.expendables.all = nil
	r.expendables.mu.Unlock()
	for _, each := range left {
		if each.made.Load() && each.err == nil && !r.options.KeepServers {
			r.closeExpendable(ctx, each.deployment)
		}
	}
}

// closeExpendable removes a deployment in the background; Wait waits for that.
func (r *Runner) closeExpendable(ctx context.Context, deployment Deployment) {
	r.closing.Go(func() {
		limited, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if err := deployment.Close(limited); err != nil {
			r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf("deployment %s was not removed: %v", deployment.ID(), err)})
		}
	})
}
