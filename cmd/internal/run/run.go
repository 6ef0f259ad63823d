package run

// The steps of a run: all cheap checks come first, then each candidate is prepared, judged and reported.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/cmd/internal/suitebinary"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/live"
	"msc4014/runtime"
	"msc4014/runtime/complement"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

// cleanupTime bounds how long the suite's binary may take to clean up.
const cleanupTime = 60 * time.Second

// Runner makes runs. Its function fields are its dependencies on the outside world.
type Runner struct {
	Root        string // of the project
	Folder      string // the working directory; paths below it are shown relative to it
	Stdout      io.Writer
	Environment func(string) string
	Suite       report.Suite
	// Images are those that Complement's variables select for single servers in containers.
	Images []complement.ServerImage

	// Parse returns a candidate by its name. With an error, the candidate has the names of its folder and of itself, if they are known.
	Parse     func(candidate string) (Candidate, error)
	Engine    func(ctx context.Context) error // returns an error if no container engine answers
	Build     func(ctx context.Context, root string) (binary string, err error)
	Catalogue func() (report.Catalogue, error)
	// Clients makes the image of real clients ready, and reports each step to progress in one line.
	Clients func(ctx context.Context, progress func(string)) (runtime.Artifact, error)
	// Kill, when closed, ends the suite's binary immediately: the user interrupted a second time.
	Kill <-chan struct{}
	// Notices are lines printed at the start and after the summary, and stored in results.json.
	Notices []string
}

// made is the state that all candidates of a run share.
type made struct {
	*validated
	progress    *report.Progress
	runtimeName string
	binary      string
	registered  []selection.Check
	catalogue   report.Catalogue
}

