package candidate

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
)

func parseReference(t *testing.T, name string) Candidate {
	t.Helper()
	candidate, err := Parse(filepath.Join("..", ".."), name)
	require.NoError(t, err)
	return candidate
}

func TestReferencesVersionsAreItsDialects(t *testing.T) {
	assert.Equal(t, "reference@msc4014", parseReference(t, "reference").FullName(), "the MSC's dialect is the default")
	assert.Equal(t, "reference@dendrite", parseReference(t, "reference@dendrite").FullName())
	_, err := Parse(filepath.Join("..", ".."), "reference@1.0")
	assert.ErrorContains(t, err, "use one of msc4014, dendrite")
}

func TestWith(t *testing.T) {
	candidate := parseReference(t, "reference")
	chosen, err := candidate.With("--fault one-key-a-user", nil)
	require.NoError(t, err)
	assert.Equal(t, "reference --fault one-key-a-user", chosen.Name)
	assert.Equal(t, "reference@msc4014 --fault one-key-a-user", chosen.FullName())
	assert.NotEqual(t, candidate.SafeName(), chosen.SafeName(), "its results have their own folder")

	dendrite := Candidate{Name: "dendrite", Software: "dendrite", Version: "0.15.2"}
	_, err = dendrite.With("--fault one-key-a-user", nil)
	assert.EqualError(t, err, "--fault one-key-a-user works only with the candidate reference, not with dendrite")
}

// All dialects and readings share one program and one image; each overlay has its own.
func TestPrepareReference(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the reference")
	}
	prepare := func(runtimeName, name string, environment ...string) runtime.Artifact {
		candidate := parseReference(t, name)
		candidate.Environment = environment
		artifact, err := Prepare(t.Context(), filepath.Join("..", ".."), candidate, runtimeName, func(line string) { t.Log(line) })
		require.NoError(t, err)
		assert.Equal(t, candidate.Name, artifact.Candidate)
		return artifact
	}
	t.Run("process", func(t *testing.T) {
		text := prepare(process, "reference")
		info, err := os.Stat(text.Program)
		require.NoError(t, err)
		assert.NotZero(t, info.Mode()&0o100)
		assert.Equal(t, []string{"MSC4014_REFERENCE_DIALECT=msc4014"}, text.Environment)
		deployed := prepare(process, "reference@dendrite", "MSC4014_REFERENCE_READINGS=redaction/sender-key-kept=kept")
		assert.Equal(t, text.Program, deployed.Program)
		assert.Equal(t, []string{"MSC4014_REFERENCE_DIALECT=dendrite", "MSC4014_REFERENCE_READINGS=redaction/sender-key-kept=kept"}, deployed.Environment)
	})
	t.Run("process, with overlays", func(t *testing.T) {
		const path = "dockerfiles/reference/main.go"
		source, err := os.ReadFile(filepath.Join("..", "..", path))
		require.NoError(t, err)
		plain := prepare(process, "reference").Program
		programs := make([]string, 2)
		var group sync.WaitGroup
		for i := range programs {
			group.Go(func() {
				candidate := parseReference(t, "reference")
				candidate.Overlay = map[string][]byte{path: bytes.ReplaceAll(source, []byte("all other settings are read"), []byte(strings.Repeat("x", i+1)+" is read"))}
				artifact, err := Prepare(t.Context(), filepath.Join("..", ".."), candidate, process, nil)
				if !assert.NoError(t, err) {
					return
				}
				programs[i] = artifact.Program
				said, err := exec.CommandContext(t.Context(), artifact.Program, "--help").CombinedOutput()
				assert.NoError(t, err)
				assert.Contains(t, string(said), " "+strings.Repeat("x", i+1)+" is read")
			})
		}
		group.Wait()
		assert.NotContains(t, programs, plain)
		assert.NotEqual(t, programs[0], programs[1])
		for _, program := range programs {
			files, err := os.ReadDir(filepath.Dir(program))
			require.NoError(t, err)
			assert.Len(t, files, 1, "only the program is kept")
		}
	})
	t.Run("docker", func(t *testing.T) {
		engine, err := openEngine(t.Context())
		if err != nil {
			t.Skip(err)
		}
		defer engine.close()
		text, deployed := prepare(docker, "reference"), prepare(docker, "reference@dendrite")
		assert.Regexp(t, `^msc4014/reference:[0-9a-f]{12}$`, text.Image)
		assert.Equal(t, text.Digest, deployed.Digest)
		found, err := engine.client.ImageInspect(t.Context(), text.Image)
		require.NoError(t, err)
		assert.Equal(t, referenceSoftware, found.Config.Labels[Label])
		assert.Equal(t, "/data/"+referenceConfiguration, found.Config.Labels[runtime.ConfigurationLabel])
		assert.Contains(t, found.Config.Volumes, "/data")

		const path = "dockerfiles/reference/main.go"
		source, err := os.ReadFile(filepath.Join("..", "..", path))
		require.NoError(t, err)
		candidate := parseReference(t, "reference")
		candidate.Overlay = map[string][]byte{path: append(source, "\nvar _ = 1\n"...)}
		patched, err := Prepare(t.Context(), filepath.Join("..", ".."), candidate, docker, nil)
		require.NoError(t, err)
		assert.NotEqual(t, text.Image, patched.Image)
		found, err = engine.client.ImageInspect(t.Context(), patched.Image)
		require.NoError(t, err)
		assert.Equal(t, referenceSoftware, found.Config.Labels[Label])
		_, err = engine.client.ImageRemove(t.Context(), patched.Image, image.RemoveOptions{})
		assert.NoError(t, err)
	})
}
