package process

import "golang.org/x/sys/unix"

// Ending returns how the server last ended, and whether it was killed from outside; "" while it runs.
func (s *server) Ending() (text string, killed bool) {
	life := s.life()
	if life == nil {
		return "", false
	}
	select {
	case <-life.ended:
		return life.status, life.status == endedBySignal+unix.SIGKILL.String()
	default:
		return "", false
	}
}
