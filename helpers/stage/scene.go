package stage

import (
	"fmt"
	"sync"

	"msc4014/helpers/check"
)

// scene is what was prepared once on a deployment, or how the check ended that could not.
type scene[T any] struct {
	first  sync.Once
	ready  chan struct{} // closed when value or ending is set
	value  T
	ending *check.Ending // nil when it was prepared
}

// Scene returns what prepare made in the check that asked for this name first on the stage's deployment. Checks that
// share a scene only look at it: it must hold collected data, no actors, for the users and peers that prepared it end
// with their check. When the first check ended while it prepared, the others end alike: those that judge the requirement
// which was missing fail, and the rest are blocked by it; if it ran out of time, so have they.
func Scene[T any](s *Stage, name string, prepare func() T) T {
	shared, _ := s.Deployment.Shared().LoadOrStore(name, &scene[T]{ready: make(chan struct{})})
	found := shared.(*scene[T])
	mine := false
	found.first.Do(func() { mine = true })
	if mine {
		found.prepare(s.C, prepare)
	} else if err := s.C.AwaitOther(found.ready); err != nil {
		s.C.SuiteError(fmt.Errorf("another check did not finish preparing what this one shares with it (%s): %w", name, err))
	}
	if found.ending != nil {
		s.C.EndAs(*found.ending)
	}
	return found.value
}

// prepare sets the value, or the ending: prepare ends the goroutine when something that it needs does not work.
func (s *scene[T]) prepare(c *check.C, prepare func() T) {
	finished := false
	defer func() {
		if !finished {
			ending := c.Ended()
			s.ending = &ending
		}
		close(s.ready)
	}()
	s.value = prepare()
	finished = true
}
