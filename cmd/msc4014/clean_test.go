package main

// clean, and how every command treats a state folder that is not the suite's: tests of the built command.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/cmd/internal/run"
	"msc4014/internal/filelock"
	"msc4014/runtime/docker/engine/enginetest"
	"msc4014/runtime/session"
)

// built is the built command, with an empty project, its own cache and no engine.
type built struct{ program, root, cache string }

func TestCommandAsItIsBuilt(t *testing.T) {
	program := filepath.Join(t.TempDir(), "msc4014")
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	for name, test := range map[string]func(*testing.T, *built){
		"a foreign state folder":     testForeignStateFolder,
		"clean keeps what was built": testCleanKeepsWhatWasBuilt,
		"clean --all and a live run": testCleanAllLeavesALiveRun,
		"clean that cannot":          testCleanThatCannot,
	} {
		t.Run(name, func(t *testing.T) {
			b := &built{program: program, root: t.TempDir(), cache: t.TempDir()}
			require.NoError(t, os.WriteFile(filepath.Join(b.root, "go.mod"), []byte("module msc4014\n"), 0o644))
			t.Setenv("XDG_CACHE_HOME", b.cache)
			t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
			test(t, b)
		})
	}
}

// call runs the command in the project at root with a state folder.
func (b *built) call(t *testing.T, root, state string, arguments ...string) (status int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, b.program, arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = time.Minute
	command.Env = append(os.Environ(), "MSC4014_STATE_DIR="+state, rootVariable+"="+root)
	output, err := command.CombinedOutput()
	var ended *exec.ExitError
	if err != nil {
		require.True(t, errors.As(err, &ended), "%v", err)
	}
	return command.ProcessState.ExitCode(), string(output)
}

// programs creates a folder of programs in the cache, as a build leaves it.
func (b *built) programs(t *testing.T, name string) (place, lock string) {
	t.Helper()
	place = filepath.Join(b.cache, "msc4014", "programs", name)
	require.NoError(t, os.MkdirAll(place, 0o755))
	require.NoError(t, os.WriteFile(place+".lock", nil, 0o644))
	return place, place + ".lock"
}

func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}))
	return all
}

func testForeignStateFolder(t *testing.T, b *built) {
	place, _ := b.programs(t, "x")
	state := t.TempDir()
	for _, file := range []string{"runs/experiment1/model.txt", "trash/old/model.txt"} {
		require.NoError(t, os.MkdirAll(filepath.Join(state, filepath.Dir(file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(state, file), []byte("precious"), 0o644))
	}
	before := names(t, state)
	project := filepath.Dir(withoutResults(t))
	for _, line := range []string{
		"clean", "clean --builds --all", "doctor", "reference --runtime process --run ^room-version/advertised$",
		"run reference --runtime process", "prove --run one-key-a-user", "--pair reference,reference@dendrite",
	} {
		status, said := b.call(t, project, state, strings.Fields(line)...)
		assert.Equal(t, run.StatusCannot, status, line)
		assert.Contains(t, said, `"`+state+`" cannot be the state folder`, line)
		assert.Contains(t, said, `"runs/experiment1", "trash/old"`, line)
		assert.Contains(t, said, "set MSC4014_STATE_DIR", line)
		if line != "doctor" {
			assert.Equal(t, 1, strings.Count(said, "\n"), "nothing else is done, and the error is printed once: %s", said)
		}
		assert.Equal(t, before, names(t, state), line)
	}
	assert.DirExists(t, place, "the cache is not touched either")
}

func testCleanKeepsWhatWasBuilt(t *testing.T, b *built) {
	used, lock := b.programs(t, "used")
	unused, _ := b.programs(t, "unused")
	file, err := os.Open(lock)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	require.NoError(t, filelock.Try(file, filelock.Shared)) // as a run does, whatever its state folder

	enginetest.Start(t)
	status, said := b.call(t, b.root, t.TempDir(), "clean")
	assert.Zero(t, status, said)
	assert.DirExists(t, used)
	assert.DirExists(t, unused)
	assert.Contains(t, said, "kept what was built for candidates (2 folders of programs)")
	assert.Contains(t, said, "./run.sh clean --builds removes it")

	status, said = b.call(t, b.root, t.TempDir(), "clean", "--builds")
	assert.Zero(t, status, said)
	assert.DirExists(t, used)
	assert.NoDirExists(t, unused)
	assert.Contains(t, said, "left the programs "+used+": a live run uses or makes it")
	assert.Contains(t, said, "removed the programs "+unused)
}

func testCleanAllLeavesALiveRun(t *testing.T, b *built) {
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	live, err := session.Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, live.Close()) }()
	engine := enginetest.Start(t, enginetest.Object{Kind: "container", Name: "server", Labels: live.Labels(), Running: true})
	status, said := b.call(t, b.root, t.TempDir(), "clean", "--all")
	assert.Zero(t, status, said)
	assert.Contains(t, said, live.ID+`": it is alive`)
	assert.Equal(t, []string{"server"}, engine.Names())
}

func testCleanThatCannot(t *testing.T, b *built) {
	for _, line := range []string{"clean", "clean --all"} {
		status, said := b.call(t, b.root, t.TempDir(), strings.Fields(line)...)
		assert.Equal(t, run.StatusCannot, status, "DOCKER_HOST names an engine")
		assert.Contains(t, said, "msc4014: not everything could be removed: containers, networks and volumes were not checked: no container engine answers")
	}

	state := t.TempDir()
	t.Setenv("MSC4014_STATE_DIR", state)
	dead, err := session.Open()
	require.NoError(t, err)
	require.NoError(t, dead.UseEngine())
	require.NoError(t, dead.LockFile().Close())
	status, said := b.call(t, b.root, state, "clean")
	assert.Equal(t, run.StatusCannot, status)
	assert.Contains(t, said, "msc4014: not everything could be removed: run "+dead.ID)
	assert.DirExists(t, dead.Dir)
}
