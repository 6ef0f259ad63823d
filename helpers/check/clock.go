package check

// The time of a check. It advances more slowly than the wall's while the machine or a server keeps the check waiting, so that
// a deadline that was set on a quiet machine moves when the machine gets busy.

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
	// longestWork is how much of a wait for a server can be its work; the rest are its own time-outs, which take as long on a
	// busy machine as on a quiet one.
	longestWork = 6 * time.Second
	// longestFactor and longestDelay bound, in wall time, how much later than its limit a deadline may pass.
	longestFactor = 10.0
	longestDelay  = 5 * time.Minute
	// stall is the longest step of a clock that is charged: if its beats come later than that, the suite itself did not run.
	stall = 2 * beat
	// lastLook is how long before a deadline those who wait may give up: they look once more, and return.
	lastLook = 300 * time.Millisecond
)

// clock is the time that is charged to one check. Its methods are safe for use by several goroutines.
type clock struct {
	now      func() time.Time
	slowness func() slowness

	mu      sync.Mutex
	last    time.Time
	elapsed time.Duration // wall time, but for pauses
	charged time.Duration // of that, what the check had on a machine and servers as fast as when quiet
	sum     slowness      // seconds, weighted by slowness
	paused  int
	pending map[*limited]struct{}
	starved error // the first deadline that passed only because of its bound in wall time
}

// slowness is how many times slower the machine, and the servers of a check, are than in a run on a quiet machine: at least 1.
type slowness struct{ machine, servers float64 }

func (s slowness) worst() float64 { return max(s.machine, s.servers, 1) }

func newClock(now func() time.Time, slow func() slowness) *clock {
	return &clock{now: now, slowness: slow, last: now(), pending: map[*limited]struct{}{}}
}

// advance charges the time since it was last called, and ends the contexts whose deadlines have passed.
func (c *clock) advance() {
	slow := c.slowness()
	c.mu.Lock()
	now := c.now()
	step := now.Sub(c.last)
	c.last = now
	if c.paused == 0 && step > 0 {
		c.elapsed += step
		c.charged += time.Duration(float64(min(step, stall)) / slow.worst())
		c.sum.machine += step.Seconds() * slow.machine
		c.sum.servers += step.Seconds() * slow.servers
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

// starvation returns why a time-out that the check met proves nothing: a deadline of it passed, or is about to, before the
// check had the time that the deadline allows. It is nil if there was none.
func (c *clock) starvation() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for each := range c.pending {
		if left, forced := each.left(); forced && left <= lastLook {
			c.starve(each)
		}
	}
	return c.starved
}

// starve notes that a deadline came too early. The caller holds the lock.
func (c *clock) starve(of *limited) {
	of.forced = true
	if c.starved == nil && !of.whole {
		c.starved = fmt.Errorf("a deadline of %s passed while %s", of.base, c.average())
	}
}

// average describes how slow the machine and the servers were so far. The caller holds the lock.
func (c *clock) average() string {
	seconds := max(c.elapsed.Seconds(), 0.001)
	machine, servers := c.sum.machine/seconds, c.sum.servers/seconds
	switch {
	case machine >= slow && machine >= servers:
		return fmt.Sprintf("the machine was %.1f times slower than when quiet", machine)
	case servers >= slow:
		return fmt.Sprintf("the check's servers were %.1f times slower than when quiet", servers)
	case c.elapsed > 2*c.charged:
		return "the machine stood still"
	}
	return "neither the machine nor the check's servers were slow"
}

// meanSlowness is how many times slower than when quiet the check got on.
func (c *clock) meanSlowness() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.elapsed.Seconds(), 0.001) / max(c.charged.Seconds(), 0.001)
}

// slowest describes how slow the machine and the servers were so far.
func (c *clock) slowest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.average()
}

// slow is the slowness, on average, from which it is a cause.
const slow = 1.5

// outOfTime is why a check's own limit ended it. It is context.DeadlineExceeded by errors.Is.
type outOfTime struct {
	limit   time.Duration
	average string
	starved bool // the machine or the servers were slow
}

func (o *outOfTime) Error() string {
	return fmt.Sprintf("the check did not end within %s of its own time; %s", o.limit, o.average)
}

// errOwnSlowness is an outOfTime without a slow machine or a slow server, by errors.Is.
var errOwnSlowness = errors.New("nothing was slow")

