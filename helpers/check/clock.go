package check

// The time of a check. It passes more slowly than wall time while the machine or a server is slow, so that limits that were
// chosen on a quiet machine hold on a busy one.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// maxWork is how much of a wait for a server can be work of that server; the rest is time-outs, which take as long on a
	// busy machine as on a quiet one.
	maxWork = 6 * time.Second
	// maxFactor and maxDelay bound how much a deadline is extended in wall time.
	maxFactor = 10.0
	maxDelay  = 5 * time.Minute
	// stall is the longest step of a clock that is charged: if heartbeats are further apart, the suite itself did not run.
	stall = 2 * heartbeat
	// lastPoll is how long before its deadline a waiting loop may poll for the last time and return.
	lastPoll = 300 * time.Millisecond
)

// clock measures the time charged to one check. Its methods are safe for concurrent use.
type clock struct {
	now      func() time.Time
	slowness func() slowness

	mu       sync.Mutex
	last     time.Time
	all      timeSpent // without pauses
	overtime timeSpent // the part of all in which a step had had its time (inOvertime)
	sum      slowness  // the seconds of the rest, multiplied by the slowness at that time
	paused   int
	pending  map[*limited]struct{}
	starved  error // says which deadline was the first to pass only because of its bound in wall time
}

// timeSpent is wall time, and what a clock charges of it: each step of at most stall, divided by the slowness at that time.
type timeSpent struct{ elapsed, charged time.Duration }

func (s timeSpent) minus(other timeSpent) timeSpent {
	return timeSpent{s.elapsed - other.elapsed, s.charged - other.charged}
}

func (s *timeSpent) add(elapsed, charged time.Duration) {
	s.elapsed += elapsed
	s.charged += charged
}

// factor returns how many times slower than on a quiet machine it passed.
func (s timeSpent) factor() float64 {
	return max(s.elapsed.Seconds(), 0.001) / max(s.charged.Seconds(), 0.001)
}

// slowness is how many times slower the machine, and the servers of a check, are than in a run on a quiet machine; at least 1.
type slowness struct{ machine, servers float64 }

func (s slowness) worst() float64 { return max(s.machine, s.servers, 1) }

func newClock(now func() time.Time, slow func() slowness) *clock {
	return &clock{now: now, slowness: slow, last: now(), pending: map[*limited]struct{}{}}
}

// advance charges the time since its last call and ends the contexts whose deadlines have passed.
func (c *clock) advance() {
	slow := c.slowness()
	c.mu.Lock()
	now := c.now()
	step := now.Sub(c.last)
	c.last = now
	if c.paused == 0 && step > 0 {
		charged := time.Duration(float64(min(step, stall)) / slow.worst())
		if c.inOvertime() {
			c.overtime.add(step, charged)
		} else {
			c.sum.machine += step.Seconds() * slow.machine
			c.sum.servers += step.Seconds() * slow.servers
		}
		c.all.add(step, charged)
	}
	var passed []*limited
	for each := range c.pending {
		if left, forced := each.left(); left <= 0 {
			passed = append(passed, each)
			if forced {
				c.starve(each)
			}
		}
	}
	c.mu.Unlock()
	for _, each := range passed {
		each.end(context.DeadlineExceeded, each.passed())
	}
}

// worked returns the time without overtime, which counts for what has several steps. The caller holds c.mu.
func (c *clock) worked() timeSpent { return c.all.minus(c.overtime) }

// inOvertime reports whether a step of a check has had its time, and goes on because of its minimum of wall time: the machine was late for
// a moment. That is not charged to the check, else two such waits would take all of its own time. The caller holds c.mu.
func (c *clock) inOvertime() bool {
	check, over := false, false
	for each := range c.pending {
		check = check || each.kind == checkLimit
		over = over || each.kind == stepLimit && each.spent().charged >= each.base
	}
	return check && over
}

// pause stops the clock until resume is called.
func (c *clock) pause() (resume func()) {
	c.advance()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused++
	return func() {
		c.advance()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.paused--
	}
}

func (c *clock) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused > 0
}

