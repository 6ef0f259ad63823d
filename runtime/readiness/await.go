package readiness

// Waiting, for as long as was said.

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultTimeout is how long a server may take to become ready if nothing else is said.
const DefaultTimeout = 30 * time.Second

// pollInterval is how often a server that starts is asked.
const pollInterval = 20 * time.Millisecond

// ErrEnded is returned by Await when the server ended before it was ready.
var ErrEnded = errors.New("ended before it was ready")

// Bound is how long a server may take to become ready.
type Bound struct {
	Limit time.Duration
	Why   string // why it is not the bound that users know, "" if it is
}

func (b Bound) String() string {
	if b.Why == "" {
		return b.Limit.String()
	}
	return fmt.Sprintf("%s (%s)", b.Limit, b.Why)
}

// LateError says that a server was not ready when its time was over.
type LateError struct {
	Bound   Bound
	Problem *Problem // the last answer, or what was missing
}

// Error reads as what the server did: "did not answer GET /_matrix/client/versions on port 8008 within 30s: ...".
func (e *LateError) Error() string {
	return (&Problem{fmt.Sprintf("%s within %s", e.Problem.What, e.Bound), e.Problem.Detail}).Error()
}

// Await calls ask until it returns nil, again and again for as long as its error is a *Problem. It returns ErrEnded as soon
// as ended is closed, a *LateError when the time is over, ctx's error when that ends first, and any other error of ask as it
// is. The context that ask gets ends with the time and with the server.
func Await(ctx context.Context, bound Bound, ended <-chan struct{}, ask func(context.Context) error) error {
	timed, cancel := context.WithTimeout(ctx, bound.Limit)
	defer cancel()
	go func() { // no request outlives the server
		select {
		case <-ended:
			cancel()
		case <-timed.Done():
		}
	}()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last *Problem
	for {
		err := ask(timed)
		var problem *Problem
		switch {
		case isClosed(ended):
			return ErrEnded
		case err == nil:
			return nil
		case !errors.As(err, &problem):
			return err
		case timed.Err() == nil || last == nil: // else it is the deadline's doing that there was no answer
			last = problem
		}
		select {
		case <-tick.C:
		case <-ended:
			return ErrEnded
		case <-timed.Done():
			switch {
			case isClosed(ended):
				return ErrEnded
			case ctx.Err() != nil:
				return fmt.Errorf("given up: %w", ctx.Err())
			}
			return &LateError{Bound: bound, Problem: last}
		}
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