// Run makes a run and returns its exit status. An error means StatusCannot, and its text is for people. When ctx is done
// the run ends, cleans up and keeps the results so far.
func (r *Runner) Run(ctx context.Context, options Options) (status int, err error) {
	m, err := r.claim(options)
	if err != nil {
		return StatusCannot, errors.Join(err, r.Refuse(options, err))
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := r.begin(m); err != nil {
		return StatusCannot, err
	}
	m.progress = report.NewProgress(r.Stdout, r.Environment, options.Verbose)
	defer m.progress.Close()
	for _, notice := range r.Notices {
		m.say(notice)
	}
	if err := r.make(ctx, m); err != nil {
		return StatusCannot, errors.Join(err, r.unmade(m, err, m.tasks...))
	}
	defer context.AfterFunc(ctx, func() {
		m.say(context.Cause(ctx).Error() + ": cleaning up (press Ctrl-C again to quit immediately)")
	})()
	status = StatusExpected
	var judged []report.Summarised
	var words, problems []string
	for _, one := range m.tasks {
		if ctx.Err() != nil {
			if err := r.unmade(m, context.Cause(ctx), one); err != nil {
				problems = append(problems, one.typed+": "+err.Error())
			}
			continue
		}
		outcome, err := r.judge(ctx, m, one)
		if err != nil {
			status = StatusCannot
			if outcome == nil {
				err = errors.Join(err, r.unmade(m, err, one))
			}
			problems = append(problems, one.typed+": "+err.Error())
		}
		if outcome != nil {
			status = max(status, outcome.status)
			judged = append(judged, outcome.summarised)
			words = append(words, outcome.words...)
		}
	}
	m.progress.Close()
	if len(judged) > 1 {
		file, err := r.reportOnAll(m, judged)
		if err != nil {
			problems = append(problems, err.Error())
		} else {
			words = append([]string{"report of all: " + r.shown(file)}, words...)
		}
	}
	if len(judged) > 0 {
		style := report.StyleFor(r.Stdout, r.Environment)
		if err := report.WriteSummary(r.Stdout, style, judged, options.Verbose); err != nil {
			return StatusCannot, fmt.Errorf("cannot write the summary: %w", err)
		}
	}
	for _, line := range slices.Concat(r.Notices, words) {
		_, _ = fmt.Fprintln(r.Stdout, report.ForConsole(line))
	}
	if ctx.Err() != nil {
		return StatusCannot, context.Cause(ctx)
	}
	if len(problems) > 0 {
		return StatusCannot, errors.New(strings.Join(problems, "\n"))
	}
	return status, nil
}

// claim does what can fail before the results folders of a run are its own, and claims them.
func (r *Runner) claim(options Options) (*made, error) {
	valid, err := r.validate(options)
	if err != nil {
		return nil, err
	}
	if _, err := session.StateDir(); err != nil {
		return nil, err
	}
	m := &made{validated: valid}
	if m.catalogue, err = r.Catalogue(); err != nil {
		return nil, err
	}
	return m, m.open()
}

// make does the work that all candidates share: clean up after dead runs, choose the runtime, build the checks.
func (r *Runner) make(ctx context.Context, m *made) error {
	err := r.decideRuntime(ctx, m)
	if err != nil {
		return err
	}
	if err := r.refuseOtherImages(m); err != nil {
		return err
	}
	// Clean up after dead runs while the checks are built.
	cleaned := make(chan struct{})
	go func() {
		defer close(cleaned)
		if err := errors.Join(session.AwaitOrphans(ctx, m.say), session.CleanDead(ctx, m.say)); err != nil && ctx.Err() == nil {
			// Leftovers do no harm: names and addresses differ between runs.
			m.say("could not remove everything that earlier runs left behind: " + err.Error())
		}
	}()
	m.progress.Doing("building the checks")
	m.binary, err = r.Build(ctx, r.Root)
	<-cleaned
	if err != nil {
		return err
	}
	if m.registered, err = suitebinary.List(ctx, m.binary); err != nil {
		return err
	}
	if _, err := m.selection.Choose(m.registered); err != nil {
		return err
	}
	return ctx.Err()
}

func (m *made) say(line string) { m.progress.Say("%s", line) }

// decideRuntime chooses containers if an engine answers, unless the options name the runtime.
func (r *Runner) decideRuntime(ctx context.Context, m *made) error {
	m.runtimeName = m.Options.Runtime
	if m.runtimeName == "process" {
		return nil
	}
	err := r.Engine(ctx)
	variable, value := engine.Named(r.Environment)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil:
		m.runtimeName = "docker"
		return nil
	case m.runtimeName == "docker":
		return fmt.Errorf("--runtime docker: %w", err)
	case variable != "":
		return fmt.Errorf("%s=%s: %w; or run without containers (--runtime process)", variable, value, err)
	}
	m.runtimeName = "process"
	for _, one := range m.tasks {
		for _, candidate := range one.candidates {
			if !slices.Contains(candidate.Runtimes, "process") {
				return fmt.Errorf("%s runs in containers only: %w", candidate.Typed, err)
			}
		}
	}
	m.say("servers run as plain processes: " + err.Error())
	return nil
}

