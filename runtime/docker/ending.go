package docker

// How a server ended.

// killedStatus is the status of a process that ended by SIGKILL.
const killedStatus = "exited with status 137"

// Ending tells how the latest start of the server ended.
func (s *server) Ending() (text string, killed bool) {
	s.mutex.Lock()
	life := s.current
	s.mutex.Unlock()
	select {
	case <-life.ended:
		return life.status, life.status == killedStatus || life.status == "was removed by somebody else"
	default:
		return "", false
	}
}
