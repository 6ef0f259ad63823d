package stream

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAdvanceShowsWhatWasPublished(t *testing.T) {
	clock := NewClock(7)
	published := int64(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		clock.Wait(t.Context(), 7)
		assert.Equal(t, int64(8), published)
	}()
	assert.NoError(t, clock.Advance(func(position int64) error { published = position; return nil }))
	<-done
	assert.Equal(t, int64(8), clock.Now())
}

func TestFailedPublishTakesNoPosition(t *testing.T) {
	clock := NewClock(0)
	failure := errors.New("no")
	assert.ErrorIs(t, clock.Advance(func(int64) error { return failure }), failure)
	assert.Zero(t, clock.Now())
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	NewClock(0).Wait(ctx, 0)
}
