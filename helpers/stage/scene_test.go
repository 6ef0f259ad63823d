package stage_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// TestSharersOfASceneThatRanOutOfTime: they have no verdict either, and are not blocked by the requirement of the current step.
func TestSharersOfASceneThatRanOutOfTime(t *testing.T) {
	f := newFakeCandidate(t)
	shares := func(name, requirement string) *check.Check {
		return &check.Check{Name: name, Requires: []string{requirement}, Body: func(c *check.C) {
			stage.Scene(stage.Open(c, blueprints.OneServer), "a slow one", func() int {
				<-c.Context().Done()
				c.Need("mapping/in-creator-join", c.Context().Err())
				return 1
			})
		}}
	}
	var mu sync.Mutex
	final := map[string]verdict.CheckResult{}
	runner := check.New(check.Options{
		Deployments: f.world, Limit: 500 * time.Millisecond, Parallel: 2,
		Checks: []*check.Check{shares("needs it", "mapping/x"), shares("judges it", "mapping/in-creator-join")},
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal {
				mu.Lock()
				defer mu.Unlock()
				final[event.Check] = *event.Result
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	require.Len(t, final, 2)
	for name, result := range final {
		assert.Equal(t, verdict.Error, result.Verdict, name)
		assert.Contains(t, result.Reason, "did not end within 500ms of its own time", name)
		assert.Empty(t, result.BlockedBy, name)
	}
}
