package check

// How a check that failed to prepare something ends the others that share it.

import (
	"strings"

	"msc4014/helpers/verdict"
)

// Ended tells what the check came to so far, for others that share what it was preparing: error if it says nothing, as
// when it panics. by is the requirement because of which it ended, "" for none: a check that judges it itself fails,
// the others are blocked by it.
func (c *C) Ended() (v verdict.Verdict, by, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcome.verdict == "" {
		return verdict.Error, "", "another check ended while it prepared what this one shares with it"
	}
	return c.outcome.verdict, c.outcome.ended, strings.Join(c.outcome.reasons, "; ")
}

// EndAs ends the check as another one did (Ended).
func (c *C) EndAs(v verdict.Verdict, by, reason string) {
	if by != "" {
		c.Blocked(by, "%s", reason)
	}
	c.record(v, reason)
	c.end()
}
