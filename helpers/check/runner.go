package check

// The runner: the first round over all checks, and what is done with one of them.

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// Options say how a run judges.
type Options struct {
	Checks      []*Check // in the order in which they are to start
	Deployments Deployments
	// Parallel is how many checks run at once, beside as many, or slowPlaces, that are Slow, a few that are Deadly, and one
	// that Expends servers; 1, or less, is one in all. While the machine or the servers are slow, fewer start.
	Parallel int
	// Copies is how many shared deployments of a blueprint there may be at once; nil: one.
	Copies   func(blueprint string) int
	Emit     func(verdict.Event)
	Keep     Keeper   // nil: no evidence is kept
	Readings Readings // nil: every reading is allowed
	// Quiet is how long a deployment is watched after its last check before its closing health check; a server may
	// die a little after it answered.
	Quiet time.Duration
	// Silence is how long the servers of a deployment may leave a question unanswered, and its health check may then
	// take, before they are dead; 0 means 3 s. It lengthens with the lateness of the machine.
	Silence time.Duration
	// LastLooks bounds the closing looks of a run that is interrupted, all of them side by side; 0 means 5 s.
	LastLooks time.Duration
	// Limit bounds one check, in its own time, which passes more slowly while the machine or a server keeps it waiting; one that
	// is Slow may take three times as long.
	Limit time.Duration
	// Grace is how long the body of a check may go on after that, or after another end of its context, before its goroutine is
	// given up; 0 means 30 s.
	Grace time.Duration
	// Slowness is how many times slower the machine is now than in a run on a quiet one; nil: it is measured.
	Slowness func() float64
	// Observe sees every exchange of every check, with the check's name: passive monitors.
	Observe func(check string, exchange transcript.Exchange)
	// Done is told of each deployment that no check will use any more, before it is removed; nil: nobody is.
	Done func(ctx context.Context, leaving Leaving)
	// Seed is what random input of checks follows from.
	Seed uint64
	// KeepEvidence keeps the evidence of checks that passed, too.
	KeepEvidence bool
	// KeepServers leaves deployments running at the end.
	KeepServers bool
}

// Evidence is what is kept of a check.
type Evidence struct {
	Exchanges []transcript.Exchange
	Dropped   int // exchanges that came before these and are not kept
	Logs      []DeploymentLog
	// Attached are files that the check itself wants kept, by the end of their names: "input.json".
	Attached map[string][]byte
}

// DeploymentLog is the end of the log of one deployment that the check touched.
type DeploymentLog struct {
	Deployment string
	Text       string
}

// Runner judges checks.
type Runner struct {
	options Options
	machine *machine
	mu      sync.Mutex
	shared  map[string][]*ground // the living ones, by blueprint
	idle    map[string][]*ground // those of deadly checks that outlived one, by blueprint
	grounds []*ground            // every deployment of the first round, in order of creation
	trials  map[*Check]*trial
	closing sync.WaitGroup
	clocks  clocks
	// healthLimit bounds one health check of a deployment.
	healthLimit time.Duration
	own         *clock  // for what the runner itself asks servers
	starved     int     // how many checks have no verdict for want of the machine
	slowest     float64 // what the slowest of them met

	expendables expendables
}

// ground is one deployment and the checks that stood on it, in the order in which they came.
type ground struct {
	blueprint  string
	deployment Deployment
	ready      chan struct{} // closed when deployment or err is set
	err        error
	private    bool // not shared
	lent       bool // private, and given back
	standing   int  // how many checks stand on it now, if it is shared; guarded by Runner.mu
	unwatch    context.CancelFunc
	pulse      pulse
	mu         sync.Mutex
	touched    []*attempt
	cleared    int // how many of them, from the first, have ended since without its death

	looking sync.Mutex // held during its closing look; guards what follows
	well    bool       // it passed its closing look
	dead    bool       // it did not
	untold  bool       // the machine was too slow to tell
	removed bool
}

// attempt is one execution of a check.
type attempt struct {
	check       *Check
	mu          sync.Mutex
	ended       bool // it stands on no more grounds than these
	grounds     []*ground
	result      verdict.CheckResult
	observed    []verdict.Observation
	evidence    Evidence
	interrupted bool // a deployment of it died before the check had ended
	cutShort    bool // the run was interrupted before the check had ended
	settled     sync.Once
	starved     bool // it has no verdict for want of the machine
	slowness    float64
}

