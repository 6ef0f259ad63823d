package check

// When deployments are started, shared, replaced after a death, checked for the last time and removed.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

// crowded is how many checks use a shared deployment before another copy of it is started.
const crowded = 3

// share returns the shared deployment of a blueprint that the fewest checks use. It starts one if there is none, or if all are
// crowded and Options.Copies allows one more. A private deployment is always new.
func (r *Runner) share(ctx context.Context, blueprint string, private bool) (*instance, error) {
	if private {
		return r.begin(ctx, blueprint, private)
	}
	found, fresh := r.choose(blueprint)
	if fresh {
		// The deployment outlives the check that happened to need it first.
		found.deployment, found.err = r.options.Deployments.New(context.WithoutCancel(ctx), blueprint)
		if found.err == nil {
			r.watch(ctx, found, true)
		}
		close(found.ready)
		return found, found.err
	}
	select {
	case <-found.ready:
		return found, found.err
	case <-ctx.Done():
		r.leave(found)
		return nil, context.Cause(ctx)
	}
}

// choose picks a shared deployment for one more check, which uses it until r.leave. If fresh, it has yet to be started.
func (r *Runner) choose(blueprint string) (chosen *instance, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var alive []*instance
	for _, each := range r.shared[blueprint] {
		if !each.gone() {
			alive = append(alive, each)
		} else if each.err == nil {
			r.emit(verdict.Event{Kind: verdict.KindServerDied, Message: fmt.Sprintf("deployment %s of %s is dead (%s); a fresh one takes its place",
				each.deployment.ID(), blueprint, each.deployment.Death().Cause)})
		}
	}
	for _, each := range alive {
		if chosen == nil || each.users < chosen.users {
			chosen = each
		}
	}
	if chosen == nil || chosen.users >= crowded && len(alive) < r.options.Copies(blueprint) {
		chosen, fresh = &instance{blueprint: blueprint, ready: make(chan struct{})}, true
		alive = append(alive, chosen)
		r.instances = append(r.instances, chosen)
	}
	r.shared[blueprint] = alive
	chosen.users++
	return chosen, fresh
}

// leave notes that a check has stopped using a shared deployment.
func (r *Runner) leave(shared *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shared.users--
}

// Prepare starts the shared deployment of a blueprint before the first check needs it.
func (r *Runner) Prepare(ctx context.Context, blueprint string) (Deployment, error) {
	prepared, err := r.share(ctx, blueprint, false)
	if err != nil {
		return nil, err
	}
	r.leave(prepared)
	return prepared.deployment, nil
}

// begin starts a deployment that is not shared.
func (r *Runner) begin(ctx context.Context, blueprint string, private bool) (*instance, error) {
	// The start ends with the check, but does not have its deadline, which never passes: the check's clock stands still meanwhile.
	starting, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	deployment, err := r.options.Deployments.New(starting, blueprint)
	if err != nil {
		return nil, err
	}
	fresh := r.newInstance(ctx, blueprint, deployment, private)
	r.mu.Lock()
	r.instances = append(r.instances, fresh)
	r.mu.Unlock()
	return fresh, nil
}

// lend returns a deployment for a deadly check to use alone: one that an earlier check gave back, or a fresh one.
func (r *Runner) lend(ctx context.Context, blueprint string, private bool) (*instance, error) {
	if private {
		return r.begin(ctx, blueprint, private)
	}
	for {
		r.mu.Lock()
		waiting := r.idle[blueprint]
		if len(waiting) == 0 {
			r.mu.Unlock()
			fresh, err := r.begin(ctx, blueprint, private)
			if err == nil {
				fresh.reusable = true
			}
			return fresh, err
		}
		found := waiting[len(waiting)-1]
		r.idle[blueprint] = waiting[:len(waiting)-1]
		r.mu.Unlock()
		if !found.gone() {
			return found, nil
		}
	}
}

// takeBack checks the deployments that were lent to a deadly check: a healthy one is kept for the next; of a dead one, the
// check is the suspect. One of which neither is known is not lent again: a later check would be suspected of its death.
func (r *Runner) takeBack(ctx context.Context, done *attempt) {
	for _, each := range done.instances {
		if !each.reusable {
			continue
		}
		r.watchQuietly(ctx, each.deployment, r.options.Quiet)
		known := r.confirmHealth(ctx, each)
		switch {
		case ctx.Err() != nil:
		case !known, isClosed(each.deployment.Died()):
			if r.close(ctx, each) {
				go r.suspect(ctx, done, each)
			}
		default:
			each.mu.Lock()
			each.cleared = len(each.attempts)
			each.mu.Unlock()
			r.mu.Lock()
			r.idle[each.blueprint] = append(r.idle[each.blueprint], each)
			r.mu.Unlock()
		}
	}
}

