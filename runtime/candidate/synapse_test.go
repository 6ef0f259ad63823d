package candidate

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSynapseIsForDockerOnly(t *testing.T) {
	ownCache(t)
	root := filepath.Join("..", "..")
	candidate, err := Parse(root, "synapse")
	require.NoError(t, err)
	assert.Equal(t, "synapse", candidate.FullName(), "its version is whichever Debian has")
	assert.Equal(t, []string{docker}, Runtimes(candidate))

	_, err = Prepare(t.Context(), root, candidate, process, nil)
	assert.ErrorContains(t, err, "use --runtime docker")
	_, err = Parse(root, "synapse@1.160.0")
	assert.ErrorContains(t, err, "it has no pinned versions")
}

// The image is made by the suite's own run, not by a unit test, as that takes minutes; if it is there, it is found at
// once and tells Debian's version.
func TestSynapseIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the Docker engine")
	}
	engine, err := openEngine(t.Context())
	if err != nil {
		t.Skip(err)
	}
	defer engine.close()
	root := filepath.Join("..", "..")
	candidate, err := Parse(root, "synapse")
	require.NoError(t, err)
	base, err := engine.findBase(t.Context())
	require.NoError(t, err)
	tag, _, err := synapseBuild(&task{root: root, candidate: candidate}, base)
	require.NoError(t, err)
	if _, err := engine.client.ImageInspect(t.Context(), tag); err != nil {
		t.Skipf("%s was not built yet: ./run.sh synapse does it", tag)
	}
	artifact, err := Prepare(t.Context(), root, candidate, docker, func(line string) { t.Log(line) })
	require.NoError(t, err)
	assert.Equal(t, tag, artifact.Image)
	assert.Regexp(t, `^1\.\d+\.\d+`, artifact.Version)
}
