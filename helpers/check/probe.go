package check

// How slow the servers of a deployment are: how long a message takes to be read back, compared with a quiet machine.

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// probeInterval is the pause between probes of a deployment that is in use, slowProbeInterval the pause after a slow one. A
	// probe costs Dendrite 23 ms of a core; for five servers that is one per cent of two cores.
	probeInterval     = 6 * time.Second
	slowProbeInterval = 2 * time.Second
	// probesKept is the number of probes of which the median is taken.
	probesKept = 3
)

// probe records how long the probes of one deployment took.
type probe struct {
	mu    sync.Mutex
	took  []time.Duration // the latest
	began time.Time       // of the current one; zero if there is none
}

func (p *probe) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = now
}

func (p *probe) end(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, now.Sub(p.began))
	if len(p.took) > probesKept {
		p.took = p.took[1:]
	}
	p.began = time.Time{}
}

func (p *probe) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = nil
}

// usual returns the median of the latest probes, or the time since the current one began if that is longer.
func (p *probe) usual(now time.Time) time.Duration {
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

// slowness returns how many times longer a probe takes than on a quiet machine; at least 1.
func (p *probe) slowness(now time.Time) float64 {
	return max(float64(p.usual(now))/float64(usualProbe), 1)
}

// usualProbe is the longest that almost all probes take in a run on a quiet machine.
const usualProbe = 400 * time.Millisecond

// keepProbing probes a shared deployment while checks use it.
func (r *Runner) keepProbing(ctx context.Context, each *instance) {
	timer := time.NewTimer(slowProbeInterval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-each.deployment.Died():
			return
		case <-ctx.Done():
			return
		}
		if !r.isInUse(each) {
			each.probe.forget()
			timer.Reset(slowProbeInterval)
			continue
		}
		began := time.Now()
		each.probe.begin(began)
		_, _ = r.within(ctx, each.deployment, r.healthLimit, each.deployment.Talks) // only the time matters here
		each.probe.end(time.Now())
		if time.Since(began) > usualProbe {
			timer.Reset(slowProbeInterval)
		} else {
			timer.Reset(probeInterval)
		}
	}
}

// isInUse reports whether a check uses the deployment now.
func (r *Runner) isInUse(each *instance) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return each.users > 0
}
