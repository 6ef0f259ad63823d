package suitebinary

// The test binary plays the suite's binary: see fake.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/filelock"
)

const fakeVariable = "MSC4014_TEST_FAKE_SUITE"

func TestMain(m *testing.M) {
	if behaviour := os.Getenv(fakeVariable); behaviour != "" {
		fake(behaviour)
	}
	os.Exit(m.Run())
}

// emit writes one event as the suite's binary does.
func emit(event verdict.Event) { _ = json.NewEncoder(os.Stdout).Encode(event) }

// fake is the suite's binary with one behaviour; what it wants to be seen goes into the folder of its plan.
func fake(behaviour string) {
	if len(os.Args) > 1 && os.Args[1] == "--list" {
		switch behaviour {
		case "lists":
			fmt.Println(`[{"name":"a","requirements":["x/y"],"path":"send"}]`)
			os.Exit(0)
		case "lists nonsense":
			fmt.Println("hello")
			os.Exit(0)
		}
		fmt.Fprintln(os.Stderr, `check "a" names no such requirement`)
		os.Exit(2)
	}
	if behaviour == "parent" {
		if err := os.Setenv(fakeVariable, "waits for its life line"); err != nil {
			os.Exit(9)
		}
		lock, _ := os.Open(os.DevNull)
		_, _ = Process{
			Binary: os.Args[0], Lock: lock, Plan: plan.Plan{Results: os.Getenv("RESULTS")}, CleanupTime: time.Minute,
			Handle: func(verdict.Event) { fmt.Println("started") },
		}.Run(context.Background())
		os.Exit(0)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	input := bufio.NewReader(os.Stdin)
	line, _ := input.ReadBytes('\n')
	var wanted plan.Plan
	if err := json.Unmarshal(line, &wanted); err != nil {
		emit(verdict.Event{Kind: verdict.KindCannot, Message: err.Error()})
		os.Exit(2)
	}
	mark := func(text string) {
		_ = os.WriteFile(filepath.Join(wanted.Results, "mark"), []byte(text), 0o644)
	}
	emit(verdict.Event{Kind: verdict.KindPlan, Total: 1, Checks: []string{"a"}})
	switch behaviour {
	case "ends well":
		if _, err := os.NewFile(3, "lock").Stat(); err != nil {
			emit(verdict.Event{Kind: verdict.KindCannot, Message: "no lock"})
		}
		emit(verdict.Event{Kind: verdict.KindNote, Message: strings.Repeat("long ", 100_000)})
		fmt.Println("a stray line")
		emit(verdict.Event{Kind: verdict.KindEnd})
		os.Exit(0)
	case "cleans up on SIGTERM":
		<-terminated
		mark("cleaned up")
		emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: "a", Result: &verdict.CheckResult{Verdict: verdict.Fail}})
		emit(verdict.Event{Kind: verdict.KindNote, Message: "last words"})
		os.Exit(1)
	case "tells what is final, and does not end":
		<-terminated
		emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: "a", Result: &verdict.CheckResult{Verdict: verdict.Pass}})
		select {}
	case "does not end":
		signal.Ignore(syscall.SIGTERM)
		emit(verdict.Event{Kind: verdict.KindNote, Message: "deaf"})
		select {}
	case "does not end after its end":
		emit(verdict.Event{Kind: verdict.KindEnd})
		select {}
	case "is killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "leaves somebody behind who holds its stream":
		command := exec.Command("sleep", "60")
		command.Stdout = os.Stdout
		_ = command.Start()
		mark(strconv.Itoa(command.Process.Pid))
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "waits for its life line":
		_, err := input.ReadByte()
		mark(err.Error())
		os.Exit(1)
	}
	os.Exit(9)
}

// process returns a child with a behaviour, and the folder of its plan.
func process(t *testing.T, behaviour string) (Process, string) {
	t.Helper()
	t.Setenv(fakeVariable, behaviour)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the fake ends at once under the race detector, too
	folder := t.TempDir()
	lock, err := os.Create(filepath.Join(folder, "lock"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = lock.Close() })
	return Process{
		Binary: os.Args[0], Plan: plan.Plan{Results: folder}, Lock: lock, CleanupTime: 30 * time.Second,
		Handle: func(verdict.Event) {},
	}, folder
}

