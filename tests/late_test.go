package main

// The suite against a candidate whose federation port opens 15 s after it answers clients, at each start: it is judged as
// any other.

import (
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

const (
	lateProgram = "saboteur-federates-later"
	// besideFederation are checks that need the federation port right after the start of a server, and after another start.
	besideFederation = `^(room-version/advertised|mapping/in-local-join|membership/(join-remote|remote-joins-us)|routing/reaches-members` +
		`|resilience/(restart|stays-up))$`
)

func TestServerThatFederatesLaterIsJudgedAsAnyOther(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("the saboteur, as the process runtime, needs Linux")
	}
	healthy := prepareHealthy(t, "process")
	expected := judgePart(t, healthy, "process", besideFederation)
	require.Equal(t, verdict.Pass, expected[closing].Verdict, "%s", expected[closing].Reason)
	assertSame := func(t *testing.T, got map[string]verdict.CheckResult) {
		t.Helper()
		require.Len(t, got, len(expected))
		for name, result := range got {
			assert.Equal(t, expected[name].Verdict, result.Verdict, "%s: %s", name, result.Reason)
		}
	}

	t.Run("process", func(t *testing.T) {
		folder := t.TempDir()
		program := filepath.Join(folder, lateProgram)
		buildSaboteur(t, program, goruntime.GOARCH)
		require.NoError(t, os.Symlink(healthy.Program, filepath.Join(folder, filepath.Base(healthy.Program))))
		artifact := runtime.Artifact{Candidate: lateProgram, Program: program, Environment: healthy.Environment}
		assertSame(t, judgePart(t, artifact, "process", besideFederation))
	})
	t.Run("docker", func(t *testing.T) {
		if testing.Short() {
			t.Skip("containers take their time")
		}
		cli, err := engine.Connect(t.Context())
		if err != nil {
			t.Skipf("this part needs a container engine: %v", err)
		}
		defer func() { _ = cli.Close() }()
		prepared := prepareHealthy(t, "docker")
		version, err := cli.ServerVersion(t.Context())
		require.NoError(t, err)
		saboteur := filepath.Join(t.TempDir(), "saboteur")
		buildSaboteur(t, saboteur, version.Arch)
		artifact := runtime.Artifact{
			Candidate: lateProgram, Image: sabotagedImage(t, cli, prepared.Image, saboteur, lateProgram), Environment: prepared.Environment,
		}
		assertSame(t, judgePart(t, artifact, "docker", besideFederation))
	})
}
