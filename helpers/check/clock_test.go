package check

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timer is a fake time source and slowness for clocks.
type timer struct {
	mu   sync.Mutex
	time time.Time
	slow slowness
}

func (f *timer) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.time
}

func (f *timer) slowness() slowness {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.slow
}

// passes advances the time, heartbeat by heartbeat, with this slowness of the machine and the servers.
func (f *timer) passes(c *clock, howLong time.Duration, machine, servers float64) {
	for ; howLong > 0; howLong -= heartbeat {
		f.mu.Lock()
		f.time, f.slow = f.time.Add(heartbeat), slowness{machine, servers}
		f.mu.Unlock()
		c.advance()
	}
}

func fakeClock() (*clock, *timer) {
	source := &timer{time: time.Unix(1_000_000_000, 0), slow: slowness{1, 1}}
	return newClock(source.now, source.slowness), source
}

func step(c *clock, base time.Duration) (*limited, context.CancelFunc) {
	return c.within(context.Background(), base, min(base, maxWork), base, stepLimit)
}

func TestClockOnAQuietMachineIsWallTime(t *testing.T) {
	clock, source := fakeClock()
	ctx, cancel := step(clock, 8*time.Second)
	defer cancel()
	deadline, bounded := ctx.Deadline()
	require.True(t, bounded)
	assert.Equal(t, source.now().Add(8*time.Second), deadline)
	source.passes(clock, 7900*time.Millisecond, 1, 1)
	assert.NoError(t, ctx.Err())
	source.passes(clock, 100*time.Millisecond, 1, 1)
	assert.Equal(t, context.DeadlineExceeded, ctx.Err())
	assert.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
	assert.ErrorContains(t, context.Cause(ctx), "a time-out of 8s")
	assert.Nil(t, ranOut(ctx))
	assert.NoError(t, clock.starvation(), "it had its time")
}

func TestADeadlineMovesWhenTheMachineGetsBusy(t *testing.T) {
	for name, slow := range map[string]slowness{"machine": {4, 1}, "servers": {1, 4}} {
		t.Run(name, func(t *testing.T) {
			clock, source := fakeClock()
			ctx, cancel := step(clock, 6*time.Second) // set on a quiet machine
			defer cancel()
			source.passes(clock, 3*time.Second, 1, 1)
			source.passes(clock, 11*time.Second, slow.machine, slow.servers)
			assert.NoError(t, ctx.Err(), "3 s and a quarter of 11 s")
			deadline, _ := ctx.Deadline()
			assert.Greater(t, deadline.Sub(source.now()), lastPoll, "nothing returns early")
			source.passes(clock, time.Second, slow.machine, slow.servers)
			assert.Equal(t, context.DeadlineExceeded, ctx.Err(), "3 s and a quarter of 12 s")
			assert.NoError(t, clock.starvation(), "it had its time")
		})
	}
}

func TestAServersOwnTimeOutsTakeAsLongOnABusyMachine(t *testing.T) {
	clock, source := fakeClock()
	ctx, cancel := step(clock, 45*time.Second)
	defer cancel()
	source.passes(clock, 56*time.Second, 3, 1)
	assert.NoError(t, ctx.Err())
	source.passes(clock, 2*time.Second, 3, 1)
	assert.Error(t, ctx.Err(), "45 s, of which 6 s take three times as long")
}

// TestDeadlineThatPassesTooEarly: past the bound in wall time, a time-out proves nothing.
func TestDeadlineThatPassesTooEarly(t *testing.T) {
	clock, source := fakeClock()
	ctx, cancel := step(clock, 4*time.Second)
	defer cancel()
	source.passes(clock, 39*time.Second, 50, 1)
	assert.NoError(t, ctx.Err())
	assert.NoError(t, clock.starvation())
	source.passes(clock, 800*time.Millisecond, 50, 1)
	assert.Error(t, clock.starvation(), "waiting loops return a little before the end")
	source.passes(clock, 200*time.Millisecond, 50, 1)
	assert.Equal(t, context.DeadlineExceeded, ctx.Err())
	assert.True(t, ctx.isForced())
	assert.ErrorContains(t, clock.starvation(), "a deadline of 4s passed while the machine was 50.0 times slower than a quiet one")
}

func TestDeadlineIsNotEarlierThanItsMinimum(t *testing.T) {
	clock, source := fakeClock()
	ctx, cancel := clock.within(context.Background(), time.Second, time.Second, 3*time.Second, stepLimit)
	defer cancel()
	source.passes(clock, 2900*time.Millisecond, 1, 1)
	assert.NoError(t, ctx.Err())
	source.passes(clock, 100*time.Millisecond, 1, 1)
	assert.Error(t, ctx.Err())
}

