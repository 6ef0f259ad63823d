// Syncing, and waiting for events by long polling until the caller's deadline. The error of a wait lists what came instead.

package csapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// longPoll is the longest time that the server is asked to hold a /sync.
	longPoll = 10 * time.Second
	// lastPoll is how long before its deadline a wait polls for the last time, without a hold.
	lastPoll = 200 * time.Millisecond
	// shortestPoll is the pause before asking again a server that does not hold requests.
	shortestPoll = 50 * time.Millisecond
)

// Sync sends one /sync. since may be empty (initial sync); timeout is how long the server may hold the request; filter is a
// filter ID, a filter as JSON, or empty. CS API: Syncing.
func (c *Client) Sync(ctx context.Context, since string, timeout time.Duration, filter string) (*Response, error) {
	query := url.Values{"timeout": {strconv.FormatInt(timeout.Milliseconds(), 10)}}
	if since != "" {
		query.Set("since", since)
	}
	if filter != "" {
		query.Set("filter", filter)
	}
	return c.Server.do(ctx, c.UserID, c.token(), http.MethodGet, V3("sync"), query, nil, timeout)
}

// WaitError says that an awaited event did not come before the deadline, and what came instead. It wraps
// context.DeadlineExceeded or context.Canceled.
type WaitError struct {
	What    string
	Waited  time.Duration
	Answers int      // number of answers examined
	Seen    []string // events that came instead, oldest first
	Last    error    // why the last answer was not satisfactory; may be nil
	Err     error    // why the wait ended
}

// Error says what was awaited, for how long, and what came instead.
func (e *WaitError) Error() string {
	text := fmt.Sprintf("%s: not within %s (%d answers)", e.What, e.Waited.Round(time.Millisecond), e.Answers)
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	if len(e.Seen) > 0 {
		text += "; seen instead: " + strings.Join(e.Seen, "; ")
	}
	return text
}

// Unwrap returns Err and Last.
func (e *WaitError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// SyncUntil polls /sync from since until satisfied returns nil, and returns the next token. The deadline is ctx's, or the request
// time-out if ctx has none. A failed request ends the wait with its error; the deadline ends it with a *WaitError that wraps
// the last error of satisfied.
func (c *Client) SyncUntil(ctx context.Context, since, filter string, satisfied func(*Response) error) (string, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	wait := &WaitError{What: "sync of " + c.UserID, Err: context.DeadlineExceeded}
	started := time.Now()
	for {
		hold := min(longPoll, remaining(ctx)-lastPoll)
		asked := time.Now()
		response, err := c.Sync(ctx, since, max(hold, 0), filter)
		if err != nil {
			// A deadline that came nearer meanwhile does not make a held request one that failed.
			held := wait.Answers > 0 || time.Since(asked) < hold
			if held && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				wait.Waited = time.Since(started)
				return since, wait
			}
			return since, err
		}
		next, err := response.text("next_batch")
		if err != nil {
			return since, err
		}
		wait.Answers++
		if wait.Last = satisfied(response); wait.Last == nil {
			return next, nil
		}
		idle := next == since && time.Since(asked) < shortestPoll
		since = next
		if hold <= 0 {
			wait.Waited = time.Since(started)
			return since, wait
		}
		if idle {
			pause(ctx)
		}
	}
}

// pause waits before asking a server again that answers at once with nothing new.
func pause(ctx context.Context) {
	timer := time.NewTimer(shortestPoll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (c *Client) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return c.Server.limited(ctx, 0)
}

// remaining returns the time until ctx's deadline, which must exist.
func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}
