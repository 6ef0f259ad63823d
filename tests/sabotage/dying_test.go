// Package sabotage runs parts of the suite against candidates that go wrong in one way.
package sabotage

// The suite against candidates that go wrong on one given request: the run ends, the blame is right, and the other checks
// keep the verdicts that they have of the same candidate in health.

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/suite"
	"msc4014/runtime"
	"msc4014/runtime/candidate/candidatetest"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
	_ "msc4014/tests/all"
)

const (
	// healthyCandidate is what the saboteur stands in front of.
	healthyCandidate = "reference"
	// culprit makes the request that the saboteur goes wrong on (tests/sabotage/saboteur).
	culprit = "an unknown room version is refused"
	closing = "no server crashes, hangs or falls ill"
	// besideCulprit are quick checks of several chapters, passing and failing ones, and the culprit.
	besideCulprit = `^(room-version/(advertised|created|upgrade-into|unknown-refused)|mapping/(in-local-join|names-.*|bad-signature-rejected)` +
		`|event-format/(content-hash|no-sender-field)|sender-key/differs-between-users|membership/(join-local|leave)` +
		`|redaction/displayname-goes|` + closing + `)$`
	// usualRun is what a run takes at most on a quiet machine, and longestRun on a busy one.
	usualRun, longestRun = 4 * time.Minute, 15 * time.Minute
)

// sabotages are what goes wrong, by the name of the saboteur's program, and how the blame must read.
var sabotages = []struct{ program, blame string }{
	{"saboteur-exits", `^the server died: hs1 exited with status 2$`},
	{"saboteur-exits-later", `^the server died: hs1 exited with status 2$`},
	{"saboteur-hangs", `^the server died: fell silent: hs1 did not answer GET /versions, and failed its health check$`},
}

func TestDyingServerCostsNobodyElseAVerdict(t *testing.T) {
	t.Parallel()
	if goruntime.GOOS != "linux" {
		t.Skip("the saboteur, as the process runtime, needs Linux")
	}
	healthy := prepareHealthy(t, "process")
	expected := judgePart(t, healthy, "process", besideCulprit)
	require.Equal(t, verdict.Pass, expected[culprit].Verdict, "%s", expected[culprit].Reason)
	require.Equal(t, verdict.Pass, expected[closing].Verdict, "%s", expected[closing].Reason)

	t.Run("process", func(t *testing.T) {
		folder := t.TempDir()
		buildSaboteur(t, filepath.Join(folder, "saboteur"), goruntime.GOARCH)
		require.NoError(t, os.Symlink(healthy.Program, filepath.Join(folder, filepath.Base(healthy.Program))))
		for _, each := range sabotages {
			t.Run(each.program, func(t *testing.T) {
				program := filepath.Join(folder, each.program)
				require.NoError(t, os.Symlink("saboteur", program))
				artifact := runtime.Artifact{Candidate: each.program, Program: program, Environment: healthy.Environment}
				assertBlame(t, expected, judgePart(t, artifact, "process", besideCulprit), each.blame)
			})
		}
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
		for _, each := range sabotages {
			t.Run(each.program, func(t *testing.T) {
				artifact := runtime.Artifact{
					Candidate: each.program, Image: sabotagedImage(t, cli, prepared.Image, saboteur, each.program),
					Environment: prepared.Environment,
				}
				assertBlame(t, expected, judgePart(t, artifact, "docker", besideCulprit), each.blame)
			})
		}
	})
}

// prepareHealthy makes the candidate in health ready.
func prepareHealthy(t *testing.T, runtimeName string) runtime.Artifact {
	t.Helper()
	return candidatetest.Prepare(t, filepath.Join("..", ".."), healthyCandidate, runtimeName, usualRun)
}

// judgePart judges the checks that match, under parallel load, and returns the verdicts by check.
func judgePart(t *testing.T, artifact runtime.Artifact, runtimeName, matching string) map[string]verdict.CheckResult {
	t.Helper()
	opened, err := session.Open()
	require.NoError(t, err)
	defer func() { assert.NoError(t, opened.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), longestRun)
	defer cancel()
	began := time.Now()
	final := map[string]verdict.CheckResult{}
	var mu sync.Mutex
	err = suite.Judge(ctx, plan.Plan{
		Artifact: artifact, Runtime: runtimeName, Run: matching, Parallel: 8, Shuffle: 3, Results: t.TempDir(), Session: opened.Dir,
	}, opened, func(event verdict.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch event.Kind {
		case verdict.KindCheckFinal:
			final[event.Check] = *event.Result
		case verdict.KindNote, verdict.KindServerDied:
			t.Logf("%5.1f s %s %s", time.Since(began).Seconds(), event.Check, event.Message)
		}
	})
	require.NoError(t, err)
	t.Logf("%s, %s: %d checks in %.1f s", artifact.Candidate, runtimeName, len(final), time.Since(began).Seconds())
	return final
}

// assertBlame asserts that the culprit is blamed, that staying up failed because of it, and that all others have the
// verdicts expected of them.
func assertBlame(t *testing.T, expected, got map[string]verdict.CheckResult, blame string) {
	t.Helper()
	require.Len(t, got, len(expected))
	for name, result := range got {
		switch name {
		case culprit:
			assert.Equal(t, verdict.Fail, result.Verdict)
			assert.Regexp(t, blame, result.Reason)
		case closing:
			assert.Equal(t, verdict.Fail, result.Verdict)
			assert.Contains(t, result.Reason, fmt.Sprintf("killed by %q", culprit))
		default:
			assert.Equal(t, expected[name].Verdict, result.Verdict, "%s: %s", name, result.Reason)
		}
	}
}

func buildSaboteur(t *testing.T, program, architecture string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./saboteur")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOFLAGS=")
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// sabotagedImage makes an image with the saboteur in front of the server of another, and removes it after the test.
func sabotagedImage(t *testing.T, cli *client.Client, base, saboteur, name string) string {
	t.Helper()
	dockerfile := fmt.Sprintf("FROM %s\nCOPY saboteur /%s\nENTRYPOINT [\"/%s\"]\n", base, name, name)
	program, err := os.ReadFile(saboteur)
	require.NoError(t, err)
	var files bytes.Buffer
	archive := tar.NewWriter(&files)
	for file, data := range map[string][]byte{"Dockerfile": []byte(dockerfile), "saboteur": program} {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(data))}))
		_, err := archive.Write(data)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())

	reference := fmt.Sprintf("msc4014-test-%s:%d", name, os.Getpid())
	answer, err := cli.ImageBuild(t.Context(), &files, build.ImageBuildOptions{
		Version: build.BuilderV1, Tags: []string{reference}, Remove: true, ForceRemove: true,
	})
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := cli.ImageRemove(context.Background(), reference, image.RemoveOptions{PruneChildren: true})
		assert.NoError(t, err, "%s", said)
	})
	return reference
}
