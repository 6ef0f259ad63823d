package check

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// TestEmptyLanesCloseNothing: with one check at a time, the usual lane uses the deployments of the others.
func TestEmptyLanesCloseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner := New(Options{Deployments: &fakeServers{}, Parallel: 1, Emit: func(verdict.Event) {}})
		leave := func(blueprint string) *instance {
			left, err := runner.begin(t.Context(), blueprint, false)
			require.NoError(t, err)
			return left
		}
		handedOn, givenBack := leave("attacked").deployment, leave("one server")
		givenBack.reusable = true
		runner.expendables.put("attacked", handedOn)
		runner.idle["one server"] = []*instance{givenBack}
		expends := expending("expends", func(c *C) {
			synctest.Wait() // the other lanes have ended
			found, _ := expends(c, false)
			assert.Same(t, handedOn, found)
			assert.False(t, found.closed.Load())
		})
		deadly := named("deadly", func(_ *C, found *fakeServer) {
			assert.Same(t, givenBack.deployment, found)
			assert.False(t, found.closed.Load())
		})
		deadly.Deadly = true
		runner.options.Checks = []*Check{expends, deadly}
		require.NoError(t, runner.Run(t.Context()))
		runner.Wait()
	})
}
