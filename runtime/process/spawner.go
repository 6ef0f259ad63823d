// Starting children.

package process

import (
	"errors"
	"os/exec"
	goruntime "runtime"
	"sync"
)

// spawner starts children from one thread that lives as long as the runtime. The kernel sends a child its parent-death
// signal when the thread that started it ends, not when the process does. Go may end a thread at any time, so a child
// started from an arbitrary goroutine might be killed in the middle of a run.
type spawner struct {
	requests chan request
	done     chan struct{}
	once     sync.Once
}

type request struct {
	command *exec.Cmd
	result  chan error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan request), done: make(chan struct{})}
	go func() {
		// Never unlocked: the thread ends with the goroutine, and any remaining children with it.
		goruntime.LockOSThread()
		for {
			select {
			case request := <-s.requests:
				request.result <- request.command.Start()
			case <-s.done:
				return
			}
		}
	}()
	return s
}

func (s *spawner) start(command *exec.Cmd) error {
	request := request{command: command, result: make(chan error, 1)}
	select {
	case s.requests <- request:
		return <-request.result
	case <-s.done:
		return errors.New("the run is over")
	}
}

func (s *spawner) close() { s.once.Do(func() { close(s.done) }) }
