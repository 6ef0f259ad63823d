// Package prove shows that each check of the suite can pass and can fail. It runs the suite against the reference
// homeserver: without faults, where everything must pass; with each reading of what the texts leave open, which the suite
// must distinguish; and with each fault, where exactly the requirements that the fault breaks must fail.
//
// This file makes a proof in four steps: choose the trials (trials.go), run each (try.go), combine the outcomes (proof.go),
// write the result (write.go).
package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"msc4014/cmd/internal/suitebinary"
	"msc4014/faults"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime"
	"msc4014/runtime/session"
)

// The exit statuses.
const (
	StatusProven   = 0
	StatusUnproven = 1 // no fault makes some check fail, a fault survives, or something outside its row fails
	StatusCannot   = 2 // the proof could not be completed
)

// buildsAtOnce is how many references with faults are built side by side: the compiler uses several cores itself.
const buildsAtOnce = 2

// usualParallel is the default number of trials side by side: trials mostly wait for deadlines.
const usualParallel = 8

// MostParallel bounds the trials side by side: each has a server and a process of the suite.
const MostParallel = 64

// Options describe a proof as requested.
type Options struct {
	Run      string // a regular expression for faults, requirements and checks; "" for everything
	Results  string // the folder for results; "" for results/prove
	Parallel int    // trials side by side; 0 for the default
	Verbose  bool
	// Whole runs the whole suite in each trial of a fault, not only the checks of its requirements.
	Whole bool
	// Sample tries one fault in so many, chosen by the commit of the suite; 0: all. Of the others their rows are taken at their word.
	Sample int
	// Record writes which checks failed in the trials of faults, and why, for those who write faults.
	Record bool
}

// Prover makes proofs. Its function fields are its dependencies on the outside world.
type Prover struct {
	Root        string // of the project
	Folder      string // the working directory; paths below it are shown relative to it
	Stdout      io.Writer
	Environment func(string) string
	Suite       report.Suite
	Catalogue   *requirements.Catalogue
	Report      report.Catalogue // the same, as the report needs it
	Faults      []faults.Fault

	Build func(ctx context.Context, root string) (binary string, err error)
	// Prepare makes the reference with faults ready to run as processes, and reports each step to progress in one line.
	Prepare func(ctx context.Context, with []faults.Fault, progress func(string)) (runtime.Artifact, error)
	// Kill, when closed, ends the suite's binaries immediately: the user interrupted a second time.
	Kill <-chan struct{}
}

// proving is one proof under way.
type proving struct {
	*Prover
	coverage
	progress  *report.Progress
	binary    string
	reference runtime.Artifact // without faults
	results   string
	parallel  int
	verbose   bool
}

