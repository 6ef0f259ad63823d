package session

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/docker/engine/enginetest"
)

// The tests run this binary again as the holder of a run, which can then be killed. The variable selects its role.
const roleVariable = "MSC4014_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "holder": // opens a run, starts a recorded process and, if requested, a child that inherits the lock
		run, err := Open()
		must(err)
		sleeper := exec.Command("sleep", "600")
		must(sleeper.Start())
		must(run.RecordProcess(sleeper.Process.Pid))
		fmt.Println(run.Dir, sleeper.Process.Pid)
		if os.Getenv("MSC4014_TEST_CHILD") != "" {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), roleVariable+"=child", "MSC4014_TEST_DIR="+run.Dir)
			child.ExtraFiles = []*os.File{run.LockFile()}
			child.Stdout = os.Stdout
			must(child.Start())
		}
	case "child": // joins the run, starts a process that must not inherit the lock, and prints its process ID
		_, err := Attach(os.Getenv("MSC4014_TEST_DIR"), os.NewFile(3, "lock"))
		must(err)
		sleeper := exec.Command("sleep", "600")
		must(sleeper.Start())
		fmt.Println(os.Getpid(), sleeper.Process.Pid)
	}
	<-time.After(10 * time.Minute) // the test kills it
}

func must(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// isolate gives the test its own state folder and cache, and no engine.
func isolate(t *testing.T) string {
	t.Helper()
	state, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	t.Setenv("MSC4014_STATE_DIR", state)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	return state
}

// holder starts this binary as the holder of a run and returns it, the run's folder and its recorded process; with a
// child, also that child and the process that it started.
func holder(t *testing.T, withChild bool) (command *exec.Cmd, dir string, pids []int) {
	t.Helper()
	command = exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleVariable+"=holder")
	if withChild {
		command.Env = append(command.Env, "MSC4014_TEST_CHILD=1")
	}
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	lines := bufio.NewScanner(output)
	require.True(t, lines.Scan())
	fields := strings.Fields(lines.Text())
	require.Len(t, fields, 2, lines.Text())
	dir, pids = fields[0], append(pids, number(t, fields[1]))
	if withChild {
		require.True(t, lines.Scan())
		fields = strings.Fields(lines.Text())
		require.Len(t, fields, 2, lines.Text())
		pids = append(pids, number(t, fields[0]), number(t, fields[1]))
	}
	for _, pid := range pids {
		t.Cleanup(func() {
			if process, err := os.FindProcess(pid); err == nil {
				_ = process.Kill()
			}
		})
	}
	return command, dir, pids
}

func number(t *testing.T, text string) int {
	t.Helper()
	value, err := strconv.Atoi(text)
	require.NoError(t, err)
	return value
}

func kill(t *testing.T, command *exec.Cmd) {
	t.Helper()
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
}

func ended(pid int) bool {
	_, err := startTime(pid)
	return err != nil
}

func clean(t *testing.T) string {
	t.Helper()
	var said []string
	require.NoError(t, CleanDead(t.Context(), func(line string) { said = append(said, line) }))
	return strings.Join(said, "\n")
}

// killedRun creates the folder of a run that nobody holds, in a state folder that is created if it does not exist.
func killedRun(t *testing.T, state string) string {
	t.Helper()
	t.Setenv(StateVariable, state)
	run, err := Open()
	require.NoError(t, err)
	require.NoError(t, run.lock.Close())
	return run.Dir
}

func TestOpenAndClose(t *testing.T) {
	state := isolate(t)
	run, err := Open()
	require.NoError(t, err)
	assert.DirExists(t, run.Dir)
	assert.Equal(t, filepath.Join(state, "runs", run.ID), run.Dir)
	labels := run.Labels()
	lease, err := time.Parse(time.RFC3339, labels[LabelLease])
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(leaseTime), lease, time.Minute)
	delete(labels, LabelLease)
	assert.Equal(t, map[string]string{
		LabelRun: run.ID, LabelHost: HostIdentity(), LabelState: state, LabelPID: strconv.Itoa(os.Getpid()),
	}, labels)
	other, err := Open()
	require.NoError(t, err)
	assert.NotEqual(t, run.ID, other.ID)

	sleeper := exec.Command("sleep", "600")
	require.NoError(t, sleeper.Start())
	require.NoError(t, run.RecordProcess(sleeper.Process.Pid))
	require.NoError(t, run.Close())
	require.Error(t, sleeper.Wait(), "the run's process ends with the run")
	assert.NoDirExists(t, run.Dir)
	require.NoError(t, run.Close(), "a second time")
	assert.DirExists(t, other.Dir)
	require.NoError(t, other.Close())
}

