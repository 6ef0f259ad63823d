package check

// Watching deployments while checks stand on them: a server that exits is noticed by its runtime, one that falls silent
// here, long before the time-outs of the checks that wait for it.

import (
	"context"
	"errors"
	"time"
)

const (
	// watchInterval is how often the servers of a shared deployment are asked whether they answer.
	watchInterval = 250 * time.Millisecond
	// usualSilence is how long servers may leave that unanswered, on a quiet machine, before their health is looked at.
	usualSilence = 3 * time.Second
)

// ground makes a ground of a deployment that is ready. Unless it is for a check that may stop servers it is watched.
func (r *Runner) ground(ctx context.Context, blueprint string, deployment Deployment, private bool) *ground {
	made := &ground{blueprint: blueprint, private: true, deployment: deployment, ready: make(chan struct{})}
	close(made.ready)
	r.watch(ctx, made, !private)
	return made
}

// watch begins to watch a ground, if it is to be, until close or the end of the run.
func (r *Runner) watch(ctx context.Context, each *ground, wanted bool) {
	ctx, each.unwatch = context.WithCancel(context.WithoutCancel(ctx))
	if wanted {
		go r.keepWatch(ctx, each)
		if !each.private {
			go r.keepPulse(ctx, each)
		}
	}
}

// keepWatch asks the servers whether they answer. When they are silent for too long and fail their health check besides,
// the deployment is marked dead, which ends the checks that stand on it.
func (r *Runner) keepWatch(ctx context.Context, each *ground) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	var silentSince time.Time
	for {
		select {
		case <-ticker.C:
		case <-each.deployment.Died():
			return
		case <-ctx.Done():
			return
		}
		asked := time.Now()
		silence, _ := r.within(ctx, each.deployment, r.options.Silence, each.deployment.Answers)
		if silence == nil {
			silentSince = time.Time{}
			continue
		}
		if silentSince.IsZero() {
			silentSince = asked
		}
		if time.Since(silentSince) < r.options.Silence {
			continue // nothing listened, for a moment
		}
		illness, starved := r.within(ctx, each.deployment, r.options.Silence, each.deployment.Health)
		// On a starved machine silence proves nothing; it is asked again.
		if illness == nil || ctx.Err() != nil || starved {
			continue
		}
		r.declareDead(ctx, each.deployment, "fell silent: "+condense(silence.Error())+", and failed its health check")
	}
}

// within asks a deployment something, while it lives and within a limit in the runner's own time. starved says that an error
// proves nothing, for want of the machine.
func (r *Runner) within(ctx context.Context, deployment Deployment, limit time.Duration, ask func(context.Context) error) (err error, starved bool) {
	limited, cancel := r.own.within(ctx, limit, limit, r.machine.patience(limit), false)
	defer cancel()
	go func() {
		select {
		case <-deployment.Died():
			cancel()
		case <-limited.Done():
		}
	}()
	err = ask(limited)
	timedOut := errors.Is(err, context.DeadlineExceeded) || err != nil && errors.Is(limited.Err(), context.DeadlineExceeded)
	return err, timedOut && (limited.isForced() || r.machine.stalled())
}
