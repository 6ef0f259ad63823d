package candidate

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A software that consists only of a Dockerfile and versions.txt becomes an image.
func TestPrepareFromADockerfile(t *testing.T) {
	engine, err := openEngine(t.Context())
	if err != nil {
		t.Skip(err)
	}
	defer engine.close()
	ownCache(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "dockerfiles", "msc4014-test"), map[string]string{
		// The label is unique, so that no other run of this test on this engine shares the image or its layers.
		"Dockerfile":   "FROM scratch\nLABEL of=" + root + "\nARG VERSION\nLABEL org.opencontainers.image.version=${VERSION}-made\nCOPY config /config\n",
		"versions.txt": "1.2\n1.10\n",
		"config/a":     "content",
	})
	candidate, err := Parse(root, "msc4014-test")
	require.NoError(t, err)
	artifact, err := Prepare(t.Context(), root, candidate, docker, nil)
	require.NoError(t, err)
	defer func() { // like a later process: nobody holds the lock
		c := ownCache(t)
		write(t, c.dir, map[string]string{imageLock(artifact.Image) + ".lock": ""})
		assert.Contains(t, clean(t), "removed the image "+artifact.Image)
		assert.False(t, engine.hasImage(t.Context(), artifact.Image)())
	}()
	assert.Equal(t, "1.10-made", artifact.Version)
	assert.Contains(t, artifact.Image, "msc4014/msc4014-test:1.10-")
	found, err := engine.client.ImageInspect(t.Context(), artifact.Image)
	require.NoError(t, err)
	assert.Equal(t, "msc4014-test@1.10", found.Config.Labels[Label])

	assert.Contains(t, clean(t), "left the image "+artifact.Image+": a live run uses or makes it")
	ownCache(t)
	assert.Contains(t, clean(t), "left the image "+artifact.Image+": it was built by another user")
	assert.True(t, engine.hasImage(t.Context(), artifact.Image)())

	write(t, filepath.Join(root, "dockerfiles", "msc4014-test"), map[string]string{"Dockerfile": "FROM scratch\nCOPY missing /\n"})
	_, err = Prepare(t.Context(), root, candidate, docker, nil)
	assert.ErrorContains(t, err, "cannot prepare msc4014-test")
	assert.ErrorContains(t, err, "missing")
}
