package check

// How many checks run at once: as many as requested, or fewer while the machine or the servers are slow.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

const (
	// throttleAbove is the slowness above which fewer checks are started.
	throttleAbove = 3.0
	// throttleInterval is how often a waiting lane recomputes its places.
	throttleInterval = time.Second
)

// lane limits how many checks run at once.
type lane struct {
	runner *Runner
	places int
	least  int

	mu    sync.Mutex
	taken int
	freed chan struct{} // closed and replaced when places are given back
}

// newLane returns a lane of so many places, of which at least least are available on a slow machine.
func (r *Runner) newLane(places, least int) *lane {
	return &lane{runner: r, places: places, least: min(places, least), freed: make(chan struct{})}
}

// allowed returns how many places are available now.
func (l *lane) allowed() int {
	slowness := l.runner.slowness()
	if slowness <= throttleAbove {
		return l.places
	}
	return max(l.least, int(float64(l.places)*throttleAbove/slowness))
}

// take waits for count places and takes them. It reports false if ctx ended first.
func (l *lane) take(ctx context.Context, count int) bool {
	for {
		allowed := max(l.allowed(), count)
		l.mu.Lock()
		freed := l.freed
		if l.taken+count <= allowed && ctx.Err() == nil {
			l.taken += count
			l.mu.Unlock()
			return true
		}
		l.mu.Unlock()
		timer := time.NewTimer(throttleInterval)
		select {
		case <-freed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// give gives places back.
func (l *lane) give(count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken -= count
	close(l.freed)
	l.freed = make(chan struct{})
}

// slowness returns that of the machine or of the servers in use, whichever is worse.
func (r *Runner) slowness() float64 {
	return max(r.options.Slowness(), r.serversSlowness())
}

// serversSlowness returns the median slowness of the shared deployments in use: a sick one says nothing about the others.
func (r *Runner) serversSlowness() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []float64
	for _, each := range r.instances {
		if each.users > 0 && !each.gone() {
			all = append(all, each.probe.slowness(time.Now()))
		}
	}
	if len(all) == 0 {
		return 1
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// reportStarved emits one note if checks have no verdict because the machine was too slow.
func (r *Runner) reportStarved() {
	r.mu.Lock()
	starved, slowest := r.starved, r.slowest
	r.mu.Unlock()
	if starved == 0 {
		return
	}
	r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf(
		"%d of %d checks ran out of time (error): the machine or the servers were up to %.0f times slower than on a quiet machine. "+
			"Run them again on a quieter machine, or with fewer at once: --parallel %d", starved, len(r.options.Checks), slowest, max(r.options.Parallel/2, 1))})
}
