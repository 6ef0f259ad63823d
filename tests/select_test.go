package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
)

func some() []*check.Check {
	return []*check.Check{
		{Name: "a", Requirements: []string{"mapping/one"}},
		{Name: "b", Requirements: []string{"mapping/two"}, Slow: true},
		{Name: "c", Requirements: []string{"routing/one"}},
	}
}

func chosenNames(t *testing.T, wanted plan.Plan) string {
	t.Helper()
	chosen, err := choose(some(), wanted)
	require.NoError(t, err)
	names := ""
	for _, one := range chosen {
		names += one.Name
	}
	return names
}

func TestChoose(t *testing.T) {
	assert.Equal(t, "bac", chosenNames(t, plan.Plan{}), "slow checks start first")
	assert.Equal(t, "ba", chosenNames(t, plan.Plan{Run: "^mapping/"}))
	assert.Equal(t, "c", chosenNames(t, plan.Plan{Run: "^c$"}))
	assert.Equal(t, "b", chosenNames(t, plan.Plan{Shard: "2/3"}))
	assert.Equal(t, chosenNames(t, plan.Plan{Shuffle: 7}), chosenNames(t, plan.Plan{Shuffle: 7}))
}

func TestChooseRefuses(t *testing.T) {
	for _, wanted := range []plan.Plan{{Run: "("}, {Run: "nothing"}, {Shard: "3"}, {Shard: "0/2"}, {Shard: "3/2"}, {Shard: "a/b"}} {
		_, err := choose(some(), wanted)
		assert.Error(t, err, "%+v", wanted)
	}
}
