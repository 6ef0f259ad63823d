package stage

import (
	"sync"

	"msc4014/blueprints"
	"msc4014/helpers/verdict"
)

// scene is what was prepared once on a deployment, or why it could not be.
type scene[T any] struct {
	once    sync.Once
	value   T
	verdict verdict.Verdict // "" when it was prepared
	by      string          // the requirement that was missing, if it was one
	reason  string
}

// Scene returns what prepare made in the check that asked for this name first on the stage's deployment. Checks that
// share a scene only look at it: it must hold collected data, no actors, for the users and peers that prepared it end
// with their check. When the first check ended while it prepared, the others end alike: those that judge the requirement
// which was missing fail, the rest are blocked by it.
func Scene[T any](s *Stage, name string, prepare func() T) T {
	found, err := blueprints.Scene(s.Deployment, name, func() (*scene[T], error) { return &scene[T]{}, nil })
	if err != nil {
		s.C.SuiteError(err)
	}
	found.once.Do(func() {
		finished := false
		defer func() { // prepare ends the goroutine when something that it needs does not work
			if !finished {
				found.verdict, found.by, found.reason = s.C.Ended()
			}
		}()
		found.value = prepare()
		finished = true
	})
	if found.verdict != "" {
		s.C.EndAs(found.verdict, found.by, found.reason)
	}
	return found.value
}
