package runtime

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestArtifactsByHost(t *testing.T) {
	one, other := Artifact{Candidate: "one"}, Artifact{Candidate: "other"}
	assert.Equal(t, one, Artifacts{Main: one}.For("hs2"))
	mixed := Artifacts{Main: one, ByHost: map[string]Artifact{"hs2": other}}
	assert.Equal(t, one, mixed.For("hs1"))
	assert.Equal(t, other, mixed.For("hs2"))
	assert.Equal(t, other, mixed.For("HS2"))
	assert.True(t, mixed.Mixed())
	assert.False(t, Artifacts{Main: one, ByHost: map[string]Artifact{"hs1": other, "hs2": other}}.Mixed())
	assert.ElementsMatch(t, []Artifact{one, other}, mixed.All())
}
