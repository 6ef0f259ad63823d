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
	"strconv"
	"sync"
	"time"

	"msc4014/cmd/internal/suitebinary"
	"msc4014/faults"
	"msc4014/faults/mutation"
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
	StatusUnproven = 1 // a check is not made to fail by any fault, or a trial does not have the expected outcome
	StatusCannot   = 2 // the proof could not be completed
)

// buildsAtOnce is how many references with faults are built in parallel: the compiler uses several cores itself.
const buildsAtOnce = 2

// builtAlone is up to how many faults are each built alone: that takes less time than building all of them into one program.
const builtAlone = 4

// defaultParallel is the default number of parallel trials, which mostly wait for deadlines.
const defaultParallel = 8

// MostParallel is the maximum number of parallel trials. Each has a server and a process of the suite.
const MostParallel = 64

// Options describe a proof as requested.
type Options struct {
	Run      string // a regular expression for faults, requirements and checks; "" for everything
	Results  string // the folder for results; "" for results/prove
	Parallel int    // trials in parallel; 0 for the default
	Verbose  bool
	// Whole runs the whole suite in each trial of a fault, not only the checks of its requirements.
	Whole bool
	// Sample tries one in Sample faults, chosen by the commit of the suite; 0 tries all. Checks that only other faults name are not
	// proven, and are not a problem.
	Sample int
	// ChangedSince is a commit: faults that changed since then, or that name a check that did, are tried besides those of Sample, or
	// if that is 0, alone.
	ChangedSince string
	// Record writes which checks failed in the trials of faults, and why, to help in writing faults.
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
	Program     string           // the file of this program, on which results depend
	Faults      []faults.Fault

	Build func(ctx context.Context, root string) (binary string, err error)
	// Prepare prepares the reference with faults to run as processes, and reports each step to progress in one line.
	Prepare func(ctx context.Context, with []faults.Fault, progress func(string)) (runtime.Artifact, error)
	// Since returns what changed since a commit.
	Since func(ctx context.Context, root, commit string) (Changes, error)
	// Combine combines faults into one program, as far as that is possible.
	Combine func([]faults.Fault) (faults.Combined, error)
	// PrepareWith is Prepare with files in place of those on disk.
	PrepareWith func(ctx context.Context, overlay map[string][]byte, progress func(string)) (runtime.Artifact, error)
	// Sites returns all places where the reference can be changed, and Equivalents lists the changes that no answer shows.
	Sites       func(ctx context.Context) ([]*mutation.Site, error)
	Equivalents []mutation.Equivalent
	// Kill, when closed, ends the suite's binaries immediately: the user interrupted a second time.
	Kill <-chan struct{}
}

// proving is one proof in progress.
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

