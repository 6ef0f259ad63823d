// Package gocommand runs the go command so that nothing of it outlives whoever asked for it, however that ends: the go
// command itself ends with its caller, and the compilers that it started are known by where their temporary files go.
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

// TemporaryVariable tells the go command where its temporary files go, and EndWorkers whose workers its compilers are.
const TemporaryVariable = "GOTMPDIR"

// Run runs the go command in dir by RunGroup and returns all that it wrote. EndWorkers ends what it had started if this
// process was killed.
func Run(ctx context.Context, dir string, environment []string, arguments ...string) (output string, err error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = dir
	command.Env = environment
	var both bytes.Buffer
	command.Stdout, command.Stderr = &both, &both
	err = RunGroup(command)
	return both.String(), err
}

// RunGroup runs a command made by exec.CommandContext as a process group of its own, which ends as a whole when the context
// does. If this process is killed, the kernel ends the command itself.
func RunGroup(command *exec.Cmd) error {
	command.SysProcAttr = ownGroup()
	command.Cancel = func() error { return unix.Kill(-command.Process.Pid, unix.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	done := make(chan error, 1)
	go func() {
		// The kernel's parent of the child is this thread: it must live until the child has ended.
		goruntime.LockOSThread()
		defer goruntime.UnlockOSThread()
		done <- command.Run()
	}()
	return <-done
}

// EndWorkers ends go commands and compilers whose temporary files go to a folder, and waits, for 5 s at most, until none
// is left. It needs /proc; elsewhere what is still at work ends by itself.
func EndWorkers(temporary string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	// Again and again: a go command may have started one more compiler before its end.
	for deadline := time.Now().Add(5 * time.Second); endWorkers(temporary) && time.Now().Before(deadline); {
		<-tick.C
	}
}

// endWorkers does so once and tells whether there were any.
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