// judge runs one task. Either result may be nil; an error together with an outcome means that the run ended early and its
// results are kept.
func (r *Runner) judge(ctx context.Context, m *made, one task) (result *outcome, err error) {
	folder := one.folder
	own, err := session.Open()
	if err != nil {
		return nil, err
	}
	defer func() {
		m.progress.Doing("")
		if closing := own.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("the run did not clean up (./run.sh clean does): %w", closing))
		}
	}()
	if m.Keep {
		if err := own.Keep(); err != nil {
			return nil, err
		}
	}
	m.progress.Begin()
	wanted := plan.Plan{
		Runtime: m.runtimeName, Run: m.Options.Run, RoomVersion: m.RoomVersion, Parallel: m.Parallel, Shuffle: m.Shuffle, Seed: m.Seed,
		Shard: m.Shard, Keep: m.Keep, Results: folder.Staging(), Session: own.Dir, Expected: one.expected.Differences(), Sessions: m.Sessions, Repeat: m.Repeat,
		AllEvidence: m.Evidence == report.EvidenceAll,
	}
	recorder, err := live.Record(folder.Staging(), one.expected.Expects)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, recorder.Close()) }()
	doing := func(show func(string), activity string) {
		recorder.Doing(activity)
		show(activity)
	}
	doing(m.progress.Doing, "preparing "+one.typed)
	for i, candidate := range one.candidates {
		artifact, err := candidate.Prepare(ctx, m.runtimeName, func(step string) { doing(m.progress.Step, step) })
		if err != nil {
			return nil, cause(ctx, err)
		}
		artifact.Candidate = candidate.Name // results name the version, whatever was typed
		if i == 0 {
			wanted.Artifact = artifact
		} else {
			wanted.Second = &artifact
		}
	}
	if m.WithClients && m.runtimeName == "docker" {
		clients, err := r.Clients(ctx, m.progress.Doing)
		if err != nil {
			return nil, cause(ctx, err)
		}
		wanted.Clients = &clients
	}
	m.progress.Expect(one.expected.Expects)
	m.progress.Begin() // restart the clock: builds do not count towards the run's time
	started := time.Now()
	doing(m.progress.Step, "starting "+wanted.Candidate().Name)
	ending, err := suitebinary.Process{
		Binary: m.binary, Plan: wanted, Lock: own.LockFile(), Kill: r.Kill, CleanupTime: cleanupTime,
		Handle: func(event verdict.Event) {
			recorder.Handle(event)
			m.progress.Handle(event)
		},
	}.RunIn(ctx, folder)
	if err != nil {
		return nil, cause(ctx, err)
	}
	if ending.Cannot != "" && !ending.Planned() {
		return nil, cause(ctx, errors.New(ending.Cannot))
	}
	results := report.Assemble(report.Run{
		Suite: r.Suite, Started: started, Duration: time.Since(started), Registered: m.registered,
		Selection: m.selection, Incomplete: ending.BrokeOff(ctx),
		Candidate: wanted.Candidate(), Notes: r.Notices, AllEvidence: wanted.AllEvidence,
	}, m.catalogue, ending.Events)
	if !ending.Planned() {
		return nil, cause(ctx, r.crash(folder, results.Incomplete))
	}
	result, err = r.decide(m, one, results)
	if err != nil {
		return nil, err
	}
	switch {
	case len(result.unjudged) > 0:
		err = errors.New(strings.Join(result.unjudged, "; "))
	case results.Incomplete == "" || ctx.Err() != nil:
	case ending.Cannot != "":
		err = errors.New(ending.Cannot)
	default:
		err = r.crash(folder, results.Incomplete)
	}
	if keeping := folder.Keep(result.summarised.Results); keeping != nil {
		return nil, errors.Join(err, keeping)
	}
	recorder.Ended()
	if m.Keep {
		result.words = append(result.words, kept(m.runtimeName, own))
	}
	return result, err
}

// kept says what --keep left behind, and where.
func kept(runtimeName string, own *session.Session) string {
	what := "kept: the servers have ended; their data and logs are in " + filepath.Join(own.Dir, "servers")
	if runtimeName == "docker" {
		what = fmt.Sprintf("kept: the servers are still running (docker ps --filter label=%s=%s)", session.LabelRun, own.ID)
	}
	return what + "; ./run.sh clean removes them"
}

// crash returns the error for a suite binary that ended early, with the first line that it wrote to standard error.
func (r *Runner) crash(folder *report.Folder, why string) error {
	text := why + "; this is the fault of the suite or the machine, not of the candidate"
	data, err := os.ReadFile(filepath.Join(folder.Staging(), report.CrashFile))
	if err != nil || len(data) == 0 {
		return errors.New(text)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	return fmt.Errorf("%s: %s (full output: %s)", text, first, filepath.Join(folder.Path(), report.CrashFile))
}

// cause returns the reason of an interruption rather than the error that it caused.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
