package check

// How fast the servers of a deployment are: what a control operation takes, a message that is sent and read in an ordinary
// room of its own, beside what it takes when the machine is quiet.

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// restingPulse is how long after an operation the next one is done while checks stand on a deployment, racingPulse how long
	// after a slow one. One costs Dendrite 23 ms of a core; with five servers at rest that is a hundredth of two cores.
	restingPulse = 6 * time.Second
	racingPulse  = 2 * time.Second
	// pulsesKept is over how many operations the median is taken.
	pulsesKept = 3
)

// pulse is what the control operation took on one deployment.
type pulse struct {
	mu    sync.Mutex
	took  []time.Duration // the latest
	began time.Time       // of the one that is under way; zero if none is
}

func (p *pulse) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = now
}

func (p *pulse) end(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, now.Sub(p.began))
	if len(p.took) > pulsesKept {
		p.took = p.took[1:]
	}
	p.began = time.Time{}
}

// forget drops what is of another time.
func (p *pulse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = nil
}

// usual is the median of the latest operations; the one under way counts if it takes longer already.
func (p *pulse) usual(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := slices.Sorted(slices.Values(p.took))
	var usual time.Duration
	if len(took) > 0 {
		usual = took[len(took)/2]
	}
	if !p.began.IsZero() {
		usual = max(usual, now.Sub(p.began))
	}
	return usual
}

// slowness is how many times longer the operation takes than it may on a quiet machine.
func (p *pulse) slowness(now time.Time) float64 {
	return max(float64(p.usual(now))/float64(usualPulse), 1)
}

// usualPulse is what the operation takes at most, mostly, in a run on a quiet machine, where limits are long enough.
const usualPulse = 400 * time.Millisecond

// keepPulse does the control operation now and then, while checks stand on a shared deployment.
func (r *Runner) keepPulse(ctx context.Context, each *ground) {
	timer := time.NewTimer(racingPulse)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-each.deployment.Died():
			return
		case <-ctx.Done():
			return
		}
		if !r.isStoodOn(each) {
			each.pulse.forget()
			timer.Reset(racingPulse)
			continue
		}
		began := time.Now()
		each.pulse.begin(began)
		_, _ = r.within(ctx, each.deployment, r.healthLimit, each.deployment.Health) // whether it is ill is not asked here
		each.pulse.end(time.Now())
		if time.Since(began) > usualPulse {
			timer.Reset(racingPulse)
		} else {
			timer.Reset(restingPulse)
		}
	}
}

// isStoodOn reports whether a check stands on a deployment now.
func (r *Runner) isStoodOn(each *ground) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return each.standing > 0
}
