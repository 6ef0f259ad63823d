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

// The suite's own run builds the image; a unit test does not, as that takes minutes. If the image exists, it is found
// immediately and has Debian's version.
func TestSynapseIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("uses the Docker engine")
	}
	engine, err := openEngine(t.Context())
	if err != nil {
		t.Skip(err)
	}
	defer engine.close()
	root := filepath.Join("..", "..")
	candidate, err := Parse(root, "synapse")
	require.NoError(t, err)
	_, base, err := engine.findBase(t.Context(), sid)
	require.NoError(t, err)
	tag, _, err := buildOn(&task{root: root, candidate: candidate}, base)
	require.NoError(t, err)
	if _, err := engine.client.ImageInspect(t.Context(), tag); err != nil {
		t.Skipf("%s does not exist; build it with ./run.sh synapse", tag)
	}
	artifact, err := Prepare(t.Context(), root, candidate, docker, func(line string) { t.Log(line) })
	require.NoError(t, err)
	assert.Equal(t, tag, artifact.Image)
	assert.Regexp(t, `^1\.\d+\.\d+`, artifact.Version)
}
