package check

// Expendable deployments, for checks that try to crash servers. The death of one ends no check and makes no check a suspect:
// the check that asked for the deployment judges it.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

// expendables are the deployments that checks handed on. One that a check owns is that check's to remove.
type expendables struct {
	mu   sync.Mutex
	idle map[string][]Deployment // by blueprint
	lost []string                // deaths after they were handed on: "deployment d4: hs1 exited with status 2"
}

// Expendable returns a deployment of a blueprint that the check may crash. The check owns it until it hands it on (HandOn),
// discards it (Discard) or ends. Unless onlyFresh, it may be one that another check handed on; if fresh, any damage was done
// by this check. If there is none to be had, the check ends with error.
func (c *C) Expendable(blueprint string, onlyFresh bool) (found Deployment, fresh bool) {
	if !c.check.Expends {
		c.SuiteError(errors.New("the check uses expendable servers, but is not registered with Expends"))
	}
	if !onlyFresh {
		found = c.runner.takeExpendable(context.WithoutCancel(c.ctx), blueprint)
	}
	if fresh = found == nil; fresh {
		var err error
		if found, err = c.runner.options.Deployments.New(c.ctx, blueprint); err != nil {
			c.SuiteError(fmt.Errorf("deployment %s: %w", blueprint, err))
		}
	}
	c.mu.Lock()
	c.expendables[found] = blueprint
	c.mu.Unlock()
	c.Cleanup(func() { c.Discard(found, false) })
	return found, fresh
}

// Survives watches a deployment for Options.Quiet and reports whether it stays alive: a server may die a little after it
// answered.
func (c *C) Survives(deployment Deployment) bool {
	c.runner.watchQuietly(c.ctx, deployment, c.runner.options.Quiet)
	return !isClosed(deployment.Died())
}

// HandOn makes one of the check's expendable deployments, which must be undamaged, available to other checks.
func (c *C) HandOn(deployment Deployment) {
	if blueprint, owned := c.disown(deployment); owned {
		c.runner.expendables.put(blueprint, deployment)
	}
}

// Discard removes one of the check's expendable deployments. With keepLog, the end of its log becomes evidence.
func (c *C) Discard(deployment Deployment, keepLog bool) {
	if _, owned := c.disown(deployment); !owned {
		return
	}
	if keepLog {
		log := logOf(deployment, deathLogLines)
		c.mu.Lock()
		if !c.givenUp {
			c.outcome.logs = append(c.outcome.logs, log)
		}
		c.mu.Unlock()
	}
	c.runner.closeExpendable(context.WithoutCancel(c.ctx), deployment)
}

// disown removes a deployment from those that the check owns, and reports whether it was among them.
func (c *C) disown(deployment Deployment) (blueprint string, owned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	blueprint, owned = c.expendables[deployment]
	delete(c.expendables, deployment)
	return blueprint, owned
}

func (e *expendables) put(blueprint string, deployment Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.idle == nil {
		e.idle = map[string][]Deployment{}
	}
	e.idle[blueprint] = append(e.idle[blueprint], deployment)
}

// takeExpendable returns a deployment that was handed on and is alive, or nil. Those that it finds dead are lost.
func (r *Runner) takeExpendable(ctx context.Context, blueprint string) Deployment {
	e := &r.expendables
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.idle[blueprint]) > 0 {
		found := e.idle[blueprint][0]
		e.idle[blueprint] = e.idle[blueprint][1:]
		if !isClosed(found.Died()) {
			return found
		}
		e.lose(found)
		r.closeExpendable(ctx, found)
	}
	return nil
}

// lose notes a death that no check noticed. The caller holds e.mu.
func (e *expendables) lose(dead Deployment) {
	e.lost = append(e.lost, fmt.Sprintf("deployment %s: %s", dead.ID(), dead.Death().Cause))
}

// losses returns the deaths that no check noticed.
func (e *expendables) losses() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lost)
}

// closeExpendables removes the deployments that were handed on and not taken.
func (r *Runner) closeExpendables(ctx context.Context) {
	e := &r.expendables
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, left := range e.idle {
		for _, each := range left {
			if isClosed(each.Died()) {
				e.lose(each)
			}
			if !r.options.KeepServers {
				r.closeExpendable(ctx, each)
			}
		}
	}
	e.idle = nil
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
