package docker

// How a server ended.

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// removedStatus is the status of a server whose container was removed, but not by this process.
const removedStatus = "was removed from outside"

// killedStatus is the status of a process that was ended by SIGKILL.
const killedStatus = "exited with status 137"

// machineOutOfMemory ends the status of a server that the kernel ended although its container has no bound: the machine had no memory left,
// which says nothing against the server.
const machineOutOfMemory = " (the kernel ended it: the machine was out of memory)"

// statusOf describes an exit status.
func (s *server) statusOf(code int64) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.runtime.ctx), 10*time.Second)
	defer cancel()
	details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
	if err != nil || details.State == nil {
		return describe(code, false, 0)
	}
	bound := int64(0)
	if details.HostConfig != nil {
		bound = details.HostConfig.Memory
	}
	return describe(code, details.State.OOMKilled, bound)
}

// describe describes an exit status of a container with a bound of its memory in bytes, 0 for none. With control groups of version 2 engines
// say that it was out of memory when the machine was, too. One that reached its bound was not killed from outside: what it was asked, or
// the bound, is to blame.
func describe(code int64, outOfMemory bool, bound int64) string {
	status := fmt.Sprintf("exited with status %d", code)
	switch {
	case !outOfMemory:
		return status
	case bound > 0:
		return fmt.Sprintf("%s (the kernel ended it: its container was out of memory, with a bound of %d MiB; COMPLEMENT_CONTAINER_MEMORY sets another)",
			status, bound>>20)
	}
	return status + machineOutOfMemory
}

// fromOutside reports whether a status is that of a server which something else than itself ended.
func fromOutside(status string) bool {
	return status == killedStatus || status == removedStatus || strings.HasSuffix(status, machineOutOfMemory)
}

// Ending returns how the server last ended, and whether it was killed from outside; "" while it runs.
func (s *server) Ending() (text string, killed bool) {
	s.mutex.Lock()
	life := s.current
	s.mutex.Unlock()
	select {
	case <-life.ended:
		return life.status, fromOutside(life.status)
	default:
		return "", false
	}
}
