package suite

// One run: it creates the world, finds out what the candidate is, and runs the checks.

import (
	"context"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/monitor"
	"msc4014/helpers/plan"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/requirements"
	"msc4014/runtime/complement"
	"msc4014/runtime/session"
)

const (
	// lockDescriptor is the file descriptor on which the command line passes the session's lock.
	lockDescriptor = 3
	// serverCopies is the maximum number of shared servers. Each costs a start, but with fewer rooms on a server, each room
	// is cheaper.
	serverCopies = 3
	// quiet is how long a deployment is watched after its last check; a server may die shortly after it answered.
	quiet = 600 * time.Millisecond
	// longestCheck is the time limit of one check on an idle machine.
	longestCheck = 45 * time.Second
	// longestSession is the time limit of one twin session in a run for twin sessions.
	longestSession = 10 * time.Second
)

// usualParallel returns how many checks run at once by default: enough to keep the cores busy, besides the checks that wait for
// time-outs of servers. More would slow the servers down without making the run faster: Dendrite opens database connections for
// concurrent requests, and closes them again (docs/performance.md). Unlike the number of cores, GOMAXPROCS follows a container's quota.
func usualParallel() int { return min(goruntime.GOMAXPROCS(0)+1, 8) }

// limit returns the time limit of one check. A run that looks for differences between twin sessions lasts as long as it takes.
func limit(wanted plan.Plan) time.Duration {
	return longestCheck + time.Duration(wanted.Sessions)*longestSession
}

// copies returns how many shared deployments of a blueprint there may be at once: one, except for the blueprint that most checks use.
func copies(blueprint string) int {
	if blueprint == blueprints.OneServer.Name {
		return serverCopies
	}
	return 1
}

