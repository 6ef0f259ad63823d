// Package wait holds waiting without sleeping: deadlines that lengthen on a slow machine, looking again when something
// was announced (For), and, where only asking helps, looking again at intervals (Until). Each needs a context with a
// deadline, and its error wraps why the last look did not do.
package wait

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Policy turns the durations that checks write down into those of this machine. The zero value changes nothing.
type Policy struct {
	// Factor is how much slower than expected the machine is now; nil, or less than 1, means 1.
	Factor func() float64
}

// Scale returns base lengthened by the factor.
func (p Policy) Scale(base time.Duration) time.Duration {
	if p.Factor != nil {
		if factor := p.Factor(); factor > 1 {
			return time.Duration(float64(base) * factor)
		}
	}
	return base
}

// Context returns ctx with a deadline of base, lengthened by the factor, from now. The caller must call cancel.
func (p Policy) Context(ctx context.Context, base time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.Scale(base))
}

// Error says that what was waited for did not come. It is context.DeadlineExceeded or context.Canceled by errors.Is,
// and wraps what the last look said.
type Error struct {
	Waited time.Duration
	Looks  int
	Last   error // nil where the looks gave no reason
	Err    error // of the context
}

// Error tells how long was waited, how often was looked, and what the last look said.
func (e *Error) Error() string {
	text := fmt.Sprintf("not within %s (looked %d times)", e.Waited.Round(time.Millisecond), e.Looks)
	if errors.Is(e.Err, context.Canceled) {
		text = fmt.Sprintf("given up after %s (looked %d times)", e.Waited.Round(time.Millisecond), e.Looks)
	}
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

// Unwrap returns the context's error and the last look's.
func (e *Error) Unwrap() []error {
	if e.Last == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Last}
}

// errNoDeadline is a mistake of the caller, told at once instead of by a hang.
var errNoDeadline = errors.New("wait: the context has no deadline")

// stop marks an error that no further look can mend.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// Stop makes a condition's error final: Until and For return it at once. Stop(nil) is nil.
func Stop(err error) error {
	if err == nil {
		return nil
	}
	return stop{err}
}

// For looks until found, and again each time that the channel is closed which changed returned before the look; so
// nothing that is announced during a look is missed. An error of look is kept as the reason, and is final if marked
// by Stop. ctx must have a deadline.
func For[T any](ctx context.Context, changed func() <-chan struct{}, look func(ctx context.Context) (value T, found bool, err error)) (T, error) {
	var result T
	err := loop(ctx, func() (<-chan struct{}, error) {
		next := changed()
		value, found, err := look(ctx)
		if found {
			result = value
			return nil, nil
		}
		if err == nil {
			err = errNotYet
		}
		return next, err
	})
	return result, err
}

// errNotYet stands for a look without a reason.
var errNotYet = errors.New("not yet")

// Until asks condition at once and then at intervals until it returns nil. It is for what announces nothing, such as
// another program's HTTP endpoint. ctx must have a deadline.
func Until(ctx context.Context, every time.Duration, condition func(ctx context.Context) error) error {
	if every <= 0 {
		return fmt.Errorf("wait: an interval of %s", every)
	}
	return loop(ctx, func() (<-chan struct{}, error) {
		err := condition(ctx)
		if err == nil {
			return nil, nil
		}
		next := make(chan struct{})
		time.AfterFunc(every, func() { close(next) })
		return next, err
	})
}

// loop looks until look returns no error; after an error it waits for the channel that came with it.
func loop(ctx context.Context, look func() (<-chan struct{}, error)) error {
	if _, ok := ctx.Deadline(); !ok {
		return errNoDeadline
	}
	started := time.Now()
	for looks := 1; ; looks++ {
		next, err := look()
		if err == nil {
			return nil
		}
		var final stop
		if errors.As(err, &final) {
			if marked, ok := err.(stop); ok {
				return marked.error
			}
			return err // with what the condition wrapped around it
		}
		select {
		case <-next:
			if ctx.Err() == nil {
				continue
			}
		case <-ctx.Done():
		}
		if errors.Is(err, errNotYet) {
			err = nil
		}
		return &Error{Waited: time.Since(started), Looks: looks, Last: err, Err: ctx.Err()}
	}
}

// Broadcast tells any number of waiters that something changed. The zero value works.
type Broadcast struct {
	mu   sync.Mutex
	next chan struct{}
}

// Changed returns a channel that is closed at the next Announce. Take it before looking.
func (b *Broadcast) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

// Announce wakes everyone who waits.
func (b *Broadcast) Announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
