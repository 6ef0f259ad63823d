package check

// C, what the body of a check is given: its deployments, its deadlines, and the words that make its verdict.

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	check     *Check
	ctx       context.Context
	clock     *clock
	runner    *Runner
	recorder  *transcript.Recorder
	sink      transcript.Sink
	deploy    func(blueprint string, private bool) (Deployment, error)
	mu        sync.Mutex
	outcome   outcome
	controls  int
	cleanups  []func()
	completed bool // the body ran to its end, or ended itself on purpose
	givenUp   bool // its goroutine was given up: what it still does counts for nothing

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
	starved      bool // there is no verdict for want of the machine
}

// Check is the check that is under way.
func (c *C) Check() *Check { return c.check }

// Context ends when the check must: its time is over, its deployment died, or the run was interrupted.
func (c *C) Context() context.Context { return c.ctx }

// Sink takes the exchanges of the check's clients and peers.
func (c *C) Sink() transcript.Sink { return c.sink }

// Within returns a context that ends after base in the check's own time, which passes more slowly while the machine or a
// server keeps the check waiting.
func (c *C) Within(base time.Duration) (context.Context, context.CancelFunc) {
	return c.Limit(c.ctx, base)
}

// Limit is Within for a context that comes of the check's.
func (c *C) Limit(ctx context.Context, base time.Duration) (context.Context, context.CancelFunc) {
	return c.clock.within(ctx, base, min(base, longestWork), c.runner.machine.lengthened(base), false)
}

