package stage_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/blueprints/fake"
	"msc4014/helpers/check"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// TestALateStartOnASlowMachineIsNoVerdict: the bound of a start is in wall time.
func TestALateStartOnASlowMachineIsNoVerdict(t *testing.T) {
	for name, each := range map[string]struct {
		slowness float64
		failure  runtime.StartError
		decided  verdict.Verdict
	}{
		"late, slow":   {3, runtime.StartError{Late: true, Waited: 30 * time.Second}, verdict.Error},
		"late, quiet":  {1, runtime.StartError{Late: true, Waited: 30 * time.Second}, verdict.Blocked},
		"exited, slow": {3, runtime.StartError{Waited: 30 * time.Second}, verdict.Blocked},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeCandidate(t)
			var mu sync.Mutex
			var final verdict.CheckResult
			runner := check.New(check.Options{
				Deployments: f.world, Slowness: func() float64 { return each.slowness },
				Checks: []*check.Check{{Name: "a check", Requires: []string{"mapping/x"}, Body: func(c *check.C) {
					s := stage.Open(c, blueprints.OneServer)
					s.Deployment.Server(0).(*fake.Server).OnStart = func(context.Context) error { return &each.failure }
					passes, cancel := c.Within(200 * time.Millisecond)
					defer cancel()
					<-passes.Done() // so that its clock knows how slow the machine is
					s.Restart(1, true)
				}}},
				Emit: func(event verdict.Event) {
					if event.Kind == verdict.KindCheckFinal {
						mu.Lock()
						defer mu.Unlock()
						final = *event.Result
					}
				},
			})
			require.NoError(t, runner.Run(t.Context()))
			runner.Wait()
			assert.Equal(t, each.decided, final.Verdict, final.Reason)
		})
	}
}
