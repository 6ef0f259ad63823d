package verdict

// The names of checks that run several times.

import (
	"fmt"
	"regexp"
)

// Repeat returns the name under which a check runs again: the first time has the check's own.
func Repeat(name string, time, of int) string {
	if time == 1 {
		return name
	}
	return fmt.Sprintf("%s (time %d of %d)", name, time, of)
}

var repeated = regexp.MustCompile(` \(time \d+ of \d+\)$`)

// Repeated returns the check's own name.
func Repeated(name string) string { return repeated.ReplaceAllString(name, "") }
