package killed

// The project for the runs: a copy, so that later changes in the tree do not matter, with its own state folder, cache and
// image.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine"
)

// judged is the candidate in all runs.
const judged = "dendrite@0.13.8"

type project struct {
	root, state string
	engine      *client.Client // nil if no engine answers
}

// newProject copies the project and prepares its candidate for each available runtime.
func newProject(t *testing.T) *project {
	t.Helper()
	source, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	p := &project{root: filepath.Join(folder, "project"), state: filepath.Join(folder, "state")}
	t.Setenv("GOCACHE", strings.TrimSpace(string(goCache))) // before the folder for caches changes
	t.Setenv("XDG_CACHE_HOME", filepath.Join(folder, "cache"))
	t.Setenv("MSC4014_STATE_DIR", p.state)
	p.copy(t, source)

	p.prepare(t, "process")
	if p.engine, err = engine.Connect(t.Context()); err != nil {
		t.Logf("without containers: %v", err)
		p.engine = nil
		return p
	}
	t.Cleanup(func() { _ = p.engine.Close() })
	name := p.prepare(t, "docker")
	t.Cleanup(func() {
		_, err := p.engine.ImageRemove(context.Background(), name, image.RemoveOptions{PruneChildren: true})
		assert.NoError(t, err)
	})
	return p
}

// copy copies the files that git tracks or would add.
func (p *project) copy(t *testing.T, source string) {
	t.Helper()
	listed, err := exec.Command("git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimRight(string(listed), "\x00"), "\x00") {
		from, to := filepath.Join(source, name), filepath.Join(p.root, name)
		info, err := os.Stat(from)
		if err != nil || !info.Mode().IsRegular() {
			continue // removed, but git still tracks it
		}
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, data, info.Mode().Perm()))
	}
	// Make the image unique, so that no other run uses it.
	dockerfile, err := os.OpenFile(filepath.Join(p.root, "dockerfiles", "dendrite", "Dockerfile"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(dockerfile, "# %s\n", p.root)
	require.NoError(t, err)
	require.NoError(t, dockerfile.Close())
}

// prepare prepares the candidate and keeps it in use, so that clean does not remove it until this process ends.
func (p *project) prepare(t *testing.T, runtimeName string) (image string) {
	t.Helper()
	parsed, err := candidate.Parse(p.root, judged)
	require.NoError(t, err)
	artifact, err := candidate.Prepare(t.Context(), p.root, parsed, runtimeName, func(line string) { t.Log(line) })
	require.NoError(t, err)
	return artifact.Image
}

// process is a running command with its output.
type process struct {
	mark    string // in the environment of all processes that it starts
	command *exec.Cmd
	ended   chan struct{}

	mutex  sync.Mutex
	output bytes.Buffer
}

// start starts run.sh, or the command line directly, with variables added to the environment.
func (p *project) start(t *testing.T, mark string, direct bool, environment []string, arguments ...string) *process {
	t.Helper()
	started := &process{mark: mark, ended: make(chan struct{})}
	started.command = exec.Command(filepath.Join(p.root, "run.sh"), arguments...)
	if direct {
		started.command.Path = filepath.Join(p.root, "bin", "msc4014")
	}
	started.command.Env = append(os.Environ(), "MSC4014_ROOT="+p.root, markVariable+"="+mark,
		"COMPLEMENT_SHARE_ENV_PREFIX=MSC4014_TEST_SHARED_", "MSC4014_TEST_SHARED_"+markVariable+"="+mark)
	started.command.Env = append(started.command.Env, environment...)
	started.command.Stdout, started.command.Stderr = started, started
	started.command.WaitDelay = time.Second // remaining children of a killed process may keep its output open
	require.NoError(t, started.command.Start())
	t.Cleanup(func() { _ = started.command.Process.Kill() })
	go func() {
		_ = started.command.Wait()
		close(started.ended)
	}()
	return started
}

// Write appends to the output.
func (p *process) Write(data []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.output.Write(data)
}

func (p *process) said() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.output.String()
}

func (p *process) pid() int { return p.command.Process.Pid }

// status waits for the end and returns the exit status, or -1 if the process was killed.
func (p *process) status(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(longest):
		require.FailNow(t, "a command did not end", "%s:\n%s", p.command.Args, p.said())
	}
	return p.command.ProcessState.ExitCode()
}
