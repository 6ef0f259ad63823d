package check

// The runner: the first round over all checks, and the execution of one of them.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/packed"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// Options configures a run.
type Options struct {
	Checks []*Check // in the order in which they start
	// Reserve are checks that were not selected. Those of a requirement that a step of another check finds broken run, too.
	Reserve     []*Check
	Deployments Deployments
	// Parallel is how many checks run at once, besides as many (at least slowPlaces) that are Slow, a few that are Deadly, and
	// one that Expends servers. At 1 or less, one check runs at a time. While the machine or the servers are slow, fewer start.
	Parallel int
	// Copies returns how many shared deployments of a blueprint there may be at once; nil means one.
	Copies   func(blueprint string) int
	Emit     func(verdict.Event)
	Keep     Keeper   // nil means that no evidence is kept
	Readings Readings // nil means that every reading is allowed
	// Roots returns an error for a requirement that must not block a check; nil means that every one may.
	Roots func(requirement string) error
	// Quiet is how long a deployment is watched after its last check, before its final health check: a server may die a little
	// after it answered.
	Quiet time.Duration
	// Silence is how long servers may leave a request unanswered, and how long their health check may then take, before they are
	// declared dead; 0 means 3 s. It is extended on a slow machine.
	Silence time.Duration
	// FinalChecks bounds the final health checks of an interrupted run, which run side by side; 0 means 5 s.
	FinalChecks time.Duration
	// Limit bounds one check, in its own time, which passes more slowly while the machine or a server is slow; 0 means one minute.
	// A Slow check may take three times as long.
	Limit time.Duration
	// Grace is how long the body of a check may run on after its context has ended, before its goroutine is abandoned; 0 means
	// 30 s.
	Grace time.Duration
	// Slowness returns how many times slower the machine is now than in a run on a quiet one; nil means that it is measured.
	Slowness func() float64
	// Observe is called with every exchange of every check; it is for passive monitors.
	Observe func(check string, exchange transcript.Exchange)
	// Found reports whether a monitor found something during a check, or may yet find it in what it saw; nil means that none does.
	Found func(check string) bool
	// Done, if not nil, is called with each deployment that no check will use any more, before it is removed.
	Done func(ctx context.Context, retired Retired)
	// Sessions is how many sessions checks that generate them play together, from Seed on; 0 for those of a usual run.
	Sessions int
	// Unshortened says that nobody asks for the shortest session that shows what was found.
	Unshortened bool
	// Expected has the differences that the candidate's baseline expects, by the check that finds them (C.Expects).
	Expected map[string][]string
	// Seed determines the random input of checks.
	Seed uint64
	// KeepEvidence keeps the evidence of checks that pass, too.
	KeepEvidence bool
	// KeepServers leaves deployments running at the end.
	KeepServers bool
}

// Evidence is what was recorded of a check.
type Evidence struct {
	Exchanges *packed.Value[[]transcript.Exchange]
	Dropped   int // number of earlier exchanges that were not kept
	Logs      []DeploymentLog
	// Shared are what other checks had exchanged, on which this one rests.
	Shared []Shared
	// Attached holds the files that the check attached, by the suffix of their names: "input.json".
	Attached map[string][]byte
}

// Shared is what a check exchanged when it prepared something that several checks use.
type Shared struct {
	Name      string // of what was prepared
	Exchanges *packed.Value[[]transcript.Exchange]
}

// DeploymentLog is the end of the log of one deployment that a check used.
type DeploymentLog struct {
	Deployment string
	Text       *packed.Value[string]
}

// logOf returns the last lines of a deployment's log.
func logOf(deployment Deployment, lines int) DeploymentLog {
	return DeploymentLog{Deployment: deployment.ID(), Text: packed.Of(deployment.Log(lines))}
}

