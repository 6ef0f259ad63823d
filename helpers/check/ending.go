package check

// How a check that failed to prepare something shared ends the others that need it.

import (
	"errors"
	"strings"

	"msc4014/helpers/verdict"
)

// Ending is how a check ended while it prepared something shared.
type Ending struct {
	verdict verdict.Verdict
	by      string // the requirement that ended it, or ""
	reason  string
	starved bool // because the machine was too slow
	// underTest: what they share includes the action under test, and that had begun.
	underTest bool
}

// Ended returns how the check ended, for those that need what it was preparing. That is an error if it has no verdict yet, as
// when it panics, or if it ran out of time.
func (c *C) Ended() Ending {
	if untimely := c.untimely(); untimely != nil {
		return Ending{verdict: verdict.Error, reason: untimely.Error(), starved: !errors.Is(untimely, errOwnSlowness)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcome.verdict == "" {
		return Ending{verdict: verdict.Error, reason: "another check ended while it prepared what both share"}
	}
	return Ending{c.outcome.verdict, c.outcome.ended, strings.Join(c.outcome.reasons, "; "), c.outcome.starved, c.underTest}
}

// EndAs ends the check in the way of another. If a requirement ended the other, this is C.Blocked by that requirement.
func (c *C) EndAs(other Ending) {
	if other.by != "" {
		if other.underTest {
			c.UnderTest()
		}
		c.Blocked(other.by, "%s", other.reason)
	}
	c.record(other.verdict, other.reason)
	c.mu.Lock()
	c.outcome.starved = c.outcome.starved || other.starved
	c.mu.Unlock()
	c.end()
}
