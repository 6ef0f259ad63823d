package suite

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/requirements"
	"msc4014/runtime"
)

func TestARootIsSomethingThatAServerCanFail(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	refuse := mayFail(catalogue)
	assert.NoError(t, refuse("membership/join-remote"))
	assert.ErrorContains(t, refuse("mapping/delivered-by-third-server"), "is open")
	assert.ErrorContains(t, refuse("mapping/none-such"), "has no requirement")
}

func TestReserve(t *testing.T) {
	all := append(some(), &check.Check{Name: "d", Requires: []string{"resilience/x"}, Closing: true})
	assert.Equal(t, []*check.Check{all[1], all[2]}, reserve(all, all[:1], plan.Plan{}))
	assert.Equal(t, []*check.Check{all[1]}, reserve(all, all[:1], plan.Plan{Second: &runtime.Artifact{}}), "mixed deployments run checks with two servers")
	assert.Empty(t, reserve(all, all[:1], plan.Plan{Only: true}))
}
