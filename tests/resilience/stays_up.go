package resilience

// Staying up, as the runner judges it.

import "msc4014/helpers/check"

// No input of the suite makes a server crash, hang, or fail healthy requests afterwards. The runner judges it: every
// deployment is watched, and checked by a healthy room when its last check is over.
var _ = check.Register(check.Check{
	Name:     "no server crashes, hangs or falls ill",
	Requires: []string{staysUp},
	Closing:  true,
})
