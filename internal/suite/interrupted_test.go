package suite

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

// TestInterruptedRunEmitsOnlyFinalEvents: servers are stopped with it, which looks like faults.
func TestInterruptedRunEmitsOnlyFinalEvents(t *testing.T) {
	kinds := []verdict.EventKind{
		verdict.KindCheckDone, verdict.KindFinding, verdict.KindServerDied, verdict.KindCheckFinal, verdict.KindObservation, verdict.KindNote,
	}
	ctx, cancel := context.WithCancel(t.Context())
	var emitted []verdict.EventKind
	emit := untilInterrupted(ctx, func(event verdict.Event) { emitted = append(emitted, event.Kind) })
	for _, kind := range kinds {
		emit(verdict.Event{Kind: kind})
	}
	assert.Equal(t, kinds, emitted)
	cancel()
	emitted = nil
	for _, kind := range kinds {
		emit(verdict.Event{Kind: kind})
	}
	assert.Equal(t, []verdict.EventKind{verdict.KindCheckFinal, verdict.KindObservation, verdict.KindNote}, emitted)
}
