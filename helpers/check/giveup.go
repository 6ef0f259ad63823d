package check

// Running a check's body on its own goroutine, which is abandoned if it does not return after its context has ended.

import (
	"fmt"
	"log/slog"
	"time"

	"msc4014/helpers/verdict"
)

const (
	// usualGrace is the default of Options.Grace.
	usualGrace = 30 * time.Second
	// cleanupLimit bounds the wait for the clean-up of an abandoned check.
	cleanupLimit = 5 * time.Second
)

// run calls the body on its own goroutine, so that ending the check ends nothing else. A body that ignores its context is
// abandoned: whatever it does from then on is ignored.
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
	if untimely := c.untimely(); untimely != nil && c.verdictSoFar() == "" {
		// Bodies often ignore a request that got no answer: no failure is not a pass then.
		c.record(verdict.Error, untimely.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.completed && c.outcome.verdict == "" {
		c.note(verdict.Error, "the check ended without a verdict")
	}
}

// verdictSoFar returns "" if nothing went wrong so far.
func (c *C) verdictSoFar() verdict.Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcome.verdict
}

// overstays waits until the body has returned, and reports false; or reports true if it is still running Options.Grace after
// its context has ended. Time in which the body waits for a deployment does not count.
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
	c.note(verdict.Error, fmt.Sprintf("gave up: the check went on for %s after it should have ended, and ignored its context", c.runner.options.Grace))
	c.givenUp = true
	hooks := c.onGivenUp
	c.mu.Unlock()
	for _, hook := range hooks {
		hook()
	}
	cleaned := make(chan struct{})
	go func() {
		defer close(cleaned)
		c.runCleanups()
	}()
	select {
	case <-cleaned:
	case <-time.After(cleanupLimit): // the body may hold a lock that the clean-up needs
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
