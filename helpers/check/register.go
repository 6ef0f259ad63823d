// Package check says what a check is and judges checks: registration, positive controls, verdicts, scheduling, and the
// search for the check that brought a server down. It knows nothing of Matrix; the actors of a check are in
// helpers/stage.
package check

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"time"
)

// Check is one scripted test of one or more requirements along one path.
type Check struct {
	Name         string
	Requirements []string      // identifiers of the catalogue
	Path         string        // the path along which the event arrives, where a requirement has several: "send_join"
	Slow         time.Duration // about how long it waits for a server's own time-outs, or tries its strength; 0: it does not
	Deadly       bool          // servers are known to die of it: nobody else stands on its deployments meanwhile
	Expends      bool          // tries to bring servers down, and may use up several (C.Expendable)
	TwoServers   bool          // stands on two servers, which may be of different candidates
	Containers   bool          // needs servers with networks of their own, which plain processes do not have
	Closing      bool          // judged by the runner itself, when every deployment was looked at for the last time
	Body         func(*C)
}

// Option adds to a check while it is registered.
type Option func(*Check)

// Requires names the requirements of the catalogue that the check judges.
func Requires(identifiers ...string) Option {
	return func(check *Check) { check.Requirements = append(check.Requirements, identifiers...) }
}

// Path names the path along which the check's event reaches the server.
func Path(name string) Option {
	return func(check *Check) { check.Path = name }
}

// Slow marks a check that must wait for a server's own time-outs, or takes long for another reason, and about how long where
// it does. It runs beside the others and starts before them, the longest first.
func Slow(about time.Duration) Option {
	return func(check *Check) { check.Slow = about }
}

// Deadly marks a check that deployed servers die of, if that is so: it has its deployments to itself, so that their death
// costs no other check its place. Who comes after it stands on them only if they are well.
func Deadly(so bool) Option {
	return func(check *Check) { check.Deadly = so }
}

// Expends marks a check that tries to bring servers down (C.Expendable). They run one at a time: who finds no harm hands the
// server on to the next.
func Expends() Option {
	return func(check *Check) { check.Expends = true }
}

// TwoServers marks a check that stands on two servers. It runs in mixed deployments, too, with a candidate on each side.
func TwoServers() Option {
	return func(check *Check) { check.TwoServers = true }
}

// Containers marks a check that cuts servers off: only containers have networks that can be cut.
func Containers() Option {
	return func(check *Check) { check.Containers = true }
}

// Closing marks the check that the runner judges itself: that every deployment ended in health.
func Closing() Option {
	return func(check *Check) { check.Closing = true }
}

// Registry holds checks in the order of their registration.
type Registry struct{ checks []*Check }

// registered takes what package tests registers while it is initialised; nothing writes to it afterwards.
var registered Registry

// Register adds a check to the suite. Its last argument is the body; mistakes are reported by Validate, at the start.
func Register(name string, arguments ...any) *Check {
	return registered.Register(name, arguments...)
}

// Registered returns the suite's registry.
func Registered() *Registry { return &registered }

// Register adds a check made of options and a body.
func (r *Registry) Register(name string, arguments ...any) *Check {
	added := &Check{Name: name}
	for _, argument := range arguments {
		switch value := argument.(type) {
		case Option:
			value(added)
		case func(*C):
			added.Body = value
		default:
			panic(fmt.Sprintf("check %q: %T is neither an option nor a body", name, argument))
		}
	}
	r.checks = append(r.checks, added)
	return added
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
			return fmt.Errorf("a check of %v has no name", one.Requirements)
		case names[one.Name]:
			return fmt.Errorf("two checks are named %q", one.Name)
		case len(one.Requirements) == 0:
			return fmt.Errorf("check %q names no requirement", one.Name)
		case one.Body == nil && !one.Closing:
			return fmt.Errorf("check %q has no body", one.Name)
		}
		names[one.Name] = true
		for _, identifier := range one.Requirements {
			if !known(identifier) {
				return fmt.Errorf("check %q: the catalogue has no requirement %q", one.Name, identifier)
			}
		}
	}
	return nil
}

// Mixed tells whether the check is one of mixed deployments: it stands on two servers, or looks at every deployment.
func (check *Check) Mixed() bool { return check.TwoServers || check.Closing }

// Matches tells whether the check's name, or one of its requirements, matches.
func (check *Check) Matches(pattern *regexp.Regexp) bool {
	return pattern.MatchString(check.Name) || slices.ContainsFunc(check.Requirements, pattern.MatchString)
}