func mark(t *testing.T, folder string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "mark"))
	require.NoError(t, err)
	return string(data)
}

func TestRunToItsEnd(t *testing.T) {
	child, _ := process(t, "ends well")
	var handled []verdict.EventKind
	child.Handle = func(event verdict.Event) { handled = append(handled, event.Kind) }
	ending, err := child.Run(context.Background())
	require.NoError(t, err)
	assert.True(t, ending.Complete)
	assert.Empty(t, ending.Cannot)
	assert.Empty(t, ending.Died)
	require.Len(t, ending.Events, 4)
	assert.Equal(t, []verdict.EventKind{"plan", "note", "note", "end"}, handled)
	assert.Len(t, ending.Events[1].Message, 500_000, "a line may be long")
	assert.Contains(t, ending.Events[2].Message, "a stray line")
}

func TestInterruptedRunCleansUp(t *testing.T) {
	child, folder := process(t, "cleans up on SIGTERM")
	ctx, cancel := context.WithCancelCause(context.Background())
	child.Handle = func(event verdict.Event) {
		if event.Kind == verdict.KindPlan {
			cancel(errors.New("interrupted"))
		}
	}
	ending, err := child.Run(ctx)
	require.NoError(t, err)
	assert.Equal(t, "cleaned up", mark(t, folder))
	require.Len(t, ending.Events, 3)
	assert.Equal(t, verdict.KindCheckFinal, ending.Events[1].Kind, "a verdict that was final all the same counts")
	assert.Equal(t, "last words", ending.Events[len(ending.Events)-1].Message, "what it still says is taken")
	assert.False(t, ending.Complete)
	assert.Equal(t, "exit status 1", ending.Died)
}

func TestRunThatDoesNotEndIsKilled(t *testing.T) {
	t.Run("after the time for its cleanup", func(t *testing.T) {
		child, _ := process(t, "does not end")
		child.CleanupTime = 50 * time.Millisecond
		ctx, cancel := context.WithCancel(context.Background())
		child.Handle = func(event verdict.Event) {
			if event.Message == "deaf" {
				cancel()
			}
		}
		ending, err := child.Run(ctx)
		require.NoError(t, err)
		assert.Equal(t, "signal: killed", ending.Died)
	})
	t.Run("when asked a second time", func(t *testing.T) {
		child, _ := process(t, "does not end")
		kill := make(chan struct{})
		child.Kill = kill
		child.Handle = func(event verdict.Event) {
			if event.Message == "deaf" {
				close(kill)
			}
		}
		ending, err := child.Run(context.Background())
		require.NoError(t, err)
		assert.Equal(t, "signal: killed", ending.Died)
	})
	t.Run("when asked a second time, and what was final stays", func(t *testing.T) {
		child, _ := process(t, "tells what is final, and does not end")
		ctx, cancel := context.WithCancel(context.Background())
		kill := make(chan struct{})
		child.Kill = kill
		child.Handle = func(event verdict.Event) {
			switch event.Kind {
			case verdict.KindPlan:
				cancel()
			case verdict.KindCheckFinal:
				close(kill)
			}
		}
		ending, err := child.Run(ctx)
		require.NoError(t, err)
		assert.Equal(t, "signal: killed", ending.Died)
		require.Len(t, ending.Events, 2)
		assert.Equal(t, verdict.KindCheckFinal, ending.Events[1].Kind)
	})
	t.Run("though its stream has its end", func(t *testing.T) {
		child, _ := process(t, "does not end after its end")
		child.CleanupTime = 50 * time.Millisecond
		ending, err := child.Run(context.Background())
		require.NoError(t, err)
		assert.True(t, ending.Complete)
	})
}

func TestRunThatIsKilled(t *testing.T) {
	child, _ := process(t, "is killed")
	ending, err := child.Run(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "signal: killed", ending.Died)
	assert.False(t, ending.Complete)
	assert.Len(t, ending.Events, 1)
}

