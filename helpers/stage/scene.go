package stage

import (
	"fmt"
	"sync"

	"msc4014/helpers/check"
	"msc4014/helpers/packed"
	"msc4014/helpers/transcript"
)

// scene is what was prepared once on a deployment, or how the check that prepared it ended.
type scene[T any] struct {
	first   sync.Once
	ready   chan struct{} // closed when value or ending is set
	settled sync.Once     // closes ready
	value   T
	ending  *check.Ending // nil if preparation succeeded
	// exchanges are those of the check that prepared it, until it was ready: evidence of all that share it.
	exchanges *packed.Value[[]transcript.Exchange]
}

// Scene returns the value of prepare, which only the first check to ask for this name on the stage's deployment calls. The value must
// be plain data, without users and peers, which end with their check, and checks must not change it. In prepare, each step must name
// the requirement to blame (Blaming). If the first check ends in prepare, the others end in the same way (check.C.EndAs).
func Scene[T any](s *Stage, name string, prepare func() T) T {
	shared, _ := s.Deployment.Shared().LoadOrStore(name, &scene[T]{ready: make(chan struct{})})
	found := shared.(*scene[T])
	mine := false
	found.first.Do(func() { mine = true })
	if mine {
		found.prepare(s, name, prepare)
	} else if err := s.C.AwaitOther(found.ready); err != nil {
		s.C.SuiteError(fmt.Errorf("another check did not finish preparing what both share (%s): %w", name, err))
	}
	if !mine {
		s.C.RestsOn(check.Shared{Name: name, Exchanges: found.exchanges})
	}
	if found.ending != nil {
		s.C.EndAs(*found.ending)
	}
	return found.value
}

// prepare sets the value or, if prepare ends the goroutine, the ending.
func (s *scene[T]) prepare(on *Stage, name string, prepare func() T) {
	finished := false
	settle := func(succeeded bool) {
		s.settled.Do(func() {
			if !succeeded {
				ending := on.C.Ended()
				s.ending = &ending
			}
			s.exchanges = packed.Of(on.C.Transcript())
			close(s.ready)
		})
	}
	on.C.OnGivenUp(func() { settle(false) }) // prepare may never return
	on.sharing = name
	defer func() {
		on.sharing = ""
		settle(finished)
	}()
	s.value = prepare()
	finished = true
}
