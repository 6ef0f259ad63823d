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

// outOfMemory ends the status of a server that the kernel ended because its container was out of memory. It was not killed from outside:
// what it was asked, or the bound of its memory, is to blame.
const outOfMemory = " (the kernel ended it: its container was out of memory)"

// statusOf describes an exit status.
func (s *server) statusOf(code int64) string {
	status := fmt.Sprintf("exited with status %d", code)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.runtime.ctx), 10*time.Second)
	defer cancel()
	details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
	if err == nil && details.State != nil && details.State.OOMKilled {
		status += outOfMemory
		if details.HostConfig != nil && details.HostConfig.Memory > 0 {
			status = fmt.Sprintf("%s, with a bound of %d MiB; COMPLEMENT_CONTAINER_MEMORY sets another)", strings.TrimSuffix(status, ")"), details.HostConfig.Memory>>20)
		}
	}
	return status
}

// Ending returns how the server last ended, and whether it was killed from outside; "" while it runs.
func (s *server) Ending() (text string, killed bool) {
	s.mutex.Lock()
	life := s.current
	s.mutex.Unlock()
	select {
	case <-life.ended:
		return life.status, life.status == killedStatus || life.status == removedStatus
	default:
		return "", false
	}
}
