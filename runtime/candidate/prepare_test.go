package candidate

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
)

// Dendrite is built once (a minute, if Go's cache is cold) and then reused.
func TestPrepareDendrite(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Dendrite")
	}
	root := filepath.Join("..", "..")
	candidate, err := Parse(root, "dendrite@0.13.8")
	require.NoError(t, err)
	twice := func(runtimeName string) runtime.Artifact {
		_, err := Prepare(t.Context(), root, candidate, runtimeName, func(line string) { t.Log(line) })
		require.NoError(t, err)
		started := time.Now()
		artifact, err := Prepare(t.Context(), root, candidate, runtimeName, func(line string) {
			t.Errorf("progress although nothing is left to do: %s", line)
		})
		require.NoError(t, err)
		t.Logf("found for %s in %s", runtimeName, time.Since(started))
		assert.Equal(t, "dendrite@0.13.8", artifact.Candidate)
		assert.Equal(t, "0.13.8", artifact.Version)
		return artifact
	}
	t.Run("process", func(t *testing.T) {
		artifact := twice(process)
		assert.True(t, filepath.IsAbs(artifact.Program))
		for _, program := range []string{artifact.Program, filepath.Join(filepath.Dir(artifact.Program), dendriteProgram)} {
			info, err := os.Stat(program)
			require.NoError(t, err)
			assert.NotZero(t, info.Mode()&0o100)
		}
	})
	t.Run("docker", func(t *testing.T) {
		engine, err := openEngine(t.Context())
		if err != nil {
			t.Skip(err)
		}
		defer engine.close()
		artifact := twice(docker)
		assert.True(t, strings.HasPrefix(artifact.Image, "msc4014/dendrite:0.13.8-"), artifact.Image)
		assert.True(t, strings.HasPrefix(artifact.Digest, "sha256:"), artifact.Digest)
		found, err := engine.client.ImageInspect(t.Context(), artifact.Image)
		require.NoError(t, err)
		assert.Equal(t, "dendrite@0.13.8", found.Config.Labels[Label])
		assert.Contains(t, found.Config.Volumes, "/data")

		any, err := Parse(root, "image:"+artifact.Image)
		require.NoError(t, err)
		same, err := Prepare(t.Context(), root, any, docker, nil)
		require.NoError(t, err)
		assert.Equal(t, artifact.Digest, same.Digest)

		// Without SERVER_NAME the entry point exits with an error, which shows that it runs in an image without a shell.
		made, err := engine.client.ContainerCreate(t.Context(), &container.Config{Image: artifact.Image}, nil, nil, nil, "")
		require.NoError(t, err)
		defer func() {
			_ = engine.client.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		}()
		require.NoError(t, engine.client.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
		ended, failed := engine.client.ContainerWait(t.Context(), made.ID, container.WaitConditionNotRunning)
		select {
		case result := <-ended:
			assert.EqualValues(t, 1, result.StatusCode)
		case err := <-failed:
			t.Error(err)
		case <-time.After(30 * time.Second):
			t.Error("the entry point did not end")
		}
	})
}

func TestPrepareAMissingImage(t *testing.T) {
	engine, err := openEngine(t.Context())
	if err != nil {
		t.Skip(err)
	}
	engine.close()
	candidate, err := Parse(".", "image:localhost:1/no/such:image")
	require.NoError(t, err)
	_, err = Prepare(t.Context(), ".", candidate, docker, nil)
	assert.ErrorContains(t, err, "could not be pulled")
}