// TestMinimumShrinksOnceTheMachineIsQuiet: a heartbeat that was late before a wait extends it only as long as others are late.
func TestMinimumShrinksOnceTheMachineIsQuiet(t *testing.T) {
	clock, source := fakeClock()
	minimum := 38 * time.Second
	ctx, cancel := clock.within(context.Background(), 8*time.Second, maxWork, minimum, stepLimit)
	defer cancel()
	ctx.shrinks(func() time.Duration { return minimum })
	source.passes(clock, 10*time.Second, 1, 1)
	assert.NoError(t, ctx.Err(), "the machine is busy")
	minimum = 14 * time.Second
	source.passes(clock, 3*time.Second, 1, 1)
	assert.NoError(t, ctx.Err(), "it is less busy")
	minimum = 60 * time.Second
	source.passes(clock, 20*time.Second, 1, 1)
	assert.NoError(t, ctx.Err(), "it is busy again")
	minimum = 8 * time.Second
	source.passes(clock, heartbeat, 1, 1)
	assert.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)

	bounded, cancelBounded := clock.within(context.Background(), 8*time.Second, maxWork, 8*time.Second, stepLimit)
	defer cancelBounded()
	bounded.shrinks(func() time.Duration { return time.Minute })
	source.passes(clock, 8*time.Second, 1, 1)
	assert.ErrorIs(t, bounded.Err(), context.DeadlineExceeded, "it does not grow: the clock charges less instead")
}

func TestCheckLimitIsDistinguishedFromStepDeadline(t *testing.T) {
	clock, source := fakeClock()
	whole, cancel := clock.within(context.Background(), 10*time.Second, 10*time.Second, 10*time.Second, checkLimit)
	defer cancel()
	ctx, cancelStep := clock.within(whole, 8*time.Second, 6*time.Second, 8*time.Second, stepLimit)
	defer cancelStep()
	child, cancelChild := context.WithTimeout(ctx, time.Hour)
	defer cancelChild()
	source.passes(clock, 5*time.Second, 1, 1)
	late, cancelLate := clock.within(whole, 8*time.Second, 6*time.Second, 8*time.Second, stepLimit)
	defer cancelLate()
	source.passes(clock, 3*time.Second, 1, 1)
	<-child.Done()
	assert.Equal(t, context.DeadlineExceeded, child.Err())
	assert.Nil(t, ranOut(child), "a step's")
	deadline, _ := late.Deadline()
	assert.Equal(t, 2*time.Second+2*lastPoll, deadline.Sub(source.now()), "no waiting loop returns because of the check's own limit")
	source.passes(clock, 2*time.Second, 1, 1)
	<-late.Done()
	assert.Equal(t, context.DeadlineExceeded, late.Err())
	require.NotNil(t, ranOut(late))
	assert.ErrorContains(t, ranOut(late), "did not end within 10s of its own time; neither the machine nor the check's servers were slow")
	assert.ErrorIs(t, ranOut(late), context.DeadlineExceeded)
}

func TestReasonWhyACheckRanOutOfTime(t *testing.T) {
	for message, slow := range map[string]slowness{
		"the machine was 5.0 times slower than a quiet one": {5, 2}, "the check's servers were 5.0 times slower than on a quiet machine": {1.2, 5},
	} {
		clock, source := fakeClock()
		whole, cancel := clock.within(context.Background(), 10*time.Second, 10*time.Second, 10*time.Second, checkLimit)
		source.passes(clock, time.Minute, slow.machine, slow.servers)
		require.NotNil(t, ranOut(whole))
		assert.ErrorContains(t, ranOut(whole), message)
		assert.NotErrorIs(t, ranOut(whole), errOwnSlowness)
		cancel()
	}
}

func TestAClockDoesNotRunWhileItIsPaused(t *testing.T) {
	clock, source := fakeClock()
	ctx, cancel := step(clock, 2*time.Second)
	defer cancel()
	resume := clock.pause()
	source.passes(clock, time.Minute, 1, 1)
	resume()
	assert.NoError(t, ctx.Err())
	source.passes(clock, 2*time.Second, 1, 1)
	assert.Error(t, ctx.Err())
}

func TestAStallIsNotCharged(t *testing.T) {
	clock, source := fakeClock()
	ctx, cancel := step(clock, time.Second)
	defer cancel()
	source.mu.Lock()
	source.time = source.time.Add(3 * time.Second)
	source.mu.Unlock()
	clock.advance()
	assert.NoError(t, ctx.Err())
}

