// Package check says what a check is and judges checks: registration, positive controls, verdicts, scheduling, and the
// search for the check that brought a server down. It knows nothing of Matrix; the actors of a check are in
// helpers/stage.
package check

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// Check is one scripted test of one or more requirements along one path.
type Check struct {
	Name     string
	Requires []string // requirements that it judges: identifiers of the catalogue
	Path     string   // delivery path of the event under test, where a requirement has several: "send_join"

	// Slow is about how long the check waits for a server's own time-outs, or takes for another reason; 0: no longer than others
	// do. Slow checks run beside the others and start before them, the longest first.
	Slow time.Duration
	// Deadly marks a check known to crash deployed servers. It has its deployments to itself, so that their death costs no
	// other check its place.
	Deadly bool
	// Expends marks a check that tries to crash servers, and may use up several (C.Expendable). Such checks run one at a
	// time, and hand on a server that survived to the next.
	Expends bool
	// TwoServers marks a check that needs two servers, which in a mixed deployment are of different candidates.
	TwoServers bool
	// Containers marks a check that cuts servers off from the federation, which only the container runtime can do.
	Containers bool
	// Closing marks the check that the runner judges itself, after the last look at every deployment. It has no body.
	Closing bool

	Body func(*C)
}

// Registry holds checks in the order of their registration.
type Registry struct{ checks []*Check }

// registered is filled while the packages of checks are initialised; nothing writes to it afterwards.
var registered Registry

// Register adds a check to the suite. Mistakes in it are reported by Validate, at the start.
func Register(added Check) *Check { return registered.Register(added) }

// Registered returns the suite's registry.
func Registered() *Registry { return &registered }

// Register adds a check.
func (r *Registry) Register(added Check) *Check {
	r.checks = append(r.checks, &added)
	return &added
}

// All returns the registered checks in the order of their names.
func (r *Registry) All() []*Check {
	all := slices.Clone(r.checks)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Validate reports the first mistake in the registry: a name used twice, no requirement, an identifier that the
// catalogue does not have (known tells), or no body.
func (r *Registry) Validate(known func(identifier string) bool) error {
	names := map[string]bool{}
	for _, one := range r.checks {
		switch {
		case one.Name == "":
			return fmt.Errorf("a check of %v has no name", one.Requires)
		case names[one.Name]:
			return fmt.Errorf("two checks are named %q", one.Name)
		case len(one.Requires) == 0:
			return fmt.Errorf("check %q names no requirement", one.Name)
		case one.Body == nil && !one.Closing:
			return fmt.Errorf("check %q has no body", one.Name)
		}
		names[one.Name] = true
		for _, identifier := range one.Requires {
			if !known(identifier) {
				return fmt.Errorf("check %q: the catalogue has no requirement %q", one.Name, identifier)
			}
		}
	}
	return nil
}
