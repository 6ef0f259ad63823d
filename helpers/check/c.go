package check

// C, what the body of a check is given: its deployments, its deadlines, and the words that make its verdict.

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// C is one check under way. It satisfies testify's TestingT. A failed demand is recorded by Errorf, Fail and their
// kin; what ends the check (FailNow, Blocked, ...) ends only the goroutine that calls it, and must be called on the
// check's own.
type C struct {
	check      *Check
	ctx        context.Context
	runner     *Runner
	recorder   *transcript.Recorder
	sink       transcript.Sink
	lengthened func(limit time.Duration) time.Duration
	deploy     func(blueprint string, private bool) (Deployment, error)
	mu         sync.Mutex
	outcome    outcome
	controls   int
	cleanups   []func()
	completed  bool // the body ran to its end, or ended itself on purpose

	expendables map[Deployment]string // those that the check has to itself, with their blueprints
}

// outcome gathers what a check came to while it runs.
type outcome struct {
	verdict      verdict.Verdict // "" while nothing went wrong
	reasons      []string
	blockedBy    string
	ended        string // the requirement because of which the check ended
	details      []string
	observations []verdict.Observation
	logs         []DeploymentLog
	attached     map[string][]byte
	timedOut     bool // the reason is a deadline that passed
}

// Check is the check that is under way.
func (c *C) Check() *Check { return c.check }

// Context ends when the check must: its time is over, its deployment died, or the run was interrupted.
func (c *C) Context() context.Context { return c.ctx }

// Sink takes the exchanges of the check's clients and peers.
func (c *C) Sink() transcript.Sink { return c.sink }

// Within returns a context that ends after base, lengthened by the measured slowness of the machine.
func (c *C) Within(base time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, c.Lengthened(base))
}

// Deploy returns a deployment of the named blueprint: shared with other checks, or the check's own if private.
// A deployment that cannot be had ends the check with error.
func (c *C) Deploy(blueprint string, private bool) Deployment {
	deployment, err := c.deploy(blueprint, private)
	if err != nil {
		c.SuiteError(fmt.Errorf("deployment %s: %w", blueprint, err))
	}
	return deployment
}

// Deployments is what makes the run's deployments, for what is known without one.
func (c *C) Deployments() Deployments { return c.runner.options.Deployments }

// Cleanup runs f after the body, last added first.
func (c *C) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleanups = append(c.cleanups, f)
}

// record notes an outcome; the first that is not a pass decides the verdict, but a fail is never hidden by another.
func (c *C) record(v verdict.Verdict, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcome.verdict == "" || (v == verdict.Fail && c.outcome.verdict != verdict.Fail) {
		c.outcome.verdict = v
		c.outcome.reasons = nil
	}
	if c.outcome.verdict == v {
		c.outcome.reasons = append(c.outcome.reasons, reason)
	}
}

// end ends the check's own goroutine.
func (c *C) end() {
	c.mu.Lock()
	c.completed = true
	c.mu.Unlock()
	goruntime.Goexit()
}

// Helper is there for testify, which marks its own functions with it.
func (c *C) Helper() {}

// Errorf records that the server broke the demand, and goes on.
func (c *C) Errorf(format string, arguments ...any) {
	c.record(verdict.Fail, condense(fmt.Sprintf(format, arguments...)))
}

// FailNow ends the check; what Errorf recorded stands.
func (c *C) FailNow() {
	c.mu.Lock()
	silent := c.outcome.verdict == ""
	c.mu.Unlock()
	if silent {
		c.record(verdict.Fail, "ended without a reason")
	}
	c.end()
}

// Failf records that the server broke the demand and ends the check.
func (c *C) Failf(format string, arguments ...any) {
	c.Errorf(format, arguments...)
	c.end()
}

// TimedOut records that something demanded did not come before its deadline, and ends the check. Whether that is the
// server's fault depends on the health of its deployment and of the machine.
func (c *C) TimedOut(format string, arguments ...any) {
	c.mu.Lock()
	c.outcome.timedOut = true
	c.mu.Unlock()
	c.Failf(format, arguments...)
}