// New prepares a runner.
func New(options Options) *Runner {
	options.Parallel = max(options.Parallel, 1)
	if options.Limit == 0 {
		options.Limit = time.Minute
	}
	if options.Silence == 0 {
		options.Silence = usualSilence
	}
	if options.LastLooks == 0 {
		options.LastLooks = lastLooks
	}
	if options.Copies == nil {
		options.Copies = func(string) int { return 1 }
	}
	if options.Grace == 0 {
		options.Grace = usualGrace
	}
	r := &Runner{options: options, healthLimit: usualHealthLimit, shared: map[string][]*ground{}, idle: map[string][]*ground{}, trials: map[*Check]*trial{}}
	r.machine = newMachine(r.clocks.advance)
	if options.Slowness == nil {
		r.options.Slowness = r.machine.slowness
	}
	r.own = r.clocks.start(func() slowness { return slowness{r.options.Slowness(), 1} })
	return r
}

// Run judges all checks and emits exactly one final result for each. It returns an error only when ctx ended first; the
// results that are final all the same have been emitted then.
func (r *Runner) Run(ctx context.Context) error {
	defer r.machine.stop()
	defer r.closeExpendables(context.WithoutCancel(ctx))
	attempts := r.firstRound(ctx)
	if ctx.Err() == nil {
		r.closeGrounds(ctx)
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
	r.tellStarved()
	return nil
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

// slowPlaces is how many checks wait for servers' own time-outs at once, which costs next to nothing.
const slowPlaces = 8

// deadlyServers is how many servers there are at once for checks that servers die of: each is about to be replaced.
const deadlyServers = 3

// expendingChecks is how many checks that try to bring servers down run at once: none of them waits for long, and each would
// have a server to itself.
const expendingChecks = 1

// firstRound runs every check once, several at a time. Checks that wait for servers' own time-outs keep no other waiting,
// and those that servers die of take turns on a few: they have lanes of their own, unless only one check is to run at once.
func (r *Runner) firstRound(ctx context.Context) []*attempt {
	var usual, slow, deadly, expending []*Check
	for _, one := range r.options.Checks {
		switch {
		case one.Closing:
		case r.options.Parallel == 1:
			usual = append(usual, one)
		case one.Expends:
			expending = append(expending, one)
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
	// A lane without checks closes nothing: with one check at a time the usual lane has them, and its deployments are in use.
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
	r.closeExpendables(context.WithoutCancel(ctx)) // with one check at a time they are handed on in the usual lane
	return attempts
}

// runLane runs checks in their order, at most so many at a time and at least as many as least on a slow machine, and hands on
// what each came to.
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

// runFirst runs one check of the first round and looks after the deployments that it had to itself.
func (r *Runner) runFirst(ctx context.Context, one *Check) *attempt {
	r.emit(verdict.Event{Kind: verdict.KindCheckStart, Check: one.Name})
	find := r.share
	if one.Deadly {
		find = r.lend
	}
	ended := r.execute(ctx, one, find)
	for _, each := range ended.grounds {
		if !each.private {
			r.leave(each)
		}
	}
	result := ended.result
	if !r.needsEvidence(ended) {
		ended.evidence = Evidence{}
	}
	if !ended.cutShort {
		r.emit(verdict.Event{Kind: verdict.KindCheckDone, Check: one.Name, Result: &result})
	}
	r.takeBack(ctx, ended) // from here on it may be blamed
	r.closePrivate(ctx, ended)
	r.settleIfFinal(ended)
	return ended
}

// needsEvidence tells whether what was recorded of a check may be asked for. Of one that passed on servers which it shared it
// is not: should one of them die later, the check is judged again.
func (r *Runner) needsEvidence(ended *attempt) bool {
	return r.options.KeepEvidence || !proven(ended.result) ||
		slices.ContainsFunc(ended.grounds, func(each *ground) bool { return each.private || each.lent })
}

// proven tells whether a result needs no evidence beside it.
func proven(result verdict.CheckResult) bool {
	return result.Verdict == verdict.Pass || result.Verdict == verdict.Unsupported
}

// slowLimit is how many times longer than others a check may take that waits for a server's own time-outs.
const slowLimit = 3

// execute runs one check's body; find gives it its deployments.
func (r *Runner) execute(ctx context.Context, one *Check, find func(ctx context.Context, blueprint string, private bool) (*ground, error)) *attempt {
	checkContext, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := r.options.Limit
	if one.Slow > 0 {
		limit *= slowLimit
	}
	this := &attempt{check: one}
	clock := r.clocks.start(func() slowness { return slowness{r.options.Slowness(), this.serversSlowness()} })
	defer r.clocks.stop(clock)
	limited, release := clock.within(checkContext, limit, limit, r.machine.stretched(limit), true)
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
		if standing := this.standsOn(blueprint); standing != nil && !private {
			return standing.deployment, nil
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
	outcome := c.outcomeNow()
	this.result = c.result(time.Since(started))
	this.observed, this.starved = outcome.observations, outcome.starved
	this.slowness = clock.meanSlowness()
	r.examine(ctx, this)
	this.cutShort = ctx.Err() != nil
	this.evidence = Evidence{
		Exchanges: recorder.Exchanges(), Dropped: recorder.Dropped(), Logs: append(this.logs(r.options.KeepEvidence), outcome.logs...), Attached: outcome.attached,
	}
	return this
}

// examine looks at the deployments of a check that did not pass: dead or silent servers make it a suspect.
func (r *Runner) examine(ctx context.Context, this *attempt) {
	for _, each := range this.grounds {
		if this.result.Verdict != verdict.Pass && this.result.Verdict != verdict.Unsupported {
			r.confirmHealth(ctx, each)
		}
		if isClosed(each.deployment.Died()) {
			this.interrupted = true
		}
	}
}

// healthTries is how often a deployment is asked for its health while the machine is too slow to tell.
const healthTries = 3

// confirmHealth marks a deployment dead that fails its health check. It reports whether that told anything: a health check that
// fails for want of the machine says nothing about a server.
func (r *Runner) confirmHealth(ctx context.Context, each *ground) (told bool) {
	for range healthTries {
		if ctx.Err() != nil || isClosed(each.deployment.Died()) {
			return true
		}
		illness, starved := r.within(ctx, each.deployment, r.healthLimit, each.deployment.Health)
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

// declareDead declares a deployment dead whose servers do not answer any more. One that is just ending is known dead by its
// end, which says more than its silence; a busy container engine tells of it seconds later.
func (r *Runner) declareDead(ctx context.Context, deployment Deployment, cause string) {
	r.watchQuietly(ctx, deployment, r.machine.patience(r.options.Silence))
	if ctx.Err() == nil {
		deployment.MarkDead(cause)
	}
}

// usualHealthLimit bounds one health check of a deployment.
const usualHealthLimit = 8 * time.Second

// standsOn is the shared deployment of a blueprint on which the check stands already, or nil.
func (a *attempt) standsOn(blueprint string) *ground {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, each := range a.grounds {
		if each.blueprint == blueprint && !each.private {
			return each
		}
	}
	return nil
}

// attach notes that the check stands on a deployment. It reports false if the check has ended without the goroutine that asked
// for it.
func (a *attempt) attach(found *ground) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.grounds = append(a.grounds, found)
	found.mu.Lock()
	found.touched = append(found.touched, a)
	found.mu.Unlock()
	return true
}

// end keeps the check from standing on more deployments.
func (a *attempt) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
}

// serversSlowness is that of the slowest deployment on which the check stands.
func (a *attempt) serversSlowness() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	slowest := 1.0
	for _, each := range a.grounds {
		slowest = max(slowest, each.pulse.slowness(time.Now()))
	}
	return slowest
}

func (a *attempt) logs(always bool) []DeploymentLog {
	if a.result.Verdict == verdict.Pass && !a.interrupted && !always {
		return nil
	}
	var logs []DeploymentLog
	for _, each := range a.grounds {
		lines := logLines
		if isClosed(each.deployment.Died()) {
			lines = deathLogLines
		}
		logs = append(logs, DeploymentLog{Deployment: each.deployment.ID(), Text: each.deployment.Log(lines)})
	}
	return logs
}

// logLines is how much of a server's log is kept with a check that did not pass: some seconds of one that several checks
// share. Of one that died more is kept, for it may tell of its end in thousands of lines.
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
