// Synchronisation, and waiting for what it brings: long polling under the caller's deadline, no sleeps. What a wait
// saw instead of what it waited for stands in its error.

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

// longPoll is the longest time that the server is asked to hold a /sync; lastLook is how long before its deadline a
// wait asks for the last time, without being held.
const (
	longPoll = 10 * time.Second
	lastLook = 200 * time.Millisecond
	// shortestPoll is how often a server that does not hold requests is asked at most.
	shortestPoll = 50 * time.Millisecond
)

// Sync asks once. since may be empty (initial sync); timeout is how long the server may hold the request; filter is
// a filter ID or a filter as JSON, or empty. CS API: Syncing.
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

// WaitError says that what was waited for did not come before the deadline, and what came instead. It is
// context.DeadlineExceeded (or context.Canceled) by errors.Is; Last is why the last thing that was looked at did not do.
type WaitError struct {
	What   string
	Waited time.Duration
	Looks  int      // answers of the server that were looked at
	Seen   []string // what came instead, oldest first
	Last   error
	Err    error
}

// Error tells what was waited for, for how long, and what came instead.
func (e *WaitError) Error() string {
	text := fmt.Sprintf("%s: not within %s (%d answers looked at)", e.What, e.Waited.Round(time.Millisecond), e.Looks)
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	if len(e.Seen) > 0 {
		text += "; seen instead: " + strings.Join(e.Seen, "; ")
	}
	return text
}

// Unwrap returns why the wait ended and why the last look did not do.
func (e *WaitError) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// SyncUntil polls /sync from since until satisfied returns nil, and returns the token to go on from. The deadline is
// ctx's, or the request time-out where ctx has none. An answer of refusal, or none, ends it at once with that error;
// the deadline ends it with a *WaitError that holds the last error of satisfied.
func (c *Client) SyncUntil(ctx context.Context, since, filter string, satisfied func(*Response) error) (string, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	wait := &WaitError{What: "sync of " + c.UserID, Err: context.DeadlineExceeded}
	started := time.Now()
	for {
		hold := min(longPoll, remaining(ctx)-lastLook)
		asked := time.Now()
		response, err := c.Sync(ctx, since, max(hold, 0), filter)
		if err != nil {
			if wait.Looks > 0 && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				wait.Waited = time.Since(started)
				return since, wait
			}
			return since, err
		}
		next, err := response.text("next_batch")
		if err != nil {
			return since, err
		}
		wait.Looks++
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
			c.pause(ctx)
		}
	}
}

// pause keeps a server that answers at once, with nothing new, from being asked without end.
func (c *Client) pause(ctx context.Context) {
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

// remaining is the time until ctx's deadline, which it must have.
func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}