// Blocked ends the check because a requirement that it builds on failed.
func (c *C) Blocked(by string, format string, arguments ...any) {
	c.mu.Lock()
	c.outcome.ended = by
	c.mu.Unlock()
	if slices.Contains(c.check.Requirements, by) {
		c.Failf(format, arguments...)
	}
	c.record(verdict.Blocked, condense(fmt.Sprintf(format, arguments...)))
	c.mu.Lock()
	c.outcome.blockedBy = by
	c.mu.Unlock()
	c.end()
}

// Need ends the check when err is not nil: failed if the check judges the requirement itself, blocked by it otherwise.
func (c *C) Need(requirement string, err error) {
	if err == nil {
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		c.mu.Lock()
		c.outcome.timedOut = true
		c.mu.Unlock()
	}
	c.Blocked(requirement, "%v", err)
}

// Unsupported ends the check because the server does not have what it needs.
func (c *C) Unsupported(format string, arguments ...any) {
	c.record(verdict.Unsupported, fmt.Sprintf(format, arguments...))
	c.end()
}

// NotRun ends the check because this runtime cannot do it.
func (c *C) NotRun(format string, arguments ...any) {
	c.record(verdict.NotRun, fmt.Sprintf(format, arguments...))
	c.end()
}

// Inconclusive ends the check because its positive control failed.
func (c *C) Inconclusive(format string, arguments ...any) {
	c.record(verdict.Inconclusive, condense(fmt.Sprintf(format, arguments...)))
	c.end()
}

// SuiteError ends the check because the suite or the machine failed, which is never the server's fault.
func (c *C) SuiteError(err error) {
	c.record(verdict.Error, condense(err.Error()))
	c.end()
}

// Control records that the same thing, when it is right, is accepted (err is nil); otherwise the check ends
// inconclusive. Every refusal that a check expects needs one before it.
func (c *C) Control(err error) {
	if err != nil {
		c.Inconclusive("positive control: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.controls++
}

// NeedControl ends the check with error if no positive control was seen to pass: a refusal would prove nothing.
func (c *C) NeedControl() {
	c.mu.Lock()
	seen := c.controls > 0
	c.mu.Unlock()
	if !seen {
		c.SuiteError(errors.New("the check expects a refusal and had no positive control"))
	}
}

// Notef adds a line of fact to the result: a server's answer, a measured time, what an attacker gained.
func (c *C) Notef(format string, arguments ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcome.details = append(c.outcome.details, fmt.Sprintf(format, arguments...))
}

// Observe records which reading of an open requirement the server took.
func (c *C) Observe(requirement, reading, format string, arguments ...any) {
	if err := c.runner.knownReading(requirement, reading); err != nil {
		c.SuiteError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcome.observations = append(c.outcome.observations,
		verdict.Observation{ID: requirement, Reading: reading, Detail: fmt.Sprintf(format, arguments...)})
}

// Seed is what random input follows from: the same in each run that is given the same one.
func (c *C) Seed() uint64 { return c.runner.options.Seed }

// Attach keeps a file with the check's evidence, if the check does not pass. name is the end of its name: "input.json".
func (c *C) Attach(name string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcome.attached == nil {
		c.outcome.attached = map[string][]byte{}
	}
	c.outcome.attached[name] = content
}

// result turns the outcome into what the report shows.
func (c *C) result(duration time.Duration) verdict.CheckResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	decided := c.outcome.verdict
	if decided == "" {
		decided = verdict.Pass
	}
	return verdict.CheckResult{
		Name:         c.check.Name,
		Requirements: c.check.Requirements,
		Path:         c.check.Path,
		Verdict:      decided,
		Reason:       strings.Join(c.outcome.reasons, "; "),
		BlockedBy:    c.outcome.blockedBy,
		DurationMS:   duration.Milliseconds(),
		Details:      slices.Clone(c.outcome.details),
	}
}

// Lengthened is a limit, lengthened by the slowness of the machine now.
func (c *C) Lengthened(limit time.Duration) time.Duration { return c.lengthened(limit) }