// TestCloseAfterTheSuitesBinary: a suite's binary that is interrupted removes its run.
func TestCloseAfterTheSuitesBinary(t *testing.T) {
	isolate(t)
	run, err := Open()
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(run.Dir))
	require.NoError(t, run.Close())
}

func TestKilledRunIsCleanedAndLiveOneIsNot(t *testing.T) {
	isolate(t)
	mine, err := Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, mine.Close()) }()
	killed, killedDir, killedPIDs := holder(t, false)
	_, liveDir, livePIDs := holder(t, false)

	clean(t)
	assert.DirExists(t, killedDir, "it was alive")

	kill(t, killed)
	assert.Contains(t, clean(t), "ended 1 of its processes")
	assert.NoDirExists(t, killedDir)
	assert.True(t, ended(killedPIDs[0]))
	assert.DirExists(t, liveDir)
	assert.False(t, ended(livePIDs[0]))
	assert.DirExists(t, mine.Dir)
}

func TestRunIsAliveWhileTheSuitesBinaryIs(t *testing.T) {
	isolate(t)
	command, dir, pids := holder(t, true)
	kill(t, command)
	clean(t)
	require.DirExists(t, dir, "the child holds the lock")
	waited, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	require.ErrorContains(t, AwaitOrphans(waited, func(string) {}), filepath.Base(dir))
	orphaned := make(chan error, 1)
	go func() { orphaned <- AwaitOrphans(t.Context(), func(string) {}) }()

	child, err := os.FindProcess(pids[1])
	require.NoError(t, err)
	require.NoError(t, child.Kill())
	require.Eventually(t, func() bool { return ended(pids[1]) }, time.Minute, time.Millisecond)
	require.NoError(t, <-orphaned)
	assert.False(t, ended(pids[2]), "the child's own process is still there, and must not hold the lock")
	clean(t)
	assert.NoDirExists(t, dir)
}

func TestProcessWithAnotherStartTimeIsNotEnded(t *testing.T) {
	state := isolate(t)
	sleeper := exec.Command("sleep", "600")
	require.NoError(t, sleeper.Start())
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	dir := filepath.Join(killedRun(t, state), processFolder)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	data, err := json.Marshal(process{PID: sleeper.Process.Pid, Started: "1"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1"), data, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "2"), []byte(`{"pid":`), 0o600))
	clean(t)
	assert.NoDirExists(t, filepath.Dir(dir))
	assert.False(t, ended(sleeper.Process.Pid))
}

func TestKeptRunStaysUntilClean(t *testing.T) {
	isolate(t)
	run, err := Open()
	require.NoError(t, err)
	require.NoError(t, run.Keep())
	require.NoError(t, run.Close())
	clean(t)
	assert.DirExists(t, run.Dir)
	enginetest.Start(t)
	require.NoError(t, Clean(t.Context(), CleanOptions{}, func(string) {}))
	assert.NoDirExists(t, run.Dir)
}

func TestCleanReportsThatNoEngineAnswers(t *testing.T) {
	isolate(t)
	assert.Empty(t, clean(t), "a run without containers needs no engine")
	err := Clean(t.Context(), CleanOptions{}, func(string) {})
	assert.ErrorContains(t, err, "no container engine answers", "an engine named by DOCKER_HOST is required")
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "remote")
	err = Clean(t.Context(), CleanOptions{}, func(string) {})
	assert.ErrorContains(t, err, "DOCKER_CONTEXT", "so is one named by a context")
}

func TestFolderStaysWhileTheEngineDoesNotAnswer(t *testing.T) {
	state := isolate(t)
	dir := killedRun(t, state)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, engineName), 0o700))
	err := CleanDead(t.Context(), func(string) {})
	require.ErrorContains(t, err, "no container engine answers")
	assert.DirExists(t, dir)
}

func TestOpenAndCleanAtTheSameTime(t *testing.T) {
	isolate(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 10 {
				run, err := Open()
				if !assert.NoError(t, err) {
					return
				}
				assert.NoError(t, CleanDead(context.Background(), func(line string) { t.Error(line) }))
				assert.DirExists(t, run.Dir)
				assert.NoError(t, run.Close())
			}
		})
	}
	group.Wait()
}

func TestAttachRefusesTheLockOfAnotherRun(t *testing.T) {
	isolate(t)
	one, err := Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, one.Close()) }()
	two, err := Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, two.Close()) }()
	_, err = Attach(one.Dir, two.LockFile())
	require.ErrorContains(t, err, "not the lock of this run")
	_, err = Attach(one.Dir, nil)
	require.ErrorContains(t, err, "no lock was inherited")
}
