package check

// C, which the body of a check receives: its deployments, its deadlines, and the methods that set its verdict.

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

// C is a running check. It implements testify's TestingT. Errorf records a failure; the methods that end the check (FailNow,
// Blocked, ...) end the calling goroutine, and must be called from the check's own.
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
	underTest bool     // the action under test has begun
	control   bool     // the positive control is being delivered
	completed bool     // the body returned, or ended itself on purpose
	givenUp   bool     // its goroutine was abandoned: whatever it still does is ignored
	onGivenUp []func() // run when it is given up, before clean-ups

	expendables map[Deployment]string // those that this check owns, with their blueprints
}

// outcome collects the results of a check while it runs.
type outcome struct {
	verdict      verdict.Verdict // "" if nothing went wrong so far
	reasons      []string
	blockedBy    string
	ended        string // the requirement that ended the check
	details      []string
	observations []verdict.Observation
	logs         []DeploymentLog
	differences  map[string]bool
	notJudged    map[string]bool
	attached     map[string][]byte
	shared       []Shared
	starved      bool // there is no verdict because the machine was too slow
}

// Check returns the check that is running.
func (c *C) Check() *Check { return c.check }

// Context is done when the check must end: its time is over, its deployment died, or the run was interrupted.
func (c *C) Context() context.Context { return c.ctx }

// Sink receives the exchanges of the check's clients and peers.
func (c *C) Sink() transcript.Sink { return c.sink }

// Within returns a context that ends after base in the check's own time, which passes more slowly while the machine or a
// server is slow.
func (c *C) Within(base time.Duration) (context.Context, context.CancelFunc) {
	return c.Limit(c.ctx, base)
}

// Limit is Within for a context derived from the check's.
func (c *C) Limit(ctx context.Context, base time.Duration) (context.Context, context.CancelFunc) {
	return c.runner.limit(ctx, c.clock, base)
}

// WithinWork is Within for many steps in a row, or one that loads much: all of base can be work, so that a slow machine extends all of it.
func (c *C) WithinWork(base time.Duration) (context.Context, context.CancelFunc) {
	return c.clock.within(c.ctx, base, base, base, stepsLimit)
}

// AwaitOther waits until ready is closed by another check; that time is not charged. It returns the cause if the check's
// context ends first.
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
// If there is none to be had, the check ends with error.
func (c *C) Deploy(blueprint string, private bool) Deployment {
	deployment, err := c.deploy(blueprint, private)
	if err != nil {
		c.SuiteError(fmt.Errorf("deployment %s: %w", blueprint, err))
	}
	return deployment
}

// Deployments returns the factory of the run's deployments, which also knows facts that need no deployment (stage.World).
func (c *C) Deployments() Deployments { return c.runner.options.Deployments }

// Transcript returns what the check has exchanged so far.
func (c *C) Transcript() []transcript.Exchange { return c.recorder.Exchanges() }

// RestsOn names exchanges of another check that are evidence of this one, too.
func (c *C) RestsOn(shared Shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcome.shared = append(c.outcome.shared, shared)
}

// Cleanup registers f to run after the body, last added first.
func (c *C) Cleanup(f func()) {
	c.mu.Lock()
	late := c.givenUp
	if !late {
		c.cleanups = append(c.cleanups, f)
	}
	c.mu.Unlock()
	if late {
		f() // the others have already run
	}
}

// OnGivenUp registers f to run if the check is given up, before clean-ups, which may wait for what its body holds.
func (c *C) OnGivenUp(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onGivenUp = append(c.onGivenUp, f)
}

// record notes an outcome. The first that is not a pass decides the verdict, except that a fail overrides any other. arguments
// are the operands of the reason's format. If the check ran out of time, or met a time-out that proves nothing, the verdict is error.
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
			c.outcome.details = append(c.outcome.details, "the step in progress: "+reason)
		}
		v, reason = verdict.Error, untimely.Error()
	case v == verdict.Error && slices.ContainsFunc(arguments, isTooSlow):
		c.outcome.starved = c.outcome.verdict == ""
	case v == verdict.Error && slices.ContainsFunc(arguments, isTimeOut) && c.runner.options.Slowness() >= slow:
		c.outcome.starved = c.outcome.verdict == "" // for example, the engine did not start a container in time
	}
	c.note(v, reason)
}

// note is record without the check for time-outs. The caller holds c.mu.
func (c *C) note(v verdict.Verdict, reason string) {
	if c.outcome.verdict == "" || (v == verdict.Fail && c.outcome.verdict != verdict.Fail) {
		c.recorder.Mark(transcript.NoteFailed)
		c.outcome.verdict = v
		c.outcome.reasons = nil
	}
	if c.outcome.verdict == v {
		c.outcome.reasons = append(c.outcome.reasons, reason)
	}
}

