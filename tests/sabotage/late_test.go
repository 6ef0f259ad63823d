package sabotage

// The suite against an image whose federation port opens 15 s after it answers clients: it is judged as any other.

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

const (
	lateProgram = "saboteur-federates-later"
	// besideFederation are quick checks that need the federation port right after the start of a server.
	besideFederation = `^(room-version/advertised|mapping/in-local-join|membership/(join-remote|remote-joins-us))$`
)

func TestServerThatFederatesLaterIsJudgedAsAnyOther(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("containers take their time")
	}
	cli, err := engine.Connect(t.Context())
	if err != nil {
		t.Skipf("this test needs a container engine: %v", err)
	}
	defer func() { _ = cli.Close() }()
	healthy := prepareHealthy(t, "docker")
	expected := judgePart(t, healthy, "docker", besideFederation)
	require.NotEmpty(t, expected)

	version, err := cli.ServerVersion(t.Context())
	require.NoError(t, err)
	saboteur := filepath.Join(t.TempDir(), "saboteur")
	buildSaboteur(t, saboteur, version.Arch)
	got := judgePart(t, runtime.Artifact{
		Candidate: lateProgram, Image: sabotagedImage(t, cli, healthy.Image, saboteur, lateProgram), Environment: healthy.Environment,
	}, "docker", besideFederation)
	require.Len(t, got, len(expected))
	for name, result := range got {
		assert.Equal(t, expected[name].Verdict, result.Verdict, "%s: %s", name, result.Reason)
	}
}
