package check

// How many checks run at once: as many as were asked for, and fewer while the machine or the servers are slower than when quiet.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

const (
	// easy is up to which slowness nothing is held back.
	easy = 3.0
	// governing is how often a lane that is held back looks again.
	governing = time.Second
)

// lane is places for checks that run at once.
type lane struct {
	runner *Runner
	places int
	least  int

	mu    sync.Mutex
	taken int
	freed chan struct{} // closed, and made anew, when places are given back
}

// newLane makes a lane of so many places, of which least are there on the slowest machine.
func (r *Runner) newLane(places, least int) *lane {
	return &lane{runner: r, places: places, least: min(places, least), freed: make(chan struct{})}
}

// allowed is how many places there are now.
func (l *lane) allowed() int {
	slowness := l.runner.slowness()
	if slowness <= easy {
		return l.places
	}
	return max(l.least, int(float64(l.places)*easy/slowness))
}

// take takes places as soon as there are as many. It reports false if ctx ended first.
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
		timer := time.NewTimer(governing)
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

// slowness is that of the machine, or of the servers on which checks stand, whichever is worse.
func (r *Runner) slowness() float64 {
	return max(r.options.Slowness(), r.serversSlowness())
}

// serversSlowness is the median of the shared deployments on which checks stand: one that is ill says nothing of the others.
func (r *Runner) serversSlowness() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []float64
	for _, each := range r.grounds {
		if each.standing > 0 && !each.gone() {
			all = append(all, each.pulse.slowness(time.Now()))
		}
	}
	if len(all) == 0 {
		return 1
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// tellStarved says once what kept checks from a verdict, and what to do.
func (r *Runner) tellStarved() {
	r.mu.Lock()
	starved, slowest := r.starved, r.slowest
	r.mu.Unlock()
	if starved == 0 {
		return
	}
	r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf(
		"%d of %d checks have no verdict (error) for want of time: the machine or the servers were up to %.0f times slower than when quiet. "+
			"Run them again on a quieter machine, or with fewer at once: --parallel %d", starved, len(r.options.Checks), slowest, max(r.options.Parallel/2, 1))})
}
