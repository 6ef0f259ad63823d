package check

// The life of deployments: shared or private, replaced when they die, looked at for the last time, removed.

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

// crowded is how many checks stand on a shared deployment before another copy of it is started.
const crowded = 3

// share returns a living shared deployment of a blueprint, of several the one on which the fewest checks stand. It starts
// one when there is none, and one more where all are crowded and Copies allows it; a private one is new each time.
func (r *Runner) share(ctx context.Context, blueprint string, private bool) (*ground, error) {
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

// choose picks a shared deployment for one more check, which stands on it until it leaves; fresh ones are still to be made.
func (r *Runner) choose(blueprint string) (chosen *ground, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var living []*ground
	for _, each := range r.shared[blueprint] {
		if !each.gone() {
			living = append(living, each)
		} else if each.err == nil {
			r.emit(verdict.Event{Kind: verdict.KindServerDied, Message: fmt.Sprintf("deployment %s of %s is dead (%s); a fresh one takes its place",
				each.deployment.ID(), blueprint, each.deployment.Death().Cause)})
		}
	}
	for _, each := range living {
		if chosen == nil || each.standing < chosen.standing {
			chosen = each
		}
	}
	if chosen == nil || chosen.standing >= crowded && len(living) < r.options.Copies(blueprint) {
		chosen, fresh = &ground{blueprint: blueprint, ready: make(chan struct{})}, true
		living = append(living, chosen)
		r.grounds = append(r.grounds, chosen)
	}
	r.shared[blueprint] = living
	chosen.standing++
	return chosen, fresh
}

// leave says that a check does not stand on a shared deployment any more.
func (r *Runner) leave(shared *ground) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shared.standing--
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
func (r *Runner) begin(ctx context.Context, blueprint string, private bool) (*ground, error) {
	deployment, err := r.options.Deployments.New(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	fresh := r.ground(ctx, blueprint, deployment, private)
	r.mu.Lock()
	r.grounds = append(r.grounds, fresh)
	r.mu.Unlock()
	return fresh, nil
}

// lend gives a deadly check a deployment of a blueprint to itself: one that an earlier check gave back, or a fresh one.
func (r *Runner) lend(ctx context.Context, blueprint string, private bool) (*ground, error) {
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
				fresh.lent = true
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

// takeBack looks at what a deadly check had to itself: who is well serves the next; of one that is dead, the check is the
// suspect.
func (r *Runner) takeBack(ctx context.Context, done *attempt) {
	for _, each := range done.grounds {
		if !each.lent {
			continue
		}
		r.watchQuietly(ctx, each.deployment, r.options.Quiet)
		r.confirmHealth(ctx, each)
		switch {
		case ctx.Err() != nil:
		case isClosed(each.deployment.Died()):
			r.close(ctx, each)
			go r.suspect(ctx, done, each)
		default:
			each.mu.Lock()
			each.cleared = len(each.touched)
			each.mu.Unlock()
			r.mu.Lock()
			r.idle[each.blueprint] = append(r.idle[each.blueprint], each)
			r.mu.Unlock()
		}
	}
}

// closeIdle gives the deployments of deadly checks their closing look when no such check is left.
func (r *Runner) closeIdle(ctx context.Context) {
	r.mu.Lock()
	idle := r.idle
	r.idle = map[string][]*ground{}
	r.mu.Unlock()
	for _, each := range idle {
		for _, left := range each {
			r.close(ctx, left)
		}
	}
}

// suspect settles who brought down a deployment that only one check can have brought down. A server that ended by itself
// while nobody else had ever stood on it needs no second trial.
func (r *Runner) suspect(ctx context.Context, only *attempt, dead *ground) {
	death := dead.deployment.Death()
	dead.mu.Lock()
	alone := len(dead.touched) == 1 && len(only.grounds) == 1
	dead.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case alone && !death.Outside && !death.Silent:
		r.convict(only, death)
	default:
		r.trial(ctx, only.check)
	}
}

// gone tells whether a ground is known not to serve any more.
func (g *ground) gone() bool {
	return isClosed(g.ready) && (g.err != nil || isClosed(g.deployment.Died()))
}

// closeGrounds looks at every deployment of the first round for the last time: it is watched for a while, must pass
// its closing health check, and is removed.
func (r *Runner) closeGrounds(ctx context.Context) {
	var pending sync.WaitGroup
	for _, each := range r.grounds {
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

// close gives a deployment its closing look, once, removes it, and reports whether it is dead. One that is alive when ctx
// ends has not been looked at and stays.
func (r *Runner) close(ctx context.Context, each *ground) (dead bool) {
	each.looking.Lock()
	defer each.looking.Unlock()
	if each.removed {
		return each.dead
	}
	r.watchQuietly(ctx, each.deployment, r.options.Quiet)
	each.untold = !r.confirmHealth(ctx, each)
	each.dead = isClosed(each.deployment.Died())
	each.well = !each.dead && !each.untold && ctx.Err() == nil
	if each.dead || ctx.Err() == nil {
		r.retire(ctx, each)
	}
	return each.dead
}

// drop removes a deployment that has not been removed, without a closing look.
func (r *Runner) drop(ctx context.Context, each *ground) {
	each.looking.Lock()
	defer each.looking.Unlock()
	if !each.removed {
		r.retire(ctx, each)
	}
}

// retire stops watching a deployment and removes it. The caller holds looking.
func (r *Runner) retire(ctx context.Context, each *ground) {
	each.unwatch()
	each.removed = true
	r.remove(ctx, each, r.options.KeepServers)
}

// closePrivate begins the closing look of a check's own deployments, which nobody else will use. If the check stood on
// no other and one of them is dead, it is the only suspect, and is settled while the others are still under way.
func (r *Runner) closePrivate(ctx context.Context, done *attempt) {
	alone := !slices.ContainsFunc(done.grounds, func(each *ground) bool { return !each.private })
	for _, each := range done.grounds {
		if each.private && !each.lent {
			go func() {
				if r.close(ctx, each) && alone {
					r.suspect(ctx, done, each)
				}
				r.settleIfFinal(done)
			}()
		}
	}
}

// leaving is what a ground came to so far.
func (g *ground) leaving() Leaving {
	g.mu.Lock()
	defer g.mu.Unlock()
	leaving := Leaving{Deployment: g.deployment, Blueprint: g.blueprint, Failed: isClosed(g.deployment.Died())}
	for _, each := range g.touched {
		leaving.Checks = append(leaving.Checks, each.check.Name)
		if each.result.Verdict == verdict.Fail || each.result.Verdict == verdict.Error {
			leaving.Failed = true
		}
	}
	return leaving
}

// watchQuietly gives a dying server the time to die.
func (r *Runner) watchQuietly(ctx context.Context, deployment Deployment, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-deployment.Died():
	case <-limited.Done():
	}
}

// remove takes a deployment away in the background, unless it is to be kept; Wait waits for that.
func (r *Runner) remove(ctx context.Context, each *ground, keep bool) {
	leaving := each.leaving()
	deployment := each.deployment
	r.closing.Add(1)
	go func() {
		defer r.closing.Done()
		if r.options.Done != nil {
			r.options.Done(ctx, leaving)
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

// Wait returns when every deployment is removed.
func (r *Runner) Wait() { r.closing.Wait() }