// Prove makes a proof and returns its exit status. An error means StatusCannot, and its text is for the user. When ctx is
// done the proof ends, and only the results of finished trials remain.
func (p *Prover) Prove(ctx context.Context, options Options) (status int, err error) {
	under, err := p.begin(options.Run, options.Results, "prove", options.Parallel, defaultParallel, options.Verbose)
	if err != nil {
		return StatusCannot, err
	}
	if options.Sample < 0 {
		return StatusCannot, fmt.Errorf("--sample %d: must be a number N, to try one in N faults", options.Sample)
	}
	var changes Changes
	if options.ChangedSince != "" {
		if changes, err = p.Since(ctx, p.Root, options.ChangedSince); err != nil {
			return StatusCannot, err
		}
	}
	end, err := under.start(ctx, File, earlierFile)
	if err != nil {
		return StatusCannot, err
	}
	defer func() { err = errors.Join(err, end()) }()
	under.sample, under.seed = options.Sample, p.Suite.Commit
	if options.ChangedSince != "" {
		under.changed = under.changedFaults(p.Faults, changes)
	}
	trials, rest, err := p.trials(under.coverage, options.Whole)
	if err != nil {
		return StatusCannot, err
	}
	outcomes, started, err := under.tryUntilDone(ctx, trials)
	if err != nil {
		return StatusCannot, err
	}
	proof := under.weigh(outcomes, rest)
	proof.Suite, proof.Started, proof.DurationMS = p.Suite, started.UTC(), time.Since(started).Milliseconds()
	proof.Parallel, proof.Run, proof.Whole = under.parallel, options.Run, options.Whole
	proof.Sample, proof.ChangedSince = options.Sample, options.ChangedSince
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

// begin makes a proof of what run selects ("": everything). Its results go to results ("": a folder of results/ called name), and so
// many trials run in parallel (0: usual).
func (p *Prover) begin(run, results, name string, parallel, usual int, verbose bool) (*proving, error) {
	under := &proving{Prover: p, coverage: coverage{catalogue: p.Catalogue}, results: results, parallel: parallel, verbose: verbose}
	var err error
	if under.selected, err = selection.New(run, "", false); err != nil {
		return nil, err
	}
	if err := checkParallel(parallel); err != nil {
		return nil, err
	}
	if parallel == 0 {
		under.parallel = usual
	}
	if results == "" {
		under.results = filepath.Join(p.Root, "results", name)
	}
	return under, nil
}

// start opens the results folder, renames the file of an earlier proof in it, and prepares trials. The caller calls end, unless there is
// an error.
func (p *proving) start(ctx context.Context, file, earlier string) (end func() error, err error) {
	folder, err := p.open()
	if err != nil {
		return nil, err
	}
	if err := setAside(p.results, file, earlier); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	p.progress = report.NewProgress(p.Stdout, p.Environment, p.verbose)
	end = func() error {
		p.progress.Close()
		return folder.Close()
	}
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// tryUntilDone tries all trials, and ends the progress. The error is the cause of ctx if that is done.
func (p *proving) tryUntilDone(ctx context.Context, trials []trial) (outcomes []outcome, started time.Time, err error) {
	defer context.AfterFunc(ctx, func() {
		p.say(context.Cause(ctx).Error() + ": cleaning up (press Ctrl-C again to quit immediately)")
	})()
	started = time.Now()
	outcomes, err = p.tryAll(ctx, trials)
	p.progress.Close()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return outcomes, started, err
}

func checkParallel(parallel int) error {
	if parallel < 0 || parallel > MostParallel {
		return fmt.Errorf("--parallel %d: must be a number of trials from 1 to %d", parallel, MostParallel)
	}
	return nil
}

// open opens the results folder, which keeps other proofs from using it meanwhile.
func (p *proving) open() (*report.Folder, error) {
	if _, err := session.StateDir(); err != nil {
		return nil, err
	}
	return report.OpenFolder(p.results)
}

func (p *proving) say(line string) { p.progress.Say("%s", line) }

// prepare cleans up after dead runs, builds the checks and lists them.
func (p *proving) prepare(ctx context.Context) error {
	if err := errors.Join(session.AwaitOrphans(ctx, p.say), session.CleanDead(ctx, p.say)); err != nil && ctx.Err() == nil {
		p.say("some leftovers of earlier runs could not be removed: " + err.Error())
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
	outcomes := make([]outcome, len(trials))
	return outcomes, inParallel(ctx, p, len(trials), func(ctx context.Context) <-chan readied { return p.ready(ctx, trials) }, func(next readied) string {
		return trials[next.index].name
	}, func(ctx context.Context, next readied) (*verdict.CheckResult, error) {
		began := time.Now()
		done, err := p.try(ctx, trials[next.index], next)
		outcomes[next.index] = done
		return done.shown(time.Since(began)), err
	})
}

// inParallel tries all trials of a queue, some in parallel, and shows each as it begins and as it ends. After an error no other trial
// begins, and the queue's context is done; it returns when the queue is closed and all trials have ended.
func inParallel[T any](
	ctx context.Context, p *proving, total int, start func(context.Context) <-chan T, name func(T) string,
	try func(context.Context, T) (*verdict.CheckResult, error),
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.progress.Begin()
	p.progress.Handle(verdict.Event{Kind: verdict.KindPlan, Total: total})
	queue := start(ctx)
	var workers sync.WaitGroup
	for range min(p.parallel, total) {
		workers.Go(func() {
			for one := range queue {
				if ctx.Err() != nil {
					continue // until the queue is closed
				}
				p.progress.Handle(verdict.Event{Kind: verdict.KindCheckStart, Check: name(one)})
				result, err := try(ctx, one)
				if err != nil {
					cancel(fmt.Errorf("%s: %w", name(one), err))
					continue
				}
				p.progress.Handle(verdict.Event{Kind: verdict.KindCheckDone, Check: name(one), Result: result})
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// readied is a trial whose reference is ready, or cannot be built.
type readied struct {
	index       int
	reference   runtime.Artifact
	environment []string // that turns its fault on, if the reference has several
	err         error
}

// ready sends the trials: those of the reference without faults in order, and those with a fault as soon as its reference is built. Most
// faults are in one program. It stops when ctx is done.
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
	alone := make(chan int, len(built))
	var givers sync.WaitGroup
	givers.Go(func() {
		for _, i := range usual {
			give(readied{index: i, reference: p.reference})
		}
	})
	givers.Go(func() {
		combined := p.combined(len(built))
		var together []int
		for _, i := range built {
			if combined.Numbers[trials[i].fault.ID] == 0 {
				alone <- i
			} else {
				together = append(together, i)
			}
		}
		program, ok := p.buildTogether(ctx, combined, len(together))
		if !ok {
			for _, i := range together {
				alone <- i
			}
			together = nil
		}
		close(alone)
		for _, i := range together {
			number := strconv.Itoa(combined.Numbers[trials[i].fault.ID])
			give(readied{index: i, reference: program, environment: []string{faults.OnVariable + "=" + number}})
		}
	})
	for range min(buildsAtOnce, len(built)) {
		givers.Go(func() {
			for i := range alone {
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

// combined combines all faults, unless only so many are to be built that each is built alone.
func (p *proving) combined(wanted int) faults.Combined {
	if wanted <= builtAlone {
		return faults.Combined{}
	}
	combined, err := p.Combine(p.Faults)
	if err != nil {
		p.say("each fault is built alone: " + err.Error())
		return faults.Combined{}
	}
	return combined
}

// buildTogether builds the reference with all combined faults, if any are wanted. If that fails, each of them is to be built alone, which
// tells which one is wrong.
func (p *proving) buildTogether(ctx context.Context, combined faults.Combined, wanted int) (reference runtime.Artifact, ok bool) {
	if wanted == 0 {
		return reference, true
	}
	var err error
	p.building(fmt.Sprintf("%d faults", len(combined.Numbers)), func(progress func(string)) {
		reference, err = p.PrepareWith(ctx, combined.Overlay, progress)
	})
	if err != nil && ctx.Err() == nil {
		p.say("each fault is built alone, since they cannot be built together: " + err.Error())
	}
	return reference, err == nil
}

// build builds the reference of a trial.
func (p *proving) build(ctx context.Context, index int, one trial) (done readied) {
	done.index = index
	p.building(one.name, func(progress func(string)) {
		done.reference, done.err = p.Prepare(ctx, []faults.Fault{*one.fault}, progress)
	})
	return done
}

// building builds something, and shows meanwhile what it is for.
func (p *proving) building(what string, build func(progress func(string))) {
	activity := "building for " + what
	p.progress.Handle(verdict.Event{Kind: verdict.KindCheckStart, Check: activity})
	defer p.progress.Handle(verdict.Event{Kind: verdict.KindCheckDone, Check: activity}) // without a result, so that it does not count as a trial
	build(func(line string) {
		if p.verbose {
			p.say(what + ": " + line)
		}
	})
}

// shown returns a path as the user sees it: relative to the working directory if it is below that.
func (p *Prover) shown(path string) string {
	if relative, err := filepath.Rel(p.Folder, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}
