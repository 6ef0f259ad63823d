package check

// How a check that failed to prepare something ends the others that share it.

import (
	"errors"
	"strings"

	"msc4014/helpers/verdict"
)

// Ending is how a check ended while it prepared what others share with it.
type Ending struct {
	verdict verdict.Verdict
	by      string // the requirement because of which it ended, "" for none
	reason  string
	starved bool // for want of the machine
}

// Ended returns what the check came to so far, for others that share what it was preparing: error if it says nothing, as when it
// panics, and if it ran out of time, whatever it was doing then.
func (c *C) Ended() Ending {
	if untimely := c.untimely(); untimely != nil {
		return Ending{verdict: verdict.Error, reason: untimely.Error(), starved: !errors.Is(untimely, errOwnSlowness)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcome.verdict == "" {
		return Ending{verdict: verdict.Error, reason: "another check ended while it prepared what this one shares with it"}
	}
	return Ending{c.outcome.verdict, c.outcome.ended, strings.Join(c.outcome.reasons, "; "), c.outcome.starved}
}

// EndAs ends the check as another one did: by a requirement that was missing, a check that judges it fails, and the others are
// blocked by it.
func (c *C) EndAs(other Ending) {
	if other.by != "" {
		c.Blocked(other.by, "%s", other.reason)
	}
	c.record(other.verdict, other.reason)
	c.mu.Lock()
	c.outcome.starved = c.outcome.starved || other.starved
	c.mu.Unlock()
	c.end()
}
