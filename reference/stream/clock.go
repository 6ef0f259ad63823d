// Package stream has the clock of a server: one order of everything that clients may have to be told of. The tokens of
// /sync are its positions.
package stream

import (
	"context"
	"sync"
)

// Clock assigns positions to changes. It is safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	now     int64
	changed chan struct{} // closed at the next advance
}

// NewClock returns a clock that continues after the last used position.
func NewClock(last int64) *Clock { return &Clock{now: last, changed: make(chan struct{})} }

// Now returns the latest position. Everything up to it is visible.
func (c *Clock) Now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance calls publish with the next position, under the clock's lock: a reader whose Now is at least that position
// sees what publish made visible, so no reader can skip a change. If publish fails, the position is not used. publish
// must not use the clock.
func (c *Clock) Advance(publish func(position int64) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := publish(c.now + 1); err != nil {
		return err
	}
	c.now++
	close(c.changed)
	c.changed = make(chan struct{})
	return nil
}

// Wait returns once Now is past a position, or the context is done.
func (c *Clock) Wait(ctx context.Context, after int64) {
	for {
		c.mu.Lock()
		now, changed := c.now, c.changed
		c.mu.Unlock()
		if now > after {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