func TestOrphansDoNotHoldTheRun(t *testing.T) {
	child, folder := process(t, "leaves somebody behind who holds its stream")
	ending, err := child.Run(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "signal: killed", ending.Died)
	orphan, err := strconv.Atoi(mark(t, folder))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(orphan, syscall.SIGKILL))
}

func TestLifeLineEndsWithItsParent(t *testing.T) {
	folder := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), fakeVariable+"=parent", "RESULTS="+folder)
	output, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	_, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(folder, "mark"))
		return err == nil && string(data) == "EOF"
	}, 30*time.Second, 10*time.Millisecond)
}

func TestBinaryThatDoesNotStart(t *testing.T) {
	child, _ := process(t, "ends well")
	child.Binary = filepath.Join(t.TempDir(), "none")
	_, err := child.Run(context.Background())
	assert.ErrorContains(t, err, "cannot start the suite's binary")
}

func TestList(t *testing.T) {
	t.Setenv(fakeVariable, "lists")
	checks, err := List(context.Background(), os.Args[0])
	require.NoError(t, err)
	require.Len(t, checks, 1)
	assert.Equal(t, "send", checks[0].Path)
	t.Setenv(fakeVariable, "lists nonsense")
	_, err = List(context.Background(), os.Args[0])
	assert.ErrorContains(t, err, "does not parse")
	t.Setenv(fakeVariable, "refuses")
	_, err = List(context.Background(), os.Args[0])
	assert.ErrorContains(t, err, `check "a" names no such requirement`)
}

func TestBuild(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	write("go.mod", "module example\n\ngo 1.26\n")
	write("tests/main.go", "package main\n\nfunc main() { println(1) }\n")
	binary, err := Build(context.Background(), root)
	require.NoError(t, err)
	output, err := exec.Command(binary).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "1\n", string(output))

	write("tests/main.go", "package main\n\nfunc main() { println(2) }\n")
	_, err = Build(context.Background(), root)
	require.NoError(t, err)
	output, err = exec.Command(binary).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "2\n", string(output), "over the copy of the last one")

	write("tests/main.go", "package main\n\nfunc main() { undefined() }\n")
	_, err = Build(context.Background(), root)
	assert.ErrorContains(t, err, "undefined: undefined")
	left, err := os.ReadDir(filepath.Join(root, "bin"))
	require.NoError(t, err)
	assert.Len(t, left, 1, "no half-made program stays")

	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("interrupted by SIGINT"))
	_, err = Build(ctx, root)
	assert.EqualError(t, err, "interrupted by SIGINT")
}

func TestUnfinishedBuildsAreRemoved(t *testing.T) {
	root := t.TempDir()
	folder := filepath.Join(root, "bin")
	ended := exec.Command("true")
	require.NoError(t, ended.Run())
	dead := filepath.Join(folder, workPrefix+strconv.Itoa(ended.Process.Pid))
	alive := filepath.Join(folder, workPrefix+strconv.Itoa(os.Getpid()))
	elsewhere := filepath.Join(folder, workPrefix+"1-"+strconv.Itoa(ended.Process.Pid)) // in another PID namespace
	for _, work := range []string{dead, alive, elsewhere} {
		require.NoError(t, os.MkdirAll(filepath.Join(work, "go-build1"), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "suite"), nil, 0o755))
	lock, err := os.Open(elsewhere)
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Close()) }()
	require.NoError(t, filelock.Try(lock, filelock.Exclusive))
	compiler := exec.Command("sleep", "1000")
	compiler.Env = []string{"GOTMPDIR=" + dead}
	require.NoError(t, compiler.Start())
	RemoveUnfinished(root)
	assert.ErrorContains(t, compiler.Wait(), "killed")
	assert.NoDirExists(t, dead)
	assert.DirExists(t, alive)
	assert.DirExists(t, elsewhere)
	assert.FileExists(t, filepath.Join(folder, "suite"))
}
