package process

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts a child into its own process group, so that Ctrl-C reaches only the suite, which then ends its
// servers, and has it killed when the spawner's thread ends. Both remain in effect after the entry point's exec.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// waitForEnd waits until a child has ended, but leaves it a zombie.
func waitForEnd(pid int) { waitFor(pid, unix.WEXITED) }

// waitForStop waits until all threads of a child that received SIGSTOP have stopped, or it has ended.
func waitForStop(pid int) { waitFor(pid, unix.WSTOPPED|unix.WEXITED) }

func waitFor(pid, what int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, what|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
