package process

import "golang.org/x/sys/unix"

// Ending tells how the latest start of the server ended.
func (s *server) Ending() (text string, killed bool) {
	life := s.life()
	if life == nil {
		return "", false
	}
	select {
	case <-life.ended:
		return life.status, life.status == "was ended by signal "+unix.SIGKILL.String()
	default:
		return "", false
	}
}
