package gocommand

import "syscall"

// ownGroup makes a child the leader of a process group, and has it killed when the thread that started it ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