// Prove makes a proof and returns its exit status. An error means StatusCannot, and its text is for people. When ctx is
// done the proof ends, and only the results of finished trials stay.
func (p *Prover) Prove(ctx context.Context, options Options) (status int, err error) {
	under := &proving{Prover: p, coverage: coverage{catalogue: p.Catalogue}, results: options.Results, parallel: options.Parallel,
		verbose: options.Verbose}
	if under.asked, err = selection.New(options.Run, "", false); err != nil {
		return StatusCannot, err
	}
	if options.Parallel < 0 || options.Parallel > MostParallel {
		return StatusCannot, fmt.Errorf("--parallel %d: must be a number of trials from 1 to %d", options.Parallel, MostParallel)
	}
	if options.Sample < 0 {
		return StatusCannot, fmt.Errorf("--sample %d: must be a number of faults, of which one is tried", options.Sample)
	}
	if under.parallel == 0 {
		under.parallel = usualParallel
	}
	if under.results == "" {
		under.results = filepath.Join(p.Root, "results", "prove")
	}
	if _, err := session.StateDir(); err != nil {
		return StatusCannot, err
	}
	folder, err := report.OpenFolder(under.results) // keeps other proofs out meanwhile
	if err != nil {
		return StatusCannot, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if err := setAside(under.results); err != nil {
		return StatusCannot, err
	}
	under.progress = report.NewProgress(p.Stdout, p.Environment, options.Verbose)
	defer under.progress.Close()
	if err := under.prepare(ctx); err != nil {
		return StatusCannot, err
	}
	under.sample, under.seed = options.Sample, p.Suite.Commit
	trials, rest, err := p.trials(under.coverage, options.Whole)
	if err != nil {
		return StatusCannot, err
	}
	defer context.AfterFunc(ctx, func() {
		under.say(context.Cause(ctx).Error() + ": cleaning up (press Ctrl-C again to quit immediately)")
	})()
	started := time.Now()
	outcomes, err := under.tryAll(ctx, trials)
	under.progress.Close()
	if ctx.Err() != nil {
		return StatusCannot, context.Cause(ctx)
	}
	if err != nil {
		return StatusCannot, err
	}
	proof := under.weigh(outcomes, rest)
	proof.Suite, proof.Started, proof.DurationMS = p.Suite, started.UTC(), time.Since(started).Milliseconds()
	proof.Parallel, proof.Run, proof.Whole, proof.Sample = under.parallel, options.Run, options.Whole, options.Sample
	file, err := proof.save(under.results)
	if err != nil {
		return StatusCannot, err
	}
	if options.Record {
		if err := record(under.results, outcomes); err != nil {
			return StatusCannot, err
		}
	}
	if err := proof.Write(p.Stdout, report.StyleFor(p.Stdout, p.Environment), p.shown(file)); err != nil {
		return StatusCannot, fmt.Errorf("cannot write the proof: %w", err)
	}
	if len(proof.Problems) > 0 {
		return StatusUnproven, nil
	}
	return StatusProven, nil
}

func (p *proving) say(line string) { p.progress.Say("%s", line) }

// prepare cleans up after dead runs, builds the checks and lists them.
func (p *proving) prepare(ctx context.Context) error {
	if err := errors.Join(session.AwaitOrphans(ctx, p.say), session.CleanDead(ctx, p.say)); err != nil && ctx.Err() == nil {
		p.say("not everything of earlier runs could be removed: " + err.Error())
	}
	p.progress.Doing("building the checks")
	var err error
	if p.binary, err = p.Build(ctx, p.Root); err != nil {
		return err
	}
	if p.registered, err = suitebinary.List(ctx, p.binary); err != nil {
		return err
	}
	p.reference, err = p.Prepare(ctx, nil, p.progress.Doing)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// tryAll runs all trials, some in parallel, and shows each as it ends. An error means that the proof cannot be completed.
func (p *proving) tryAll(ctx context.Context, trials []trial) ([]outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.progress.Begin()
	p.progress.Handle(verdict.Event{Kind: verdict.KindPlan, Total: len(trials)})
	outcomes := make([]outcome, len(trials))
	queue := p.ready(ctx, trials)
	var (
		workers sync.WaitGroup
		mu      sync.Mutex
		failure error
	)
	for range min(p.parallel, len(trials)) {
		workers.Go(func() {
			for next := range queue {
				one := trials[next.index]
				p.progress.Handle(verdict.Event{Kind: verdict.KindCheckStart, Check: one.name})
				began := time.Now()
				done, err := p.try(ctx, one, next)
				if err != nil {
					mu.Lock()
					failure = errors.Join(failure, fmt.Errorf("%s: %w", one.name, err))
					mu.Unlock()
					cancel()
					return
				}
				outcomes[next.index] = done
				p.progress.Handle(verdict.Event{Kind: verdict.KindCheckDone, Check: one.name, Result: done.shown(time.Since(began))})
			}
		})
	}
	workers.Wait()
	for range queue { // after a failure: until no build is under way
	}
	return outcomes, failure
}

// readied is a trial whose reference is there, or cannot be made.
type readied struct {
	index     int
	reference runtime.Artifact
	err       error
}

// ready hands out the trials: those of the usual reference in their order, and each of a reference with a fault as soon as that
// is built. It ends with ctx.
func (p *proving) ready(ctx context.Context, trials []trial) <-chan readied {
	queue := make(chan readied)
	give := func(next readied) {
		select {
		case queue <- next:
		case <-ctx.Done():
		}
	}
	var usual, built []int
	for i, one := range trials {
		if one.fault != nil && len(one.fault.Hunks) > 0 {
			built = append(built, i)
		} else {
			usual = append(usual, i)
		}
	}
	toBuild := make(chan int, len(built))
	for _, i := range built {
		toBuild <- i
	}
	close(toBuild)
	var givers sync.WaitGroup
	givers.Go(func() {
		for _, i := range usual {
			give(readied{index: i, reference: p.reference})
		}
	})
	for range min(buildsAtOnce, len(built)) {
		givers.Go(func() {
			for i := range toBuild {
				if ctx.Err() != nil {
					return
				}
				give(p.build(ctx, i, trials[i]))
			}
		})
	}
	go func() {
		givers.Wait()
		close(queue)
	}()
	return queue
}

// build makes the reference of a trial.
func (p *proving) build(ctx context.Context, index int, one trial) readied {
	activity := "building for " + one.name
	p.progress.Handle(verdict.Event{Kind: verdict.KindCheckStart, Check: activity})
	defer p.progress.Handle(verdict.Event{Kind: verdict.KindCheckDone, Check: activity}) // no result: it counts as no trial
	built, err := p.Prepare(ctx, []faults.Fault{*one.fault}, func(line string) {
		if p.verbose {
			p.say(one.name + ": " + line)
		}
	})
	return readied{index, built, err}
}

// shown returns a path as the user sees it: relative to the working directory if it is below that.
func (p *Prover) shown(path string) string {
	if relative, err := filepath.Rel(p.Folder, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}
