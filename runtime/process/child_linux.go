package process

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes: a process group of its own, so that Ctrl-C reaches the suite alone, which then ends its servers; and
// SIGKILL when the spawner's thread ends. Both outlive the entry point's exec.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// waitForEnd waits until a child has ended, and leaves it to be waited for.
func waitForEnd(pid int) { waitFor(pid, unix.WEXITED) }

// waitForStop waits until all threads of a child that got SIGSTOP stand still, or it has ended.
func waitForStop(pid int) { waitFor(pid, unix.WSTOPPED|unix.WEXITED) }

func waitFor(pid, what int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, what|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