// run runs a plan in the session that the command line opened.
func run(ctx context.Context, wanted plan.Plan, emit func(verdict.Event)) error {
	attached, err := session.Attach(wanted.Session, os.NewFile(lockDescriptor, "lock of the session"))
	if err != nil {
		return err
	}
	err = Judge(ctx, wanted, attached, emit)
	if ctx.Err() != nil {
		// The command line may be gone and cannot clean up.
		return errors.Join(context.Cause(ctx), attached.Remove(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, attached.Close())
}

// loadCatalogue loads the catalogue and validates the checks against it.
func loadCatalogue(registry *check.Registry) (*requirements.Catalogue, error) {
	catalogue, err := requirements.Load()
	if err != nil {
		return nil, err
	}
	err = registry.Validate(func(identifier string) bool {
		_, known := catalogue.Lookup(identifier)
		return known
	})
	if err != nil {
		return nil, err
	}
	return catalogue, registry.ValidateRoots(mayFail(catalogue))
}

// mayFail returns a function that returns an error for what no server can fail: blocked by it, a check would hide a failure.
func mayFail(catalogue *requirements.Catalogue) func(identifier string) error {
	return func(identifier string) error {
		requirement, known := catalogue.Lookup(identifier)
		switch {
		case !known:
			return fmt.Errorf("the catalogue has no requirement %q", identifier)
		case requirement.Kind == requirements.Open:
			return fmt.Errorf("%s is open: no reading of it may be what another requirement needs", identifier)
		}
		return nil
	}
}

// roots returns an error for a requirement that no step may name: only those are allowed that were validated at the start.
func roots(registry *check.Registry) func(identifier string) error {
	return func(identifier string) error {
		if !slices.Contains(registry.Roots(), identifier) {
			return fmt.Errorf("a step blames %s, which is not declared (check.Blames)", identifier)
		}
		return nil
	}
}

// Judge runs the checks that a plan selects against its candidate and emits the events of the run.
func Judge(ctx context.Context, wanted plan.Plan, joined *session.Session, emit func(verdict.Event)) (err error) {
	catalogue, err := loadCatalogue(check.Registered())
	if err != nil {
		return err
	}
	chosen, err := choose(check.Registered().All(), wanted)
	if err != nil {
		return err
	}
	settings, err := complement.FromEnvironment(os.Environ())
	if err != nil {
		return err
	}
	emit = untilInterrupted(ctx, emit)
	warn := func(text string) { emit(verdict.Event{Kind: verdict.KindNote, Time: time.Now(), Message: text}) }
	base, err := startRuntime(ctx, wanted, joined, settings, warn)
	if err != nil {
		return err
	}
	watch := &watchers{}
	if settings.Debug {
		watch.print = printer(emit)
	}
	world := blueprints.NewWorld(base.runtime, base.authority, watch.received)
	world.Artifacts, world.RoomVersion = base.artifacts, wanted.RoomVersion
	watch.world = world
	if !wanted.Keep {
		defer func() { err = errors.Join(err, closeWorld(ctx, world)) }()
	}

	parallel := wanted.Parallel
	if parallel == 0 {
		parallel = usualParallel()
	}
	options := check.Options{
		Checks: chosen, Deployments: world, Parallel: parallel, Copies: copies, Emit: emit, Keep: keeper(wanted),
		Readings: readings(catalogue), Roots: roots(check.Registered()), Reserve: reserve(check.Registered().All(), chosen, wanted), Quiet: quiet, Limit: limit(wanted), Observe: watch.exchange, Found: watch.finds, KeepServers: wanted.Keep, Seed: max(wanted.Seed, 1), Sessions: wanted.Sessions, Unshortened: wanted.Unshortened, Expected: wanted.Expected,
		Done: aftermath(settings, world.Servers, emit), KeepEvidence: settings.Debug || wanted.AllEvidence,
	}
	environment, err := environmentOf(ctx, wanted, options, settings, base.runtime)
	if err != nil {
		warn(err.Error())
	}
	runner := check.New(options)
	world.Within = runner.Within
	meeting := &meeting{runner: runner, world: world, wanted: wanted, chosen: chosen, warn: warn}
	candidate, err := meeting.hold(ctx)
	if err != nil {
		return err
	}
	emit(planned(chosen, candidate, environment))
	watch.monitor.Store(monitor.New(monitor.Options{
		Format: world.Facts().Format, OursKey: world.Peers.IsOurKey, OursEvent: world.Peers.IsOurs,
		Report: func(finding verdict.Finding) {
			watch.found.Store(finding.Check, true)
			emit(verdict.Event{Kind: verdict.KindFinding, Time: time.Now(), Finding: &finding})
		},
	}))
	err = runner.Run(ctx)
	runner.Wait()
	return err
}

// untilInterrupted passes on events until ctx ends. Of the events about the candidate, only final ones pass after that:
// servers are being stopped with the run, and what breaks because of that is not their fault.
func untilInterrupted(ctx context.Context, emit func(verdict.Event)) func(verdict.Event) {
	return func(event verdict.Event) {
		switch event.Kind {
		case verdict.KindCheckDone, verdict.KindFinding, verdict.KindServerDied:
			if final := event.Finding != nil && event.Finding.Step; ctx.Err() != nil && !final {
				return
			}
		}
		emit(event)
	}
}

// planned returns the event that says which checks will run, and what is known about the candidate and the environment.
func planned(chosen []*check.Check, candidate verdict.Candidate, environment verdict.Environment) verdict.Event {
	names := make([]string, len(chosen))
	for i, one := range chosen {
		names[i] = one.Name
	}
	return verdict.Event{Kind: verdict.KindPlan, Time: time.Now(), Total: len(chosen), Checks: names, Candidate: &candidate, Environment: &environment}
}

// closeWorld removes the run's servers and peers, also after an interruption.
func closeWorld(ctx context.Context, world *blueprints.World) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return world.Close(limited)
}

// readings returns an error for a reading that the catalogue does not list.
func readings(catalogue *requirements.Catalogue) check.Readings {
	return func(identifier, reading string) error {
		requirement, known := catalogue.Lookup(identifier)
		if !known {
			return fmt.Errorf("the catalogue has no requirement %q to observe", identifier)
		}
		if _, listed := requirement.Reading(reading); !listed {
			return fmt.Errorf("%s has no reading %q, only %s", identifier, reading, strings.Join(requirement.Slugs(), ", "))
		}
		return nil
	}
}

// watchers passes what the candidate sends to the passive monitors, as soon as they exist, and prints it if print is set.
type watchers struct {
	world   *blueprints.World
	monitor atomic.Pointer[monitor.Monitor]
	found   sync.Map                                         // the checks during which a monitor found something
	print   func(check string, exchange transcript.Exchange) // may be nil
}

func (w *watchers) exchange(name string, exchange transcript.Exchange) {
	if w.print != nil {
		w.print(name, exchange)
	}
	if monitors := w.monitor.Load(); monitors != nil {
		monitors.Exchange(name, exchange)
	}
}

// finds reports whether a monitor found something during a check, or may yet find it in what it saw.
func (w *watchers) finds(name string) bool {
	if _, found := w.found.Load(name); found {
		return true
	}
	monitors := w.monitor.Load()
	return monitors != nil && monitors.Suspects(name)
}

func (w *watchers) received(peer *federation.Peer, _ *federation.Room, _ string, event federation.Event) {
	monitors := w.monitor.Load()
	switch {
	case monitors == nil:
	case event.Format().Pseudonymous:
		monitors.PseudonymousEvent(w.world.CheckOf(peer), event.JSON())
	default:
		monitors.OrdinaryEvent(w.world.CheckOf(peer), event.JSON())
	}
}