// Runner judges checks.
type Runner struct {
	options   Options
	machine   *machine
	mu        sync.Mutex
	shared    map[string][]*instance // by blueprint
	idle      map[string][]*instance // those that deadly checks gave back, by blueprint
	instances []*instance            // every deployment of the first round, in order of creation
	trials    map[*Check]*trial
	closing   sync.WaitGroup
	clocks    clocks
	// healthLimit bounds one health check of a deployment.
	healthLimit time.Duration
	own         *clock  // for the runner's own requests
	starved     int     // number of checks without a verdict because the machine was too slow
	slowest     float64 // the greatest slowness of these

	expendables expendables
}

// instance is one deployment and the attempts that used it.
type instance struct {
	blueprint  string
	deployment Deployment
	ready      chan struct{} // closed when deployment or err is set
	err        error
	private    bool // not shared
	reusable   bool // private, but given back after use
	users      int  // number of checks that use it now, if it is shared; guarded by Runner.mu
	unwatch    context.CancelFunc
	probe      probe
	mu         sync.Mutex
	attempts   []*attempt // in the order in which they began to use it
	cleared    int        // number of attempts, from the first, after which it was found healthy

	closeMu sync.Mutex // held while it is closed; guards the following
	healthy bool       // it passed its final health check
	dead    bool       // it did not
	unknown bool       // the machine was too slow to tell
	removed bool
}

// attempt is one execution of a check.
type attempt struct {
	check       *Check
	first       *attempt // whose place this one takes; nil if there is none
	mu          sync.Mutex
	ended       bool // no more instances are added
	instances   []*instance
	result      verdict.CheckResult
	observed    []verdict.Observation
	evidence    Evidence
	dropped     bool // its evidence was not needed
	interrupted bool // a deployment of it died before the check had ended
	cutShort    bool // the run was interrupted before the check had ended
	settled     sync.Once
	controlling bool // it ended before its positive control had passed
	starved     bool // it has no verdict because the machine was too slow
	slowness    float64
}

// New returns a runner.
func New(options Options) *Runner {
	options.Parallel = max(options.Parallel, 1)
	if options.Limit == 0 {
		options.Limit = time.Minute
	}
	if options.Silence == 0 {
		options.Silence = usualSilence
	}
	if options.FinalChecks == 0 {
		options.FinalChecks = usualFinalChecks
	}
	if options.Copies == nil {
		options.Copies = func(string) int { return 1 }
	}
	if options.Grace == 0 {
		options.Grace = usualGrace
	}
	r := &Runner{options: options, healthLimit: usualHealthLimit, shared: map[string][]*instance{}, idle: map[string][]*instance{}, trials: map[*Check]*trial{}}
	r.machine = newMachine(r.clocks.advance)
	if options.Slowness == nil {
		r.options.Slowness = r.machine.slowness
	}
	r.own = r.clocks.start(func() slowness { return slowness{r.options.Slowness(), 1} })
	return r
}

// Run judges all checks and emits exactly one final result for each. It returns an error only if ctx ends first; then it has
// emitted the results that are final anyway.
func (r *Runner) Run(ctx context.Context) error {
	defer r.machine.stop()
	defer r.closeExpendables(context.WithoutCancel(ctx))
	attempts := r.firstRound(ctx, r.options.Checks)
	attempts = r.drawIn(ctx, attempts)
	if ctx.Err() == nil {
		r.closeInstances(ctx)
	}
	var judged judgement
	if ctx.Err() == nil {
		judged = r.judgeSuspects(ctx, attempts)
	}
	if ctx.Err() != nil {
		r.keepFinal(context.WithoutCancel(ctx), attempts)
		return context.Cause(ctx)
	}
	r.judgeClosingChecks(judged)
	r.reportStarved()
	return nil
}

// Within returns a context that ends after base in the runner's own time, which passes more slowly while the machine is slow. It is for
// what is asked of servers outside checks.
func (r *Runner) Within(ctx context.Context, base time.Duration) (context.Context, context.CancelFunc) {
	return r.limit(ctx, r.own, base)
}