// starvation returns an error if the check's time-outs prove nothing: a deadline has passed, or is about to, before the check
// was charged the time that the deadline allows.
func (c *clock) starvation() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for each := range c.pending {
		if left, forced := each.left(); forced && left <= lastPoll {
			c.starve(each)
		}
	}
	return c.starved
}

// starve notes that a deadline passed too early. The caller holds c.mu.
func (c *clock) starve(of *limited) {
	of.forced = true
	if c.starved != nil || of.kind == checkLimit {
		return
	}
	why, explains := c.average()
	if !explains {
		why = fmt.Sprintf("for a moment the machine or the check's servers were %.1f times slower than usual", of.spent().factor())
	}
	c.starved = fmt.Errorf("a deadline of %s passed while %s", of.base, why)
}

// average describes how slow the machine and the servers were so far, and reports whether that explains a time-out. The caller holds c.mu.
func (c *clock) average() (text string, explains bool) {
	seconds := max(c.worked().elapsed.Seconds(), 0.001)
	machine, servers := c.sum.machine/seconds, c.sum.servers/seconds
	switch {
	case machine >= slow && machine >= servers:
		return fmt.Sprintf("the machine was %.1f times slower than a quiet one", machine), true
	case servers >= slow:
		return fmt.Sprintf("the check's servers were %.1f times slower than on a quiet machine", servers), true
	case c.worked().factor() > 2:
		return "the machine was stalled", true
	}
	return "neither the machine nor the check's servers were slow", false
}

// meanSlowness returns how many times slower than on a quiet machine the check ran, on average.
func (c *clock) meanSlowness() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worked().factor()
}

// slowest is average for callers that do not hold c.mu.
func (c *clock) slowest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, _ := c.average()
	return text
}

// slow is the least mean slowness that explains a time-out.
const slow = 1.5

// outOfTime is the cause of a check's context whose own limit has passed. It wraps context.DeadlineExceeded.
type outOfTime struct {
	limit   time.Duration
	average string
	starved bool // the machine or the servers were slow
}

func (o *outOfTime) Error() string {
	return fmt.Sprintf("the check did not end within %s of its own time; %s", o.limit, o.average)
}

// errOwnSlowness is wrapped by an outOfTime if neither the machine nor a server was slow.
var errOwnSlowness = errors.New("nothing was slow")

func (o *outOfTime) Unwrap() []error {
	if o.starved {
		return []error{context.DeadlineExceeded}
	}
	return []error{context.DeadlineExceeded, errOwnSlowness}
}

// limitKind says what a limit is of.
type limitKind int

const (
	stepLimit  limitKind = iota
	stepsLimit           // of many steps, which have limits, too
	checkLimit
)

// limited is a context whose deadline is in a clock's time.
type limited struct {
	context.Context // for its values, and the cause once it has ended

	clock  *clock
	parent context.Context
	kind   limitKind
	base   time.Duration        // the limit in the clock's time
	work   time.Duration        // the part of base that a slow machine or server extends
	least  time.Duration        // minimum of wall time
	now    func() time.Duration // what the minimum would be now, to which it shrinks; nil if it stays
	most   time.Duration        // maximum of wall time, without overtime up to maxDelay
	// all and overtime are the clock's at the start.
	all, overtime timeSpent

	done   chan struct{}
	forced bool // it ended before base was charged; guarded by clock.mu
	cancel context.CancelCauseFunc
	unlink func() bool
	mu     sync.Mutex
	err    error
}

// within returns a context that ends with parent, or when the clock has charged base, of which the part work is extended on a
// slow machine, but not before least of wall time has passed.
func (c *clock) within(parent context.Context, base, work, least time.Duration, kind limitKind) (*limited, context.CancelFunc) {
	values, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	delay := min(time.Duration(float64(work)*(maxFactor-1)), maxDelay)
	l := &limited{
		Context: values, clock: c, parent: parent, kind: kind, base: base, work: work, least: least, most: max(base+delay, least),
		done: make(chan struct{}), cancel: cancel,
	}
	c.advance()
	l.mu.Lock()
	l.unlink = context.AfterFunc(parent, func() { l.end(parent.Err(), context.Cause(parent)) })
	c.mu.Lock()
	l.all, l.overtime = c.all, c.overtime
	c.pending[l] = struct{}{}
	c.mu.Unlock()
	l.mu.Unlock()
	switch {
	case parent.Err() != nil:
		l.end(parent.Err(), context.Cause(parent))
	case base <= 0:
		l.end(context.DeadlineExceeded, l.passed())
	}
	return l, func() { l.end(context.Canceled, context.Canceled) }
}