func (o *outOfTime) Unwrap() []error {
	if o.starved {
		return []error{context.DeadlineExceeded}
	}
	return []error{context.DeadlineExceeded, errOwnSlowness}
}

// limited is a context whose deadline is in the time of a clock.
type limited struct {
	context.Context // of values; it has the cause when the context has ended

	clock  *clock
	parent context.Context
	whole  bool          // the check's own limit
	base   time.Duration // what it allows
	work   time.Duration // how much of that a slow machine or server lengthens
	least  time.Duration // how much wall time it has in any case
	most   time.Duration // how much wall time it has at most
	// When it began.
	elapsed, charged time.Duration

	done   chan struct{}
	forced bool // it ended before it had what it allows; guarded by the clock's lock
	cancel context.CancelCauseFunc
	unlink func() bool
	mu     sync.Mutex
	err    error
}

// within returns a context that ends with parent, or when the check has had base, of which work may lengthen, but not before
// least has passed on the wall's clock.
func (c *clock) within(parent context.Context, base, work, least time.Duration, whole bool) (*limited, context.CancelFunc) {
	values, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	delay := min(time.Duration(float64(work)*(longestFactor-1)), longestDelay)
	l := &limited{
		Context: values, clock: c, parent: parent, whole: whole, base: base, work: work, least: least, most: max(base+delay, least),
		done: make(chan struct{}), cancel: cancel,
	}
	c.advance()
	l.mu.Lock()
	l.unlink = context.AfterFunc(parent, func() { l.end(parent.Err(), context.Cause(parent)) })
	c.mu.Lock()
	l.elapsed, l.charged = c.elapsed, c.charged
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

// left is how much wall time a context has left if everything stays as slow as it is, and whether that is all it can have.
// The caller holds the clock's lock.
func (l *limited) left() (left time.Duration, forced bool) {
	elapsed, charged := l.clock.elapsed-l.elapsed, l.clock.charged-l.charged
	wanted := max(l.base, l.least)
	if elapsed > charged {
		factor := min(float64(elapsed)/max(float64(charged), 1), 100*longestFactor)
		wanted = max(wanted, l.base+time.Duration(float64(l.work)*(factor-1)))
	}
	return min(wanted, l.most) - elapsed, wanted > l.most
}

// Deadline is when the context will end if everything stays as slow as it is. That of a check's own limit is a little later
// than its end: who gives up just before a deadline does so because of a step's.
func (l *limited) Deadline() (time.Time, bool) {
	l.clock.mu.Lock()
	left, _ := l.left()
	l.clock.mu.Unlock()
	if l.whole {
		left += 2 * lastLook
	}
	deadline := l.clock.now().Add(left)
	if outer, bounded := l.parent.Deadline(); bounded && outer.Before(deadline) {
		deadline = outer
	}
	return deadline, true
}

// Done is closed when the context ends.
func (l *limited) Done() <-chan struct{} { return l.done }

// Err is context.DeadlineExceeded when the deadline has passed.
func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// passed is the cause of a deadline that has passed.
func (l *limited) passed() error {
	if !l.whole {
		return fmt.Errorf("a time-out of %s: %w", l.base, context.DeadlineExceeded)
	}
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	return &outOfTime{limit: l.base, average: l.clock.average(), starved: float64(l.clock.elapsed) >= slow*float64(l.clock.charged)}
}

// isForced reports whether the deadline passed, or is about to, because of its bound in wall time alone.
func (l *limited) isForced() bool {
	l.clock.mu.Lock()
	defer l.clock.mu.Unlock()
	left, forced := l.left()
	return l.forced || forced && left <= lastLook
}

func (l *limited) end(err, cause error) {
	l.mu.Lock() // before the clock's
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.clock.mu.Lock()
	if left, forced := l.left(); forced && left <= lastLook {
		l.clock.starve(l)
	}
	delete(l.clock.pending, l)
	l.clock.mu.Unlock()
	l.err = err
	l.cancel(cause)
	close(l.done)
	l.unlink()
}

// ranOut returns why the check's own limit ended a context of it, or nil.
func ranOut(ctx context.Context) *outOfTime {
	var out *outOfTime
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &out) {
		return out
	}
	return nil
}

// clocks are those that run.
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

// stop lets a clock advance no more.
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