// limit returns a context that ends after base in a clock's time, of which up to maxWork can be work.
func (r *Runner) limit(ctx context.Context, of *clock, base time.Duration) (context.Context, context.CancelFunc) {
	least := func() time.Duration { return r.machine.lengthened(base) }
	limited, cancel := of.within(ctx, base, min(base, maxWork), least(), stepLimit)
	limited.shrinks(least)
	return limited, cancel
}

func (r *Runner) emit(event verdict.Event) {
	event.Time = time.Now()
	r.options.Emit(event)
}

func (r *Runner) knownReading(requirement, reading string) error {
	if reading == verdict.NoneSeen || r.options.Readings == nil {
		return nil
	}
	return r.options.Readings(requirement, reading)
}

// slowPlaces is the least number of slow checks that run at once: waiting for time-outs of a server costs next to nothing.
const slowPlaces = 8

// deadlyServers is how many servers deadly checks use at once: each may have to be replaced.
const deadlyServers = 3

// expendingChecks is how many checks that expend servers run at once: none waits for long, and each needs its own server.
const expendingChecks = 1

// clientChecks is how many checks with real clients run at once: each starts several, which costs more than a server.
const clientChecks = 2

// firstRound runs every one of some checks once. Slow, deadly and expending checks, and those with real clients, have lanes of their own,
// unless only one check is to run at a time.
func (r *Runner) firstRound(ctx context.Context, checks []*Check) []*attempt {
	var usual, slow, deadly, expending, clients []*Check
	for _, one := range checks {
		switch {
		case one.Closing:
		case r.options.Parallel == 1:
			usual = append(usual, one)
		case one.Expends:
			expending = append(expending, one)
		case one.Clients:
			clients = append(clients, one)
		case one.Slow > 0:
			slow = append(slow, one)
		case one.Deadly:
			deadly = append(deadly, one)
		default:
			usual = append(usual, one)
		}
	}
	var (
		mu       sync.Mutex
		attempts []*attempt
		lanes    sync.WaitGroup
	)
	done := func(one *attempt) {
		mu.Lock()
		defer mu.Unlock()
		attempts = append(attempts, one)
	}
	lanes.Go(func() { r.runLane(ctx, slow, max(r.options.Parallel, slowPlaces), slowPlaces, done) })
	lanes.Go(func() { r.runLane(ctx, clients, min(r.options.Parallel, clientChecks), 1, done) })
	// A lane without checks must not close its deployments: with one check at a time the usual lane uses them.
	if len(deadly) > 0 {
		lanes.Go(func() {
			r.runLane(ctx, deadly, min(r.options.Parallel, deadlyServers), 1, done)
			r.closeIdle(ctx)
		})
	}
	if len(expending) > 0 {
		lanes.Go(func() {
			r.runLane(ctx, expending, min(r.options.Parallel, expendingChecks), 1, done)
			r.closeExpendables(context.WithoutCancel(ctx))
		})
	}
	lanes.Go(func() { r.runLane(ctx, usual, r.options.Parallel, 1, done) })
	lanes.Wait()
	r.closeExpendables(context.WithoutCancel(ctx)) // with one check at a time the usual lane handed them on
	return attempts
}

// runLane runs checks in order, at most places at a time (on a slow machine fewer, but at least least), and calls done with the
// attempt at each.
func (r *Runner) runLane(ctx context.Context, checks []*Check, places, least int, done func(*attempt)) {
	lane := r.newLane(places, least)
	var running sync.WaitGroup
	defer running.Wait()
	for _, one := range checks {
		weight := 1
		if one.Deadly && one.TwoServers {
			weight = min(2, places)
		}
		if !lane.take(ctx, weight) {
			return
		}
		running.Go(func() {
			defer lane.give(weight)
			done(r.runFirst(ctx, one))
		})
	}
}

