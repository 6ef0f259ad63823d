package check

// Expendable deployments, for checks that try to bring servers down and look for what does it. When one dies, that ends
// no check and makes nobody a suspect: whoever asked for it judges it.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

// expendables are the deployments of a run that may die, and are not removed yet.
type expendables struct {
	mu   sync.Mutex
	made []Deployment
	idle map[string][]Deployment // those of them that were handed on, by blueprint
}

// Expendable returns a deployment of a blueprint that the check may bring down. The check has it to itself until it hands
// it on (HandOn), discards it (Discard) or ends. It may be one that another check handed on, unless a fresh one is asked
// for; told that it is fresh, the check knows that whatever harm it comes to is its own doing. One that cannot be had ends
// the check with error.
func (c *C) Expendable(blueprint string, onlyFresh bool) (found Deployment, fresh bool) {
	if !c.check.Expends {
		c.SuiteError(errors.New("the check uses up servers and does not say so, by check.Expends()"))
	}
	if !onlyFresh {
		found = c.runner.expendables.take(blueprint)
	}
	if fresh = found == nil; fresh {
		var err error
		if found, err = c.runner.options.Deployments.New(c.ctx, blueprint); err != nil {
			c.SuiteError(fmt.Errorf("deployment %s: %w", blueprint, err))
		}
		c.runner.expendables.add(found)
	}
	c.mu.Lock()
	c.expendables[found] = blueprint
	c.mu.Unlock()
	c.Cleanup(func() { c.Discard(found, false) })
	return found, fresh
}

// HandOn gives an expendable deployment of the check's that came to no harm to the next check that asks for one.
func (c *C) HandOn(deployment Deployment) {
	if blueprint, owned := c.disown(deployment); owned {
		c.runner.expendables.put(blueprint, deployment)
	}
}

// Discard removes an expendable deployment of the check's, and keeps the end of its log as evidence if keepLog says so.
func (c *C) Discard(deployment Deployment, keepLog bool) {
	if _, owned := c.disown(deployment); !owned {
		return
	}
	if keepLog {
		log := DeploymentLog{Deployment: deployment.ID(), Text: deployment.Log(deathLogLines)}
		c.mu.Lock()
		c.outcome.logs = append(c.outcome.logs, log)
		c.mu.Unlock()
	}
	c.runner.expendables.forget(deployment)
	c.runner.closeExpendable(context.WithoutCancel(c.ctx), deployment)
}

// disown says that a deployment is not the check's any more, and whether it was.
func (c *C) disown(deployment Deployment) (blueprint string, owned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	blueprint, owned = c.expendables[deployment]
	delete(c.expendables, deployment)
	return blueprint, owned
}

func (e *expendables) add(deployment Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = append(e.made, deployment)
}

func (e *expendables) forget(deployment Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = slices.DeleteFunc(e.made, func(each Deployment) bool { return each == deployment })
}

func (e *expendables) put(blueprint string, deployment Deployment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.idle == nil {
		e.idle = map[string][]Deployment{}
	}
	e.idle[blueprint] = append(e.idle[blueprint], deployment)
}

// take returns a living deployment that was handed on, or nil.
func (e *expendables) take(blueprint string) Deployment {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, each := range e.idle[blueprint] {
		if !isClosed(each.Died()) {
			e.idle[blueprint] = slices.Delete(e.idle[blueprint], i, i+1)
			return each
		}
	}
	return nil
}

// closeExpendables removes those that are left when no check is under way that may have one.
func (r *Runner) closeExpendables(ctx context.Context) {
	r.expendables.mu.Lock()
	left := r.expendables.made
	r.expendables.made, r.expendables.idle = nil, nil
	r.expendables.mu.Unlock()
	for _, each := range left {
		if !r.options.KeepServers {
			r.closeExpendable(ctx, each)
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
