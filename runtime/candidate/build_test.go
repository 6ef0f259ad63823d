package candidate

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/internal/filelock"
)

// ownCache gives a test its own cache folder.
func ownCache(t *testing.T) cache {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	c, err := openCache()
	require.NoError(t, err)
	return c
}

func quiet(string) {}

// lockedByAnother locks a file as another process would.
func lockedByAnother(t *testing.T, path string) {
	t.Helper()
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { _ = lock.Close() })
	require.NoError(t, filelock.Try(lock, filelock.Exclusive))
}

func TestConcurrentCallsFillAFolderOnce(t *testing.T) {
	c := ownCache(t)
	var made atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			place, err := c.folder(t.Context(), "x", quiet, func(dir string) error {
				made.Add(1)
				return os.WriteFile(filepath.Join(dir, "program"), []byte("whole"), 0o755)
			})
			assert.NoError(t, err)
			assert.FileExists(t, filepath.Join(place, "program"))
		})
	}
	group.Wait()
	assert.EqualValues(t, 1, made.Load())
}

func TestFolderThatFailsLeavesNothing(t *testing.T) {
	c := ownCache(t)
	_, err := c.folder(t.Context(), "x", quiet, func(dir string) error {
		_ = os.WriteFile(filepath.Join(dir, "half"), nil, 0o755)
		return errors.New("no luck")
	})
	assert.ErrorContains(t, err, "no luck")
	names, err := filepath.Glob(filepath.Join(c.dir, "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{c.lockPath("x")}, names)

	_, err = c.folder(t.Context(), "x", quiet, func(string) error { return nil })
	assert.NoError(t, err, "the lock was released")
}

func TestWaitingForAnotherRunEndsWithTheContext(t *testing.T) {
	c := ownCache(t)
	lockedByAnother(t, c.lockPath("x"))

	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.folder(ctx, "x", func(line string) {
		assert.Contains(t, line, "another run")
		cancel()
	}, func(string) error { return nil })
	assert.ErrorIs(t, err, context.Canceled)
}

func TestSweepRemovesWhatDeadBuildsLeft(t *testing.T) {
	c := ownCache(t)
	dead, live := filepath.Join(c.dir, buildingPrefix+"dead-build-123"), filepath.Join(c.dir, buildingPrefix+"live-456")
	require.NoError(t, os.MkdirAll(filepath.Join(dead, "half"), 0o755))
	require.NoError(t, os.MkdirAll(live, 0o755))
	lockedByAnother(t, c.lockPath("live"))

	require.NoError(t, Sweep())
	assert.NoDirExists(t, dead)
	assert.DirExists(t, live)
}

func TestGoBuildReportsCompilerErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"go.mod": "module x\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { nonsense() }\n"})
	err := goBuild{dir: dir, path: "x", output: filepath.Join(dir, "x"), platform: hostPlatform(), temporary: dir}.run(t.Context())
	assert.ErrorContains(t, err, "undefined: nonsense")
	assert.ErrorContains(t, err, "go build x in "+dir)
}

func TestGoBuildWithAnOverlay(t *testing.T) {
	dir, temporary := t.TempDir(), t.TempDir()
	write(t, dir, map[string]string{
		"go.mod": "module x\n\ngo 1.26\n", "main.go": "package main\n\nimport \"x/lib\"\n\nfunc main() { println(lib.Text) }\n",
		"lib/lib.go": "package lib\n\nconst Text = \"original\"\n",
	})
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	build := func(dir, text string) []byte {
		program := filepath.Join(t.TempDir(), "x")
		require.NoError(t, goBuild{
			dir: dir, path: "x", output: program, platform: hostPlatform(), temporary: temporary,
			overlay: map[string][]byte{"lib/lib.go": []byte("package lib\n\nconst Text = \"" + text + "\"\n")},
		}.run(t.Context()))
		output, err := exec.CommandContext(t.Context(), program).CombinedOutput()
		require.NoError(t, err)
		assert.Equal(t, text+"\n", string(output))
		data, err := os.ReadFile(program)
		require.NoError(t, err)
		return data
	}
	var group sync.WaitGroup
	for _, text := range []string{"one", "two", "three"} {
		group.Go(func() { build(dir, text) })
	}
	group.Wait()
	assert.True(t, bytes.Equal(build(dir, "one"), build(link, "one")), "the result does not depend on where it was built")
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	assert.Empty(t, left)
	err = goBuild{
		dir: dir, path: "x", output: filepath.Join(dir, "x"), platform: hostPlatform(), temporary: temporary,
		overlay: map[string][]byte{"lib/lib.go": []byte("package lib\n\nconst Text = nonsense\n")},
	}.run(t.Context())
	assert.ErrorContains(t, err, "undefined: nonsense")
	assert.ErrorContains(t, err, "lib/lib.go:3:14", "the error names the replaced file")
}