// shrinks lets the minimum of wall time be at most what it would be now: a machine that was late before the wait, or at its beginning, and
// is not any more does not keep a server from being told late.
func (l *limited) shrinks(now func() time.Duration) {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	l.now = now
}

// spent returns the time that counts for it, since it began. The caller holds clock.mu.
func (l *limited) spent() timeSpent {
	all := l.clock.all.minus(l.all)
	if l.kind == stepLimit {
		return all
	}
	return all.minus(l.clock.overtime.minus(l.overtime))
}

// left returns how much wall time is left if everything stays as slow as it is; forced says that the maximum of wall time cuts
// it short. The caller holds clock.mu.
func (l *limited) left() (left time.Duration, forced bool) {
	spent, wanted := l.spent(), l.base
	if spent.elapsed > spent.charged {
		factor := min(float64(spent.elapsed)/max(float64(spent.charged), 1), 100*maxFactor)
		wanted += time.Duration(float64(l.work) * (factor - 1))
	}
	elapsed := l.clock.all.elapsed - l.all.elapsed
	overtime := min(elapsed-spent.elapsed, maxDelay)
	least := l.least
	if l.now != nil {
		least = min(least, l.now())
	}
	wanted = max(wanted, least-overtime)
	return min(wanted, l.most) + overtime - elapsed, wanted > l.most
}

// Deadline returns when the context will end if everything stays as slow as it is. For a check's own limit it returns a
// little later: a loop that returns just before a deadline must do so because of a step's.
func (l *limited) Deadline() (time.Time, bool) {
	l.clock.mu.Lock()
	left, _ := l.left()
	l.clock.mu.Unlock()
	if l.kind == checkLimit {
		left += 2 * lastPoll
	}
	deadline := l.clock.now().Add(left)
	if outer, bounded := l.parent.Deadline(); bounded && outer.Before(deadline) {
		deadline = outer
	}
	return deadline, true
}

// Done returns a channel that is closed when the context ends.
func (l *limited) Done() <-chan struct{} { return l.done }

// Err returns context.DeadlineExceeded if the deadline has passed.
func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// passed returns the cause of a deadline that has passed.
func (l *limited) passed() error {
	if l.kind != checkLimit {
		return fmt.Errorf("a time-out of %s: %w", l.base, context.DeadlineExceeded)
	}
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	average, _ := l.clock.average()
	return &outOfTime{limit: l.base, average: average, starved: l.clock.worked().factor() >= slow}
}

// isForced reports whether the deadline passed, or is about to, because of its bound in wall time alone.
func (l *limited) isForced() bool {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	left, forced := l.left()
	return l.forced || forced && left <= lastPoll
}

func (l *limited) end(err, cause error) {
	l.mu.Lock() // always before clock.mu
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.clock.mu.Lock()
	if left, forced := l.left(); forced && left <= lastPoll {
		l.clock.starve(l)
	}
	delete(l.clock.pending, l)
	l.clock.mu.Unlock()
	l.err = err
	l.cancel(cause)
	close(l.done)
	l.unlink()
}

// ranOut returns the cause if the check's own limit ended ctx, and nil otherwise.
func ranOut(ctx context.Context) *outOfTime {
	var out *outOfTime
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &out) {
		return out
	}
	return nil
}

// clocks are the running clocks.
type clocks struct {
	mu      sync.Mutex
	running map[*clock]struct{}
}

// start starts a clock, which advances with the others until it is stopped.
func (c *clocks) start(slow func() slowness) *clock {
	started := newClock(time.Now, slow)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = map[*clock]struct{}{}
	}
	c.running[started] = struct{}{}
	return started
}

// stop stops a clock.
func (c *clocks) stop(stopped *clock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, stopped)
}

// advance advances all clocks.
func (c *clocks) advance() {
	c.mu.Lock()
	running := slices.Collect(maps.Keys(c.running))
	c.mu.Unlock()
	for _, each := range running {
		each.advance()
	}
}
