package stage_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints/fake"
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
			result := newFakeCandidate(t).judgeOn(t, func() float64 { return each.slowness }, func(s *stage.Stage) {
				s.Deployment.Server(0).(*fake.Server).OnStart = func(context.Context) error { return &each.failure }
				passes, cancel := s.C.Within(200 * time.Millisecond)
				defer cancel()
				<-passes.Done() // so that its clock knows how slow the machine is
				s.Restart(1, true)
			})
			assert.Equal(t, each.decided, result.Verdict, result.Reason)
		})
	}
}
