package wait_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/wait"
)

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestPolicyLengthensAndNeverShortens(t *testing.T) {
	assert.Equal(t, time.Second, wait.Policy{}.Scale(time.Second))
	assert.Equal(t, time.Second, wait.Policy{Factor: func() float64 { return 0.1 }}.Scale(time.Second))
	slow := wait.Policy{Factor: func() float64 { return 2.5 }}
	assert.Equal(t, 2500*time.Millisecond, slow.Scale(time.Second))
	ctx, cancel := slow.Context(context.Background(), time.Minute)
	defer cancel()
	deadline, ok := ctx.Deadline()
	require.True(t, ok)
	assert.InDelta(t, 150, time.Until(deadline).Seconds(), 5)
}

func TestForMissesNoAnnouncement(t *testing.T) {
	var changes wait.Broadcast
	var count atomic.Int64
	const goal = 1000
	go func() {
		for range goal {
			count.Add(1)
			changes.Announce()
		}
	}()
	value, err := wait.For(within(t, 20*time.Second), changes.Changed, func(context.Context) (int64, bool, error) {
		now := count.Load()
		return now, now == goal, nil
	})
	require.NoError(t, err)
	assert.Equal(t, int64(goal), value)
}

func TestForTellsWhyNot(t *testing.T) {
	var never wait.Broadcast
	reason := errors.New("3 of 4 servers")
	_, err := wait.For(within(t, 20*time.Millisecond), never.Changed, func(context.Context) (int, bool, error) { return 0, false, reason })
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorIs(t, err, reason)
	assert.Contains(t, err.Error(), "(looked 1 times): 3 of 4 servers")

	_, err = wait.For(within(t, 20*time.Millisecond), never.Changed, func(context.Context) (int, bool, error) { return 0, false, nil })
	var waited *wait.Error
	require.ErrorAs(t, err, &waited)
	assert.NoError(t, waited.Last)
}

func TestUntilLooksAgain(t *testing.T) {
	looks := 0
	err := wait.Until(within(t, 10*time.Second), time.Millisecond, func(context.Context) error {
		if looks++; looks < 3 {
			return errors.New("not ready")
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 3, looks)
}

func TestUntilEnds(t *testing.T) {
	last := errors.New("connection refused")
	err := wait.Until(within(t, 30*time.Millisecond), time.Millisecond, func(context.Context) error { return last })
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorIs(t, err, last)

	looks := 0
	err = wait.Until(within(t, 10*time.Second), time.Millisecond, func(context.Context) error {
		looks++
		return fmt.Errorf("the server: %w", wait.Stop(last))
	})
	assert.ErrorIs(t, err, last)
	assert.EqualError(t, err, "the server: connection refused")
	assert.Equal(t, 1, looks)
	assert.Equal(t, last, wait.Until(within(t, 10*time.Second), time.Millisecond, func(context.Context) error { return wait.Stop(last) }))
	assert.NoError(t, wait.Stop(nil))

	ctx, cancel := context.WithCancel(within(t, 10*time.Second))
	err = wait.Until(ctx, time.Hour, func(context.Context) error { cancel(); return last })
	assert.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, err.Error(), "given up after")
}

func TestMistakesAreToldAtOnce(t *testing.T) {
	nothing := func(context.Context) error { return errors.New("no") }
	assert.ErrorContains(t, wait.Until(context.Background(), time.Second, nothing), "no deadline")
	assert.ErrorContains(t, wait.Until(within(t, time.Second), 0, nothing), "an interval of 0s")
}
