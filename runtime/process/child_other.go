//go:build !linux

package process

import "syscall"

// childAttributes is never used: New refuses.
func childAttributes() *syscall.SysProcAttr { return nil }

func waitForEnd(int) {}

func waitForStop(int) {}