func TestAContextEndsWithItsParent(t *testing.T) {
	clock, _ := fakeClock()
	parent, end := context.WithCancelCause(context.Background())
	ctx, cancel := clock.within(parent, time.Hour, 0, 0, stepLimit)
	defer cancel()
	end(context.Canceled)
	<-ctx.Done()
	assert.Equal(t, context.Canceled, ctx.Err())
	afterwards, cancelAfterwards := clock.within(parent, time.Hour, 0, 0, stepLimit)
	defer cancelAfterwards()
	assert.Equal(t, context.Canceled, afterwards.Err())
	passed, cancelPassed := step(clock, 0)
	defer cancelPassed()
	assert.Equal(t, context.DeadlineExceeded, passed.Err(), "nothing is allowed")
	own, cancelOwn := step(clock, time.Hour)
	cancelOwn()
	assert.Equal(t, context.Canceled, own.Err())
	assert.Empty(t, clock.pending)
}

// TestOvertimeOfAStepIsNotChargedToItsCheck: after a late heartbeat a wait of 8 s may last 38 s.
func TestOvertimeOfAStepIsNotChargedToItsCheck(t *testing.T) {
	clock, source := fakeClock()
	limit, release := clock.within(context.Background(), 45*time.Second, 45*time.Second, 75*time.Second, checkLimit)
	defer release()
	for range 4 {
		waits, cancel := clock.within(limit, 8*time.Second, maxWork, 38*time.Second, stepLimit)
		source.passes(clock, 38*time.Second, 1, 1)
		assert.ErrorIs(t, waits.Err(), context.DeadlineExceeded)
		cancel()
		assert.NoError(t, limit.Err())
	}
	assert.Equal(t, 32*time.Second, clock.worked().charged)
	assert.Equal(t, 1.0, clock.meanSlowness(), "that explains no late answer")
	source.passes(clock, 13*time.Second, 1, 1)
	assert.ErrorIs(t, limit.Err(), context.DeadlineExceeded, "without a step its own time goes on")
}

// TestStepsHaveTheirTimeInTheOvertimeOfOthers: a step is charged, and ends, whatever other steps go on.
func TestStepsHaveTheirTimeInTheOvertimeOfOthers(t *testing.T) {
	clock, source := fakeClock()
	limit, release := clock.within(context.Background(), 45*time.Second, 45*time.Second, 5*time.Minute, checkLimit)
	defer release()
	many, cancelMany := clock.within(limit, 30*time.Second, 30*time.Second, 3*time.Minute, stepsLimit) // set while the machine was slow
	defer cancelMany()
	other, cancelOther := clock.within(many, 8*time.Second, maxWork, time.Minute, stepLimit)
	defer cancelOther()
	source.passes(clock, 20*time.Second, 1, 1)
	assert.NoError(t, other.Err())
	for range 100 {
		waits, cancel := step(clock, 500*time.Millisecond)
		source.passes(clock, 500*time.Millisecond, 1, 1)
		assert.ErrorIs(t, waits.Err(), context.DeadlineExceeded)
		cancel()
	}
	assert.ErrorIs(t, other.Err(), context.DeadlineExceeded)
	assert.NoError(t, clock.starvation(), "each had its time")
	assert.NoError(t, many.Err())
	assert.Equal(t, 18*time.Second, clock.worked().charged, "8 s before the overtime of the other, 10 s after it")
	source.passes(clock, 100*time.Second, 1, 1)
	assert.Equal(t, 118*time.Second, clock.worked().charged, "that of many steps goes on: they have had their time, but the check has not")
}

// TestOvertimeIsBounded: waits that overlap, each in overtime most of the time, do not keep a check alive for ever.
func TestOvertimeIsBounded(t *testing.T) {
	clock, source := fakeClock()
	limit, release := clock.within(context.Background(), 45*time.Second, 45*time.Second, 45*time.Second, checkLimit)
	defer release()
	for limit.Err() == nil && clock.all.elapsed < time.Hour {
		_, cancel := clock.within(limit, 8*time.Second, maxWork, 38*time.Second, stepLimit)
		defer cancel()
		source.passes(clock, 20*time.Second, 1, 1)
	}
	assert.Less(t, clock.all.elapsed, 45*time.Second+maxDelay+time.Minute)
}

// TestReasonOfAStepThatWasSlow: the message describes the step's own time if the check's average explains nothing.
func TestReasonOfAStepThatWasSlow(t *testing.T) {
	clock, source := fakeClock()
	source.passes(clock, 10*time.Minute, 1, 1)
	_, cancel := step(clock, 500*time.Millisecond)
	defer cancel()
	source.passes(clock, 5*time.Second, 50, 1)
	assert.ErrorContains(t, clock.starvation(), "a deadline of 500ms passed while for a moment the machine or the check's servers were 50.0 times slower than usual")
}
