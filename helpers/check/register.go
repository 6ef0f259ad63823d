// Package check defines, schedules, runs and judges checks, and finds the check that killed a server. It knows nothing about
// Matrix; the users and servers of a check are in helpers/stage.
package check

import (
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"time"
)

// Check is one scripted test of one or more requirements along one path.
type Check struct {
	Name     string
	Requires []string // identifiers of the requirements that it judges
	Path     string   // delivery path of the event under test, where a requirement has several: "send_join"

	// Slow is roughly how long a check takes that takes longer than others, mostly because it waits for time-outs of a server.
	// Slow checks run beside the others and start before them, the longest first.
	Slow time.Duration
	// Deadly marks a check known to crash deployed servers. It uses its deployments alone, so that their death affects no other
	// check.
	Deadly bool
	// Expends marks a check that tries to crash servers and may need several (C.Expendable). Such checks run one at a time, and
	// hand on the servers that survive.
	Expends bool
	// TwoServers marks a check that needs two servers; in a mixed deployment they are of different candidates.
	TwoServers bool
	// Containers marks a check that cuts servers off from the federation, which only the container runtime can do.
	Containers bool
	// Clients marks a check that uses real client software, which runs in containers and only with --with-clients.
	Clients bool
	// Closing marks the check that the runner judges itself, after the final health checks. It has no body.
	Closing bool

	Body func(*C)

	file string // that registers it: "tests/mapping/lies.go"
}

// Registry holds checks in the order of their registration.
type Registry struct {
	checks []*Check
	roots  []string // requirements that steps may name
}

// registered is written only while packages are initialised.
var registered Registry

// Register adds a check to the suite. Mistakes in it are reported by Registry.Validate.
func Register(added Check) *Check { return registered.Register(added) }

// Registered returns the suite's registry.
func Registered() *Registry { return &registered }

// Register adds a check.
func (r *Registry) Register(added Check) *Check {
	added.file = registeringFile()
	r.checks = append(r.checks, &added)
	return &added
}

// registeringFile returns the file below tests/ that calls Register, perhaps through a helper; "" if there is none.
func registeringFile() string {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		folder, name := path.Split(strings.TrimPrefix(frame.Function, "msc4014/"))
		if folder += strings.Split(name, ".")[0]; folder == "tests" || strings.HasPrefix(folder, "tests/") {
			return path.Join(folder, filepath.Base(frame.File))
		}
		if !more {
			return ""
		}
	}
}

// File returns the source file that registers the check, relative to the project's root.
func (c *Check) File() string { return c.file }

// All returns the registered checks, sorted by name.
func (r *Registry) All() []*Check {
	all := slices.Clone(r.checks)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Validate returns an error for the first mistake in the registry: no name or one used twice, no requirement or one that is
// not known, or no body.
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
