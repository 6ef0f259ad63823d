package check

// Watching deployments that are in use. The runtime notices a server that exits; a server that stops answering is noticed here,
// long before the time-outs of the checks that wait for it.

import (
	"context"
	"errors"
	"time"
)

const (
	// watchInterval is how often a deployment is asked whether it answers.
	watchInterval = 500 * time.Millisecond
	// usualSilence is the default of Options.Silence.
	usualSilence = 3 * time.Second
)

// newInstance returns an instance of a started deployment. It is watched unless it is private: such a check may stop servers.
func (r *Runner) newInstance(ctx context.Context, blueprint string, deployment Deployment, private bool) *instance {
	made := &instance{blueprint: blueprint, private: true, deployment: deployment, ready: make(chan struct{})}
	close(made.ready)
	r.watch(ctx, made, !private)
	return made
}

// watch sets each.unwatch and, if wanted, begins to watch the instance until that is called.
func (r *Runner) watch(ctx context.Context, each *instance, wanted bool) {
	ctx, each.unwatch = context.WithCancel(context.WithoutCancel(ctx))
	if wanted {
		go r.keepWatch(ctx, each)
		if !each.private {
			go r.keepProbing(ctx, each)
		}
	}
}

// keepWatch asks the servers whether they answer. If they do not for too long and fail their health check as well, the
// deployment is marked dead, which ends the checks that use it.
func (r *Runner) keepWatch(ctx context.Context, each *instance) {
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
			continue
		}
		illness, starved := r.within(ctx, each.deployment, r.options.Silence, each.deployment.Health)
		// On a starved machine silence proves nothing.
		if illness == nil || ctx.Err() != nil || starved {
			continue
		}
		r.declareDead(ctx, each.deployment, "fell silent: "+condense(silence.Error())+", and failed its health check")
	}
}

// within calls ask with a context that ends when the deployment dies or the limit has passed in the runner's own time. If
// starved, an error proves nothing because the machine was too slow.
func (r *Runner) within(ctx context.Context, deployment Deployment, limit time.Duration, ask func(context.Context) error) (err error, starved bool) {
	limited, cancel := r.own.within(ctx, limit, limit, r.machine.lenient(limit), stepLimit)
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
