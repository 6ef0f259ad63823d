package readiness

// Waiting until a server is ready, or its time is over.

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultTimeout is how long a server may take to become ready by default.
const DefaultTimeout = 30 * time.Second

// pollInterval is how often a starting server is asked.
const pollInterval = 20 * time.Millisecond

// ErrEnded is returned by Await when the server ended before it was ready.
var ErrEnded = errors.New("ended before it was ready")

// Bound is how long a server may take to become ready.
type Bound struct {
	Limit time.Duration
	Why   string // why it differs from the configured bound, "" if it does not
}

func (b Bound) String() string {
	if b.Why == "" {
		return b.Limit.String()
	}
	return fmt.Sprintf("%s (%s)", b.Limit, b.Why)
}

// LateError says that a server was not ready in time.
type LateError struct {
	Bound   Bound
	Problem *Problem // from the last attempt
}

// Error says what the server did: "did not answer GET /_matrix/client/versions on port 8008 within 30s: ...".
func (e *LateError) Error() string {
	return (&Problem{fmt.Sprintf("%s within %s", e.Problem.What, e.Bound), e.Problem.Detail}).Error()
}

// Await calls ask repeatedly until it returns nil. It returns ErrEnded as soon as ended is closed, a *LateError when the
// time is over, ctx's error if ctx ends first, and any error of ask that is not a *Problem. The context passed to ask ends
// when the time is over or the server has ended.
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
		case timed.Err() == nil || last == nil: // otherwise the deadline may have caused the error
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
