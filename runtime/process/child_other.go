//go:build !linux

package process

import "syscall"

// childAttributes is never called, as New returns an error.
func childAttributes() *syscall.SysProcAttr { return nil }

func waitForEnd(int) {}

func waitForStop(int) {}