// AwaitOther waits for something that another check prepares; that time is not charged. It returns why the check ended if that
// came first.
func (c *C) AwaitOther(ready <-chan struct{}) error {
	defer c.clock.pause()()
	select {
	case <-ready:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
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

// Deployments makes the run's deployments. Callers ask it what is known before there is one (stage.World).
func (c *C) Deployments() Deployments { return c.runner.options.Deployments }

// Cleanup runs f after the body, last added first.
func (c *C) Cleanup(f func()) {
	c.mu.Lock()
	late := c.givenUp
	if !late {
		c.cleanups = append(c.cleanups, f)
	}
	c.mu.Unlock()
	if late {
		f() // the others have run
	}
}

// record notes an outcome; the first that is not a pass decides the verdict, but a fail is never hidden by another. arguments
// are what the reason was made of. Where the check ran out of time, or met a time-out that proves nothing, it is an error.
func (c *C) record(v verdict.Verdict, reason string, arguments ...any) {
	var untimely error
	if v != verdict.NotRun {
		untimely = c.untimely(arguments...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.givenUp, untimely != nil && c.outcome.verdict == verdict.Error:
		return
	case untimely != nil:
		c.outcome.starved = c.outcome.verdict == "" && !errors.Is(untimely, errOwnSlowness)
		if reason != untimely.Error() {
			c.outcome.details = append(c.outcome.details, "the step that was under way: "+reason)
		}
		v, reason = verdict.Error, untimely.Error()
	case v == verdict.Error && slices.ContainsFunc(arguments, isTimeOut) && c.runner.options.Slowness() >= slow:
		c.outcome.starved = c.outcome.verdict == "" // as when the engine did not start a container in time
	}
	c.note(v, reason)
}

// note notes an outcome. The caller holds the lock.
func (c *C) note(v verdict.Verdict, reason string) {
	if c.outcome.verdict == "" || (v == verdict.Fail && c.outcome.verdict != verdict.Fail) {
		c.outcome.verdict = v
		c.outcome.reasons = nil
	}
	if c.outcome.verdict == v {
		c.outcome.reasons = append(c.outcome.reasons, reason)
	}
}

// untimely returns why what the check says now is no verdict: its own limit ended it, in whichever step was under way; or a
// deadline of a step passed before it had its time; or, by what arguments tell of, the machine stood still when one passed, or the
// server gave up by its own clock while all was slow.
func (c *C) untimely(arguments ...any) error {
	if out := ranOut(c.ctx); out != nil {
		return out
	}
	if starved := c.clock.starvation(); starved != nil {
		return starved
	}
	if slices.ContainsFunc(arguments, isLate) && c.clock.meanSlowness() >= slow {
		return fmt.Errorf("the server took more than %s to answer, by time-outs of its own, while %s", lateAnswer, c.clock.slowest())
	}
	if slices.ContainsFunc(arguments, isTimeOut) && c.runner.machine.stalled() {
		return errors.New("a deadline passed while the machine stood still")
	}
	return nil
}

// lateAnswer is after which time an answer may be that of a server whose own time-outs passed, which a slow machine does not
// lengthen: Dendrite answers a join after 20 s, joined or not.
const lateAnswer = 10 * time.Second

// isLate reports whether a value is an error made of an answer that came late.
func isLate(value any) bool {
	var answer interface {
		error
		Took() time.Duration
	}
	err, is := value.(error)
	return is && errors.As(err, &answer) && answer.Took() > lateAnswer
}

// isTimeOut reports whether a value is an error that says that a deadline has passed.
func isTimeOut(value any) bool {
	err, is := value.(error)
	return is && errors.Is(err, context.DeadlineExceeded)
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
	c.record(verdict.Fail, condense(fmt.Sprintf(format, arguments...)), arguments...)
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

// Blocked ends the check because a requirement that it builds on failed; it fails if it judges that requirement itself.
func (c *C) Blocked(by string, format string, arguments ...any) {
	decided := verdict.Blocked
	if slices.Contains(c.check.Requires, by) {
		decided = verdict.Fail
	}
	c.record(decided, condense(fmt.Sprintf(format, arguments...)), arguments...)
	c.mu.Lock()
	if c.outcome.verdict != verdict.Error {
		c.outcome.ended = by
	}
	if c.outcome.verdict == verdict.Blocked {
		c.outcome.blockedBy = by
	}
	c.mu.Unlock()
	c.end()
}

// Need ends the check when err is not nil: failed if the check judges the requirement itself, blocked by it otherwise.
func (c *C) Need(requirement string, err error) {
	if err != nil {
		c.Blocked(requirement, "%v", err)
	}
}

// Must fails the check and ends it when err is not nil.
func (c *C) Must(err error) {
	if err != nil {
		c.Failf("%v", err)
	}
}

// Unsupported ends the check because the server does not have what it needs.
func (c *C) Unsupported(format string, arguments ...any) {
	c.record(verdict.Unsupported, fmt.Sprintf(format, arguments...), arguments...)
	c.end()
}

// NotRun ends the check because this runtime cannot do it.
func (c *C) NotRun(format string, arguments ...any) {
	c.record(verdict.NotRun, fmt.Sprintf(format, arguments...))
	c.end()
}

// Inconclusive ends the check because its positive control failed.
func (c *C) Inconclusive(format string, arguments ...any) {
	c.record(verdict.Inconclusive, condense(fmt.Sprintf(format, arguments...)), arguments...)
	c.end()
}

// SuiteError ends the check because the suite or the machine failed, which is never the server's fault.
func (c *C) SuiteError(err error) {
	c.record(verdict.Error, condense(err.Error()), err)
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
	if c.givenUp {
		return
	}
	c.outcome.details = append(c.outcome.details, fmt.Sprintf(format, arguments...))
}

// Observe records which reading of the open requirement that the check judges the server took.
func (c *C) Observe(reading, format string, arguments ...any) {
	c.ObserveOn(c.check.Requires[0], reading, format, arguments...)
}

// ObserveOn is Observe for a check that judges several requirements.
func (c *C) ObserveOn(requirement, reading, format string, arguments ...any) {
	if err := c.runner.knownReading(requirement, reading); err != nil {
		c.SuiteError(err)
	}
	if err := c.untimely(arguments...); err != nil {
		c.SuiteError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.givenUp {
		return
	}
	c.outcome.observations = append(c.outcome.observations,
		verdict.Observation{ID: requirement, Reading: reading, Detail: fmt.Sprintf(format, arguments...)})
}

// outcomeNow is a copy of what the check came to, which a goroutine that was given up does not change.
func (c *C) outcomeNow() outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.outcome
	now.observations, now.logs, now.attached = slices.Clone(now.observations), slices.Clone(now.logs), maps.Clone(now.attached)
	return now
}

func (c *C) isGivenUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.givenUp
}

// Seed is what random input follows from: the same in each run that is given the same one.
func (c *C) Seed() uint64 { return c.runner.options.Seed }

// Attach keeps a file with the check's evidence, if the check does not pass. name is the end of its name: "input.json".
func (c *C) Attach(name string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.givenUp {
		return
	}
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
		Requirements: c.check.Requires,
		Path:         c.check.Path,
		Verdict:      decided,
		Reason:       strings.Join(c.outcome.reasons, "; "),
		BlockedBy:    c.outcome.blockedBy,
		DurationMS:   duration.Milliseconds(),
		Details:      slices.Clone(c.outcome.details),
	}
}