// runFirst runs one check of the first round and closes or takes back the deployments that only it used.
func (r *Runner) runFirst(ctx context.Context, one *Check) *attempt {
	r.emit(verdict.Event{Kind: verdict.KindCheckStart, Check: one.Name})
	find := r.share
	if one.Deadly {
		find = r.lend
	}
	ended := r.execute(ctx, one, find)
	for _, each := range ended.instances {
		if !each.private {
			r.leave(each)
		}
	}
	result := ended.result
	if !ended.cutShort {
		r.emit(verdict.Event{Kind: verdict.KindCheckDone, Check: one.Name, Result: &result, Again: ended.metDeath()})
	}
	r.takeBack(ctx, ended) // from here on it may be blamed
	r.closePrivate(ctx, ended)
	r.settleIfFinal(ended)
	return ended
}

// needsEvidence reports whether the evidence of an attempt may be needed. If the check passed on shared servers it is not: if
// one of these dies later, the check is judged again.
func (r *Runner) needsEvidence(ended *attempt) bool {
	return r.needsFiles(ended) ||
		slices.ContainsFunc(ended.instances, func(each *instance) bool { return each.private || each.reusable })
}

// needsFiles reports whether the evidence of an attempt is kept: it did not pass, or an observation or a finding rests on it.
func (r *Runner) needsFiles(ended *attempt) bool {
	return r.options.KeepEvidence || !proven(ended.result) || len(ended.observed) > 0 || r.options.Found != nil && r.options.Found(ended.check.Name)
}

// proven reports whether a result needs no evidence.
func proven(result verdict.CheckResult) bool {
	return result.Verdict == verdict.Pass || result.Verdict == verdict.Unsupported
}

// slowLimit is how many times longer a slow check may take than others, or than it roughly takes.
const slowLimit = 3

// execute runs the body of a check; find provides its deployments.
func (r *Runner) execute(ctx context.Context, one *Check, find func(ctx context.Context, blueprint string, private bool) (*instance, error)) *attempt {
	checkContext, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := r.options.Limit
	if one.Slow > 0 {
		limit = slowLimit * max(limit, one.Slow)
	}
	this := &attempt{check: one}
	clock := r.clocks.start(func() slowness { return slowness{r.options.Slowness(), this.serversSlowness()} })
	defer r.clocks.stop(clock)
	limited, release := clock.within(checkContext, limit, limit, r.machine.stretched(limit), checkLimit)
	defer release()

	recorder := &transcript.Recorder{}
	c := &C{check: one, ctx: limited, clock: clock, runner: r, recorder: recorder, expendables: map[Deployment]string{}}
	c.sink = transcript.SinkFunc(func(exchange transcript.Exchange) {
		if c.isGivenUp() {
			return
		}
		recorder.Record(exchange)
		if r.options.Observe != nil {
			r.options.Observe(one.Name, exchange)
		}
	})
	c.deploy = func(blueprint string, private bool) (Deployment, error) {
		if used := this.sharedInstance(blueprint); used != nil && !private {
			return used.deployment, nil
		}
		resume := clock.pause()
		found, err := find(limited, blueprint, private)
		resume()
		if err != nil {
			return nil, err
		}
		if !this.attach(found) {
			if !found.private {
				r.leave(found)
			}
			return nil, errors.New("the check was given up")
		}
		go func() {
			select {
			case <-found.deployment.Died():
				cancel(fmt.Errorf("deployment %s died: %s", found.deployment.ID(), found.deployment.Death().Cause))
			case <-limited.Done():
			}
		}()
		return found.deployment, nil
	}

	started := time.Now()
	c.run()
	this.end()
	outcome := c.snapshot()
	this.result = c.result(started)
	this.observed, this.starved = outcome.observations, outcome.starved
	this.controlling = c.isControlling()
	this.slowness = clock.meanSlowness()
	r.examine(ctx, this)
	this.cutShort = ctx.Err() != nil
	if this.dropped = !r.needsEvidence(this); this.dropped {
		return this
	}
	this.evidence = Evidence{
		Exchanges: packed.Of(recorder.Exchanges()), Dropped: recorder.Dropped(), Shared: outcome.shared,
		Logs: append(this.logs(r.needsFiles(this)), outcome.logs...), Attached: outcome.attached,
	}
	return this
}