func TestCgoIsLinkedStaticallyWherePossible(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"go.mod":  "module x\n\ngo 1.26\n",
		"main.go": "package main\n\n// int three(void) { return 3; }\nimport \"C\"\n\nfunc main() { println(C.three()) }\n",
	})
	assert.False(t, linksC(t.Context(), dir, platform{"plan9", "amd64"}))
	if !linksC(t.Context(), dir, hostPlatform()) {
		t.Skip("this machine has no C compiler with a library to link")
	}
	program := filepath.Join(dir, "x")
	require.NoError(t, goBuild{dir: dir, path: "x", output: program, platform: hostPlatform(), temporary: dir, c: true}.run(t.Context()))
	command := exec.Command(program)
	said, err := command.CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "3\n", string(said))
	opened, err := elf.Open(program)
	require.NoError(t, err)
	libraries, err := opened.ImportedLibraries()
	require.NoError(t, err)
	assert.Empty(t, libraries, "it must run without any libraries")
	require.NoError(t, opened.Close())

	t.Setenv("CC", "no-such-compiler")
	assert.False(t, linksC(t.Context(), dir, hostPlatform()))
}

func TestGoMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := goVersion(t.Context(), ".")
	assert.ErrorContains(t, err, "install Go")
}

// fakeGo puts a program "go" first in PATH that starts a child, writes its process ID to the file "child", and hangs.
func fakeGo(t *testing.T) (childFile string) {
	t.Helper()
	dir := t.TempDir()
	childFile = filepath.Join(dir, "child")
	script := "#!/bin/sh\nsleep 1000 &\necho $! > " + childFile + ".new\nmv " + childFile + ".new " + childFile + "\nwait\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return childFile
}

func childOf(t *testing.T, file string) int {
	t.Helper()
	var pid int
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil && pid > 0
	}, 10*time.Second, 5*time.Millisecond)
	return pid
}

func gone(pid int) func() bool {
	return func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}
}

func TestCancelKillsTheCompilers(t *testing.T) {
	childFile := fakeGo(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- goBuild{dir: t.TempDir(), path: "x", output: "x", platform: hostPlatform()}.run(ctx)
	}()
	child := childOf(t, childFile)
	cancel()
	assert.Error(t, <-done)
	assert.Eventually(t, gone(child), 10*time.Second, 5*time.Millisecond)
}

func TestSweepKillsRunningCompilers(t *testing.T) {
	c := ownCache(t)
	childFile := fakeGo(t)
	temporary := filepath.Join(c.dir, buildingPrefix+"x-1")
	require.NoError(t, os.Mkdir(temporary, 0o755))
	done := make(chan error, 1)
	go func() {
		done <- goBuild{dir: t.TempDir(), path: "x", output: "x", platform: hostPlatform(), temporary: temporary}.run(t.Context())
	}()
	child := childOf(t, childFile)
	require.NoError(t, Sweep())
	assert.Error(t, <-done)
	assert.Eventually(t, gone(child), 10*time.Second, 5*time.Millisecond)
	assert.NoDirExists(t, temporary)
}

func TestPrepareRefusesWhatARuntimeCannotDo(t *testing.T) {
	ownCache(t)
	_, err := Prepare(t.Context(), ".", Candidate{Name: "image:x:y", Software: "image", Image: "x:y"}, process, nil)
	assert.ErrorContains(t, err, "image:x:y cannot be started in the process runtime, only in docker")
	_, err = Prepare(t.Context(), ".", Candidate{Name: "foo", Software: "foo"}, process, nil)
	assert.ErrorContains(t, err, "--runtime docker")
	t.Setenv("DOCKER_HOST", "unix:///nonexistent.sock")
	_, err = Prepare(t.Context(), ".", Candidate{Name: "image:x:y", Software: "image", Image: "x:y"}, docker, nil)
	assert.ErrorContains(t, err, "no container engine answers at unix:///nonexistent.sock")
}

func TestFollow(t *testing.T) {
	var lines []string
	progress := func(line string) { lines = append(lines, line) }
	err := follow(strings.NewReader(`{"stream":"Step 1/2 : FROM scratch\n"}{"stream":" ---\u003e abc\n"}`), progress)
	require.NoError(t, err)
	assert.Equal(t, []string{"Step 1/2 : FROM scratch"}, lines)
	err = follow(strings.NewReader(`{"stream":"E: no such package\n"}{"errorDetail":{"message":"exit 100"},"error":"exit 100"}`), quiet)
	assert.ErrorContains(t, err, "exit 100; the end of its output:\nE: no such package")
	assert.Error(t, follow(strings.NewReader(`{"stream":`), quiet), "a truncated answer")
}

func TestContextIsTheSameForTheSameFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "1", "b": "2"})
	require.NoError(t, os.Chmod(filepath.Join(dir, "b"), 0o700))
	files := map[string]string{"Dockerfile": filepath.Join(dir, "a"), "program": filepath.Join(dir, "b")}
	var first, second bytes.Buffer
	require.NoError(t, writeContext(&first, files))
	require.NoError(t, os.Chtimes(filepath.Join(dir, "a"), time.Unix(1, 0), time.Unix(1, 0)))
	require.NoError(t, writeContext(&second, files))
	assert.Equal(t, first.Bytes(), second.Bytes())

	archive := tar.NewReader(&first)
	header, err := archive.Next()
	require.NoError(t, err)
	assert.Equal(t, "Dockerfile", header.Name)
	header, err = archive.Next()
	require.NoError(t, err)
	assert.EqualValues(t, 0o755, header.Mode)
	_, err = archive.Next()
	assert.ErrorIs(t, err, io.EOF)
	assert.Error(t, writeContext(io.Discard, map[string]string{"x": filepath.Join(dir, "missing")}))
}
