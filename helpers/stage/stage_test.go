package stage_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/blueprints/fake"
	"msc4014/helpers/check"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/authority"
)

// opened returns the result of a check that opens a stage in a world whose servers never start.
func opened(t *testing.T, twoServers bool, open func(c *check.C, blueprint stage.Blueprint) *stage.Stage) verdict.CheckResult {
	t.Helper()
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	world := blueprints.NewWorld(&fake.Runtime{OnStart: func(context.Context, runtime.ServerOptions) (runtime.Server, error) {
		assert.Fail(t, "a server is started for nothing")
		return nil, context.Canceled
	}}, issuer, nil)
	t.Cleanup(func() { assert.NoError(t, world.Close(context.Background())) })
	world.Artifacts.ByHost = map[string]runtime.Artifact{"hs2": {Candidate: "other"}}
	results := make(chan verdict.CheckResult, 1)
	runner := check.New(check.Options{
		Deployments: world,
		Checks:      []*check.Check{{Name: "a check", TwoServers: twoServers, Body: func(c *check.C) { open(c, blueprints.TwoServers) }}},
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal {
				results <- *event.Result
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	return <-results
}

func TestCandidatesWithoutRoomsTogetherEndTheCheck(t *testing.T) {
	result := opened(t, true, stage.Open)
	assert.Equal(t, verdict.Unsupported, result.Verdict)
	assert.Contains(t, result.Reason, "hs1 ()", "the one that lacks something is named")
}

func TestACheckOnTwoServersNeedsTwoServers(t *testing.T) {
	result := opened(t, false, stage.OpenOrdinary)
	assert.Equal(t, verdict.Error, result.Verdict)
	assert.Contains(t, result.Reason, "registered with TwoServers")
}