// closeIdle closes the deployments of deadly checks after the last such check.
func (r *Runner) closeIdle(ctx context.Context) {
	r.mu.Lock()
	idle := r.idle
	r.idle = map[string][]*instance{}
	r.mu.Unlock()
	for _, each := range idle {
		for _, left := range each {
			r.close(ctx, left)
		}
	}
}

// suspect handles the death of a deployment that only one check can have killed. If no other check ever used it and a server
// exited by itself, no trial is needed.
func (r *Runner) suspect(ctx context.Context, only *attempt, dead *instance) {
	death := dead.deployment.Death()
	dead.mu.Lock()
	alone := len(dead.attempts) == 1 && len(only.instances) == 1
	dead.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case alone && !death.Outside && !death.Silent:
		r.convict(only, death)
	default:
		r.trial(ctx, only.check)
	}
}

// gone reports whether the deployment is known to be dead, or did not start.
func (i *instance) gone() bool {
	return isClosed(i.ready) && (i.err != nil || isClosed(i.deployment.Died()))
}

// closeInstances closes every deployment of the first round.
func (r *Runner) closeInstances(ctx context.Context) {
	var pending sync.WaitGroup
	for _, each := range r.instances {
		if each.err != nil {
			continue
		}
		pending.Add(1)
		go func() {
			defer pending.Done()
			r.close(ctx, each)
		}()
	}
	pending.Wait()
}

// close watches a deployment for a while, checks its health for the last time, removes it, and reports whether it is dead; all
// that once. If ctx ends first, a deployment that is alive is not removed.
func (r *Runner) close(ctx context.Context, each *instance) (dead bool) {
	each.closeMu.Lock()
	defer each.closeMu.Unlock()
	if each.removed {
		return each.dead
	}
	r.watchQuietly(ctx, each.deployment, r.options.Quiet)
	each.unknown = !r.confirmHealth(ctx, each)
	each.dead = isClosed(each.deployment.Died())
	each.healthy = !each.dead && !each.unknown && ctx.Err() == nil
	if each.dead || ctx.Err() == nil {
		r.retire(ctx, each)
	}
	return each.dead
}

// drop removes a deployment without a final health check, unless it has been removed.
func (r *Runner) drop(ctx context.Context, each *instance) {
	each.closeMu.Lock()
	defer each.closeMu.Unlock()
	if !each.removed {
		r.retire(ctx, each)
	}
}

// retire stops watching a deployment and removes it. The caller holds each.closeMu.
func (r *Runner) retire(ctx context.Context, each *instance) {
	each.unwatch()
	each.removed = true
	r.remove(ctx, each, r.options.KeepServers)
}

// closePrivate begins to close a check's private deployments. If the check used no other and one of them is dead, it is the only
// suspect, and is settled while other checks still run.
func (r *Runner) closePrivate(ctx context.Context, done *attempt) {
	alone := !slices.ContainsFunc(done.instances, func(each *instance) bool { return !each.private })
	for _, each := range done.instances {
		if each.private && !each.reusable {
			go func() {
				if r.close(ctx, each) && alone {
					r.suspect(ctx, done, each)
				}
				r.settleIfFinal(done)
			}()
		}
	}
}

// retired returns a summary of the instance for Options.Done.
func (i *instance) retired() Retired {
	i.mu.Lock()
	defer i.mu.Unlock()
	retired := Retired{Deployment: i.deployment, Blueprint: i.blueprint, Failed: isClosed(i.deployment.Died())}
	for _, each := range i.attempts {
		retired.Checks = append(retired.Checks, each.check.Name)
		if each.result.Verdict == verdict.Fail || each.result.Verdict == verdict.Error {
			retired.Failed = true
		}
	}
	return retired
}

// watchQuietly waits until the deployment dies, for at most limit.
func (r *Runner) watchQuietly(ctx context.Context, deployment Deployment, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-deployment.Died():
	case <-limited.Done():
	}
}

// remove removes a deployment in the background, unless keep; Wait waits for that.
func (r *Runner) remove(ctx context.Context, each *instance, keep bool) {
	retired := each.retired()
	deployment := each.deployment
	r.closing.Add(1)
	go func() {
		defer r.closing.Done()
		if r.options.Done != nil {
			r.options.Done(ctx, retired)
		}
		if keep {
			return
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if err := deployment.Close(limited); err != nil {
			r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf("deployment %s was not removed: %v", deployment.ID(), err)})
		}
	}()
}

// Wait waits until every deployment has been removed.
func (r *Runner) Wait() { r.closing.Wait() }
