package killed

// Finding the processes of a run, all of which have its mark in their environment.

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	markVariable = "MSC4014_TEST_MARK"
	// longest bounds each wait.
	longest = 2 * time.Minute
)

// found is a process with a mark.
type found struct {
	pid     int
	command []string
}

// is reports whether the process is one of these programs.
func (f found) is(names ...string) bool {
	return slices.Contains(names, filepath.Base(f.command[0]))
}

// marked returns the processes whose environment has the mark.
func marked(mark string) []found {
	var all []found
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		data, err := os.ReadFile(path) // it is empty for a zombie
		if err != nil || !strings.Contains("\x00"+string(data), "\x00"+markVariable+"="+mark+"\x00") {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(line) > 0 {
			all = append(all, found{pid, strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
		}
	}
	return all
}

// programs recognizes the processes of a run, by their name in the tests.
var programs = map[string]func(found) bool{
	"go command": func(f found) bool { return f.is("go") && len(f.command) > 1 && f.command[1] == "build" },
	"compiler":   func(f found) bool { return f.is("compile", "asm", "link") },
	"suite":      func(f found) bool { return f.is("suite") && len(f.command) == 1 },
	"server":     func(f found) bool { return f.is("entrypoint", "dendrite") },
}

// one returns the ID of a process of the run that is this program, or 0 if there is none.
func (p *process) one(program string) int {
	for _, each := range marked(p.mark) {
		if programs[program](each) {
			return each.pid
		}
	}
	return 0
}

// await waits until is returns true. It fails if the run ends before that.
func (p *process) await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(longest)
	for !is() {
		select {
		case <-tick.C:
		case <-p.ended:
			require.FailNow(t, "the run ended before: "+what, "%s", p.said())
		case <-deadline:
			require.FailNow(t, "no "+what, "%s", p.said())
		}
	}
}

// killCompilers kills compilers until the run ends, since many are about to exit anyway when they are killed.
func (p *process) killCompilers(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(longest); ; {
		if pid := p.one("compiler"); pid != 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return
		case <-deadline:
			require.FailNow(t, "the run did not end although its compilers were killed", "%s", p.said())
		}
	}
}

// kill kills a process with SIGKILL.
func kill(t *testing.T, pid int) {
	t.Helper()
	require.NotZero(t, pid, "the process has already ended")
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
}
