// Package gocommand runs the go command such that none of its processes outlives the caller, even if the caller is killed:
// the go command itself ends with its caller, and the compilers that it started are found by where their temporary files go.
package gocommand

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// TemporaryVariable tells the go command where its temporary files go. EndWorkers finds compilers by it.
const TemporaryVariable = "GOTMPDIR"

// Run runs the go command in dir with RunGroup and returns all of its output. If this process is killed, EndWorkers ends
// what the command had started.
func Run(ctx context.Context, dir string, environment []string, arguments ...string) (output string, err error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	command.Env = environment
	var both bytes.Buffer
	command.Stdout, command.Stderr = &both, &both
	err = RunGroup(command)
	return both.String(), err
}

// RunGroup runs a command made by exec.CommandContext in its own process group, and kills the whole group when the context
// ends. If this process is killed, the kernel kills the command, but not the rest of the group.
func RunGroup(command *exec.Cmd) error {
	command.SysProcAttr = ownGroup()
	command.Cancel = func() error { return unix.Kill(-command.Process.Pid, unix.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	done := make(chan error, 1)
	go func() {
		// For the kernel, the child's parent is this thread, which must therefore live until the child has ended.
		goruntime.LockOSThread()
		defer goruntime.UnlockOSThread()
		done <- command.Run()
	}()
	return <-done
}

// EndWorkers kills go commands and compilers whose temporary files go to a folder, and waits at most 5 s until none is left.
// It needs /proc; without it, it does nothing, and they finish by themselves.
func EndWorkers(temporary string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	// Repeat: a go command may have started another compiler before it ended.
	for deadline := time.Now().Add(5 * time.Second); endWorkers(temporary) && time.Now().Before(deadline); {
		<-tick.C
	}
}

// endWorkers does so once and reports whether there were any.
func endWorkers(temporary string) (found bool) {
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environments {
		data, err := os.ReadFile(path) // a zombie's is empty
		if err != nil || !strings.Contains("\x00"+string(data), "\x00"+TemporaryVariable+"="+temporary+"\x00") {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(path, "/proc/%d/environ", &pid); err == nil && pid != os.Getpid() {
			found = true
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	return found
}
