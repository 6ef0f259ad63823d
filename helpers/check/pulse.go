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
	// pulseInterval is how often the operation is done while checks stand on a deployment. It costs the server about 15 ms of a
	// core.
	pulseInterval = 2 * time.Second
	// pulsesKept is over how many operations the median is taken.
	pulsesKept = 5
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

// keepPulse does the control operation now and then, while checks stand on a deployment.
func (r *Runner) keepPulse(ctx context.Context, each *ground) {
	ticker := time.NewTicker(pulseInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-each.deployment.Died():
			return
		case <-ctx.Done():
			return
		}
		if !r.isStoodOn(each) {
			continue
		}
		each.pulse.begin(time.Now())
		_, _ = r.within(ctx, each.deployment, r.healthLimit, each.deployment.Health) // whether it is ill is not asked here
		each.pulse.end(time.Now())
	}
}

// isStoodOn reports whether a check stands on a deployment now.
func (r *Runner) isStoodOn(each *ground) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return each.private || each.standing > 0
}
