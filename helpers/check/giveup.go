package check

// Running a check's body on a goroutine of its own, and giving that up when the body does not end with its context.

import (
	"fmt"
	"log/slog"
	"time"

	"msc4014/helpers/verdict"
)

const (
	// usualGrace is how long the body of a check may go on after its context has ended.
	usualGrace = 30 * time.Second
	// tidying is how long the clean-up of a check that was given up is waited for.
	tidying = 5 * time.Second
)

// run calls the body on a goroutine of its own, so that ending the check ends nothing else. A body that does not look at its
// context is given up: what it does from then on counts for nothing.
func (c *C) run() {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer c.runCleanups()
		defer func() {
			if problem := recover(); problem != nil {
				slog.Error("a check panicked", "check", c.check.Name, "problem", problem)
				c.record(verdict.Error, fmt.Sprintf("the check panicked: %v", problem))
			}
		}()
		c.check.Body(c)
		c.mu.Lock()
		c.completed = true
		c.mu.Unlock()
	}()
	if c.overstays(finished) {
		c.giveUp()
		return
	}
	if untimely := c.untimely(); untimely != nil && c.came() == "" {
		// Much in a body passes over a request that got no answer: that it had nothing to say is no pass.
		c.record(verdict.Error, untimely.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.completed && c.outcome.verdict == "" {
		c.note(verdict.Error, "the check ended without a verdict")
	}
}

// came is the verdict so far.
func (c *C) came() verdict.Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcome.verdict
}

// overstays waits until the body has ended, and reports whether it went on for too long after its context had. While a
// deployment is started for it, it waits for the runner and not the other way round.
func (c *C) overstays(finished <-chan struct{}) bool {
	select {
	case <-finished:
		return false
	case <-c.ctx.Done():
	}
	ticker := time.NewTicker(c.runner.options.Grace)
	defer ticker.Stop()
	for {
		select {
		case <-finished:
			return false
		case <-ticker.C:
			if !c.clock.isPaused() {
				return true
			}
		}
	}
}

// giveUp ends the check without its goroutine.
func (c *C) giveUp() {
	c.mu.Lock()
	c.note(verdict.Error, fmt.Sprintf("gave up: the check went on for %s after it should have ended, and did not look at its context", c.runner.options.Grace))
	c.givenUp = true
	c.mu.Unlock()
	tidy := make(chan struct{})
	go func() {
		defer close(tidy)
		c.runCleanups()
	}()
	select {
	case <-tidy:
	case <-time.After(tidying): // it holds what is to be cleaned up
	}
}

func (c *C) runCleanups() {
	for {
		c.mu.Lock()
		last := len(c.cleanups) - 1
		if last < 0 {
			c.mu.Unlock()
			return
		}
		cleanup := c.cleanups[last]
		c.cleanups = c.cleanups[:last]
		c.mu.Unlock()
		cleanup()
	}
}
