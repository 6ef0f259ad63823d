package suite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/runtime"
	"msc4014/runtime/complement"
)

func some() []*check.Check {
	return []*check.Check{
		{Name: "a", Requires: []string{"mapping/one"}},
		{Name: "b", Requires: []string{"mapping/two"}, Slow: time.Second, TwoServers: true},
		{Name: "c", Requires: []string{"routing/one"}},
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

// TestRepeatedChecksFollowTheOthers: each has a name of its own; what is judged of the whole run is judged once.
func TestRepeatedChecksFollowTheOthers(t *testing.T) {
	chosen := []*check.Check{{Name: "a"}, {Name: "up", Closing: true}, {Name: "b"}}
	var names []string
	for _, one := range repeated(chosen, 3) {
		names = append(names, one.Name)
	}
	assert.Equal(t, []string{"a", "up", "b", "a (time 2 of 3)", "b (time 2 of 3)", "a (time 3 of 3)", "b (time 3 of 3)"}, names)
	assert.Len(t, repeated(chosen, 0), 3)
}

func TestChoose(t *testing.T) {
	assert.Equal(t, "bac", chosenNames(t, plan.Plan{}), "slow checks start first")
	assert.Equal(t, "bca", chosenNames(t, plan.Plan{First: []string{"c", "none", "b"}}))
	assert.Equal(t, "ba", chosenNames(t, plan.Plan{Run: "^mapping/"}))
	assert.Equal(t, "b", chosenNames(t, plan.Plan{Shard: "2/3"}))
	assert.Equal(t, chosenNames(t, plan.Plan{Shuffle: 7}), chosenNames(t, plan.Plan{Shuffle: 7}))
	for _, wanted := range []plan.Plan{{Run: "("}, {Run: "nothing"}, {Shard: "3"}} {
		_, err := choose(some(), wanted)
		assert.Error(t, err, "%+v", wanted)
	}
}

func TestMixedDeploymentsRunChecksWithTwoServersAndClosingOnes(t *testing.T) {
	all := append(some(), &check.Check{Name: "d", Requires: []string{"resilience/x"}, Closing: true})
	chosen, err := choose(all, plan.Plan{Second: &runtime.Artifact{Candidate: "other"}})
	require.NoError(t, err)
	assert.Equal(t, []*check.Check{all[1], all[3]}, chosen)
}

func TestArtifactsOfAPlan(t *testing.T) {
	main, other := runtime.Artifact{Candidate: "main", Image: "m"}, runtime.Artifact{Candidate: "other", Image: "o"}
	settings := complement.Options{BaseImages: map[string]string{"hs2": "of-complement"}}
	assert.Equal(t, runtime.Artifact{Candidate: "image:of-complement:latest", Image: "of-complement:latest"},
		artifacts(plan.Plan{Artifact: main, Runtime: "docker"}, settings).For("hs2"))
	assert.Equal(t, main, artifacts(plan.Plan{Artifact: main, Runtime: "docker"}, settings).For("hs1"))
	assert.Equal(t, main, artifacts(plan.Plan{Artifact: main, Runtime: "process"}, settings).For("hs2"), "images mean nothing there")
	own := runtime.Artifact{Candidate: "image:of-complement", Image: "of-complement:latest", Digest: "sha256:1"}
	assert.False(t, artifacts(plan.Plan{Artifact: own, Runtime: "docker"}, settings).Mixed(), "the candidate's own image, with its digest")
	settings = complement.Options{BaseImage: "base", BaseImages: map[string]string{"hs1": "of-complement"}}
	assert.Equal(t, own, artifacts(plan.Plan{Artifact: own, Runtime: "docker"}, settings).For("hs1"))
	assert.Equal(t, "base:latest", artifacts(plan.Plan{Artifact: own, Runtime: "docker"}, settings).For("hs2").Image)
	pair := artifacts(plan.Plan{Artifact: main, Second: &other, Runtime: "docker"}, settings)
	assert.Equal(t, []runtime.Artifact{main, other}, []runtime.Artifact{pair.For("hs1"), pair.For("hs2")})
}