// examine asks whether the deployments of a check that did not pass still work, and notes whether one of them is dead.
func (r *Runner) examine(ctx context.Context, this *attempt) {
	for _, each := range this.instances {
		if this.result.Verdict != verdict.Pass && this.result.Verdict != verdict.Unsupported {
			r.confirm(ctx, each, each.deployment.Works)
		}
		if isClosed(each.deployment.Died()) {
			this.interrupted = true
		}
	}
}

// healthTries is how often a health check is tried while the machine is too slow for it to mean anything.
const healthTries = 3

// confirmHealth is the last health check of a deployment, or the last of a check that may have harmed it. Ordinary rooms and federation are
// part of it; they cost more than the rest, so that a check that did not pass is not followed by them.
func (r *Runner) confirmHealth(ctx context.Context, each *instance) (known bool) {
	return r.confirm(ctx, each, each.deployment.Health, each.deployment.Federates)
}

// confirm makes health checks of a deployment and declares it dead if one fails. It reports whether that is known: a health check that
// fails because the machine is too slow says nothing about a server.
func (r *Runner) confirm(ctx context.Context, each *instance, checks ...func(context.Context) error) (known bool) {
	for range healthTries {
		if ctx.Err() != nil || isClosed(each.deployment.Died()) {
			return true
		}
		var illness error
		var starved bool
		for _, ask := range checks {
			if illness, starved = r.within(ctx, each.deployment, r.healthLimit, ask); illness != nil {
				break
			}
		}
		switch {
		case illness == nil || ctx.Err() != nil:
			return true
		case !starved:
			r.declareDead(ctx, each.deployment, "failed its health check: "+condense(illness.Error()))
			return true
		}
	}
	return false
}

// declareDead declares a deployment dead whose servers do not answer. It waits a little first: if a server has exited, its exit
// says more than its silence, but a busy container engine may report it seconds later.
func (r *Runner) declareDead(ctx context.Context, deployment Deployment, cause string) {
	r.watchQuietly(ctx, deployment, r.machine.lenient(r.options.Silence))
	if ctx.Err() == nil {
		deployment.MarkDead(cause)
	}
}

// usualHealthLimit bounds one health check of a deployment.
const usualHealthLimit = 8 * time.Second

// sharedInstance returns the shared deployment of a blueprint that the check already uses, or nil.
func (a *attempt) sharedInstance(blueprint string) *instance {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, each := range a.instances {
		if each.blueprint == blueprint && !each.private {
			return each
		}
	}
	return nil
}

// attach notes that the check uses a deployment. It reports false if the check has ended and the asking goroutine was abandoned.
func (a *attempt) attach(found *instance) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.instances = append(a.instances, found)
	found.mu.Lock()
	found.attempts = append(found.attempts, a)
	found.mu.Unlock()
	return true
}

// end prevents the attempt from using more deployments.
func (a *attempt) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
}

// serversSlowness returns that of the slowest deployment that the check uses.
func (a *attempt) serversSlowness() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	slowest := 1.0
	for _, each := range a.instances {
		slowest = max(slowest, each.probe.slowness(time.Now()))
	}
	return slowest
}

func (a *attempt) logs(always bool) []DeploymentLog {
	if a.result.Verdict == verdict.Pass && !a.interrupted && !always {
		return nil
	}
	var logs []DeploymentLog
	for _, each := range a.instances {
		lines := logLines
		if isClosed(each.deployment.Died()) {
			lines = deathLogLines
		}
		logs = append(logs, logOf(each.deployment, lines))
	}
	return logs
}

// logLines is how many lines of a deployment's log are kept with a check that did not pass: some seconds, if several checks
// share the servers. If a server died more are kept, because its last words may fill thousands of lines.
const (
	logLines      = 500
	deathLogLines = 4000
)

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