// untimely returns an error if a verdict of the check would mean nothing now: the check's own limit has passed, or a deadline
// of a step passed too early; or, judging by the errors among arguments, the machine was stalled when a deadline passed, or the
// server hit time-outs of its own while everything was slow.
func (c *C) untimely(arguments ...any) error {
	if out := ranOut(c.ctx); out != nil {
		return out
	}
	if starved := c.clock.starvation(); starved != nil {
		return starved
	}
	if slices.ContainsFunc(arguments, isLate) && c.clock.meanSlowness() >= slow {
		return tooSlow(fmt.Sprintf("the server took more than %s, which fixed time-outs may explain, while %s", lateAnswer, c.clock.slowest()))
	}
	if slices.ContainsFunc(arguments, isTimeOut) && c.runner.machine.stalled() {
		return tooSlow("a deadline passed while the machine was stalled")
	}
	return nil
}

// tooSlow is an error of untimely that rests on an argument: unlike the others, it is not found again without that.
type tooSlow string

func (t tooSlow) Error() string { return string(t) }

func isTooSlow(value any) bool {
	_, is := value.(tooSlow)
	return is
}

// lateAnswer is how late an answer, or a start, is when time-outs that a slow machine does not lengthen may have caused it: Dendrite
// answers a join after 20 s, whether joined or not.
const lateAnswer = 10 * time.Second

// isLate reports whether value is an error that wraps a late answer or start.
func isLate(value any) bool {
	var answer interface {
		error
		Took() time.Duration
	}
	err, is := value.(error)
	return is && errors.As(err, &answer) && answer.Took() > lateAnswer
}

// isTimeOut reports whether value is an error that wraps context.DeadlineExceeded.
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

// Helper does nothing; testify calls it.
func (c *C) Helper() {}

// Errorf records a failure and lets the check go on.
func (c *C) Errorf(format string, arguments ...any) {
	c.record(verdict.Fail, condense(fmt.Sprintf(format, arguments...)), arguments...)
}

// Differs is Errorf for checks that find several things: names identify what was found, so that a baseline can expect it and what is new
// stands out.
func (c *C) Differs(names []string, format string, arguments ...any) {
	c.mu.Lock()
	if c.outcome.differences == nil {
		c.outcome.differences = map[string]bool{}
	}
	for _, name := range names {
		c.outcome.differences[name] = true
	}
	c.mu.Unlock()
	c.Errorf(format, arguments...)
}

// NotJudged notes that the check does not judge a part of what it covers, because the server does not do it in ordinary rooms either, does
// not pass the control or leaves nothing to compare, or because there was not time for it. name identifies the part, so that a baseline
// can expect it and what is lost stands out; the rest says why. If the check's time-outs prove nothing, it ends with error.
func (c *C) NotJudged(name, format string, arguments ...any) {
	if err := c.untimely(arguments...); err != nil {
		c.SuiteError(err)
	}
	c.mu.Lock()
	if c.outcome.notJudged == nil {
		c.outcome.notJudged = map[string]bool{}
	}
	if !c.givenUp {
		c.outcome.notJudged[name] = true
	}
	c.mu.Unlock()
	c.Notef("%s: not judged, since %s", name, fmt.Sprintf(format, arguments...))
}

// Expects reports whether the candidate's baseline expects a difference of this check, so that it need not be explained again.
func (c *C) Expects(name string) bool {
	return slices.Contains(c.runner.options.Expected[verdict.Repeated(c.check.Name)], name)
}

// FailNow ends the check as failed.
func (c *C) FailNow() {
	c.mu.Lock()
	silent := c.outcome.verdict == ""
	c.mu.Unlock()
	if silent {
		c.record(verdict.Fail, "ended without a reason")
	}
	c.end()
}

// Failf records a failure and ends the check.
func (c *C) Failf(format string, arguments ...any) {
	c.Errorf(format, arguments...)
	c.end()
}

// UnderTest begins the action under test: from here on every step that fails counts for the check's own requirement, whichever
// requirement it names.
func (c *C) UnderTest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underTest, c.control = true, false
	c.recorder.Mark(transcript.NoteUnderTest)
}

