package sabotage

// The suite against candidates whose answers are beyond all bounds: the run ends, and the fail is the server's.

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// bySync are a few quick checks, of which most look at what /sync shows.
const bySync = `^(room-version/created|membership/(join-local|leave)|mapping/in-local-join)$`

func TestAnswersBeyondAllBoundsAreTheServersFault(t *testing.T) {
	t.Parallel()
	if goruntime.GOOS != "linux" {
		t.Skip("the saboteur, as the process runtime, needs Linux")
	}
	healthy := prepareHealthy(t, "process")
	expected := judgePart(t, healthy, "process", bySync)
	for name, result := range expected {
		require.Equal(t, verdict.Pass, result.Verdict, "%s: %s", name, result.Reason)
	}
	folder := t.TempDir()
	buildSaboteur(t, filepath.Join(folder, "saboteur"), goruntime.GOARCH)
	require.NoError(t, os.Symlink(healthy.Program, filepath.Join(folder, filepath.Base(healthy.Program))))
	for mode, reason := range map[string]string{
		"saboteur-brackets": "GET /_matrix/client/v3/sync answered 200: the body nests deeper than 33024 levels",
		"saboteur-nested":   `GET /_matrix/client/v3/sync answered 200: the answer has no string at "next_batch"`,
		"saboteur-spaces":   "GET /_matrix/client/v3/sync answered 200: the body is larger than 64 MiB",
	} {
		t.Run(mode, func(t *testing.T) {
			program := filepath.Join(folder, mode)
			require.NoError(t, os.Symlink("saboteur", program))
			got := judgePart(t, runtime.Artifact{Candidate: mode, Program: program, Environment: healthy.Environment}, "process", bySync)
			require.Len(t, got, len(expected))
			for name, result := range got {
				assert.Contains(t, []verdict.Verdict{verdict.Fail, verdict.Blocked}, result.Verdict, "%s: %s", name, result.Reason)
				assert.Contains(t, result.Reason, reason, name)
			}
		})
	}
}
