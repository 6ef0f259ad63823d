package docker

// How a server ended.

// removedStatus is the status of a server whose container was removed, but not by this process.
const removedStatus = "was removed from outside"

// killedStatus is the status of a process that was ended by SIGKILL.
const killedStatus = "exited with status 137"

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