// Blocked ends the check because the server breaks a requirement that it depends on, which is a finding against that requirement. The
// verdict is blocked, or fail if the check judges that requirement itself, or has begun its action under test.
func (c *C) Blocked(by string, format string, arguments ...any) {
	decided := verdict.Blocked
	c.mu.Lock()
	underTest := c.underTest
	c.mu.Unlock()
	switch own := slices.Contains(c.check.Requires, by); {
	case own || underTest:
		decided = verdict.Fail
		if !own {
			c.Notef("the step that failed came after the action under test; before that it would be a finding against %s", by)
		}
	default:
		if err := c.runner.knownRoot(by); err != nil {
			c.SuiteError(err)
		}
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

// Need calls Blocked if err is not nil.
func (c *C) Need(requirement string, err error) {
	if err != nil {
		c.Blocked(requirement, "%v", err)
	}
}

// Must ends the check as failed if err is not nil.
func (c *C) Must(err error) {
	if err != nil {
		c.Failf("%v", err)
	}
}

// Unsupported ends the check because the server lacks a feature that it needs.
func (c *C) Unsupported(format string, arguments ...any) {
	c.record(verdict.Unsupported, fmt.Sprintf(format, arguments...), arguments...)
	c.end()
}

// NotRun ends the check because the runtime cannot do what it needs.
func (c *C) NotRun(format string, arguments ...any) {
	c.record(verdict.NotRun, fmt.Sprintf(format, arguments...))
	c.end()
}

// Inconclusive ends the check because its positive control failed.
func (c *C) Inconclusive(format string, arguments ...any) {
	c.record(verdict.Inconclusive, condense(fmt.Sprintf(format, arguments...)), arguments...)
	c.end()
}

// SuiteError ends the check with error: the suite or the machine failed, not the server.
func (c *C) SuiteError(err error) {
	c.record(verdict.Error, condense(err.Error()), err)
	c.end()
}

// Timely ends the check with error if err is a time-out that proves nothing now: the machine was too slow. It is for what is judged later,
// when the machine may have recovered.
func (c *C) Timely(err error) {
	if !isTimeOut(err) && !isLate(err) {
		return
	}
	if untimely := c.untimely(err); untimely != nil {
		c.SuiteError(untimely)
	}
}

// Controlling begins the delivery of the positive control. If a server dies before Control or UnderTest ends it, the check is blocked by
// StaysUp: what it judges was not tried yet.
func (c *C) Controlling() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.control = true
}

// Control records a positive control: the server accepts the valid variant of what the check expects it to refuse. If err is
// not nil, the check ends as inconclusive. Every expected refusal needs a positive control before it.
func (c *C) Control(err error) {
	c.SharedControl(err)
	c.recorder.Mark(transcript.NoteControl)
}

// SharedControl is Control for one that another check may have delivered, to whose exchanges this one refers (RestsOn).
func (c *C) SharedControl(err error) {
	if err != nil {
		c.Inconclusive("positive control: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.controls++
	c.control = false
}

// NeedControl ends the check with error if no positive control has passed: a refusal would prove nothing.
func (c *C) NeedControl() {
	c.mu.Lock()
	seen := c.controls > 0
	c.mu.Unlock()
	if !seen {
		c.SuiteError(errors.New("the check expects a refusal and had no positive control"))
	}
}

// Notef adds a line to the details of the result: a server's answer, a measured time, what an attacker gained.
func (c *C) Notef(format string, arguments ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.givenUp {
		return
	}
	c.outcome.details = append(c.outcome.details, fmt.Sprintf(format, arguments...))
}

// Observe records which reading of the check's open requirement the server follows.
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

// snapshot returns a copy of the outcome, which an abandoned goroutine cannot change.
func (c *C) snapshot() outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.outcome
	now.observations, now.logs, now.attached = slices.Clone(now.observations), slices.Clone(now.logs), maps.Clone(now.attached)
	now.differences, now.notJudged, now.shared = maps.Clone(now.differences), maps.Clone(now.notJudged), slices.Clone(now.shared)
	return now
}

func (c *C) isGivenUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.givenUp
}

func (c *C) isControlling() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.control
}

// Seed returns the seed of random input. Runs with the same seed generate the same input.
func (c *C) Seed() uint64 { return c.runner.options.Seed }

// Sessions returns how many sessions the checks that generate them are to play together, from Seed on; 0 for those of a usual run.
func (c *C) Sessions() int { return c.runner.options.Sessions }

// Unshortened reports whether nobody asks for the shortest session that shows what was found.
func (c *C) Unshortened() bool { return c.runner.options.Unshortened }

// Attach adds a file to the check's evidence, which is kept if the check does not pass. name is the suffix of the file's
// name: "input.json".
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

// result converts the outcome to what the report shows.
func (c *C) result(started time.Time) verdict.CheckResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	decided := c.outcome.verdict
	if decided == "" {
		decided = verdict.Pass
	}
	var differences []string
	if decided == verdict.Fail {
		differences = slices.Sorted(maps.Keys(c.outcome.differences))
	}
	return verdict.CheckResult{
		Name:         c.check.Name,
		Requirements: c.check.Requires,
		Path:         c.check.Path,
		Verdict:      decided,
		Reason:       strings.Join(c.outcome.reasons, "; "),
		BlockedBy:    c.outcome.blockedBy,
		Differences:  differences,
		NotJudged:    slices.Sorted(maps.Keys(c.outcome.notJudged)),
		Started:      started,
		DurationMS:   time.Since(started).Milliseconds(),
		Details:      slices.Clone(c.outcome.details),
	}
}
