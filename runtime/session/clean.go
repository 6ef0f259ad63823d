// Removing what dead runs left behind, without touching a run that is alive.

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/client"

	"msc4014/internal/filelock"
	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine"
)

// CleanDead removes everything that runs which were killed have left on this machine: their processes, engine objects
// and folders, objects of this state folder whose run is unknown, and what an interrupted build left. Runs that are
// alive are not touched, nor runs that were told to be kept. Several cleaners may work at once. progress is told, in one
// line each, what was removed and what could not be looked at. The error joins what could not be removed.
func CleanDead(ctx context.Context, progress func(string)) error {
	return cleanRuns(ctx, false, false, progress)
}

// CleanOptions say what Clean removes beside the leftovers of dead runs and kept runs.
type CleanOptions struct {
	// Builds: the programs and images that were built for candidates, which a first run takes minutes to build.
	Builds bool
	// All: what dead runs with other state folders, or on other machines, left in the engine.
	All bool
}

// Clean is CleanDead, and more: kept runs go too, and what the options name. Nothing that a live run uses is touched,
// whichever state folder it has; progress is told what was left, and why.
func Clean(ctx context.Context, options CleanOptions, progress func(string)) error {
	if _, err := StateDir(); err != nil {
		return err // and nothing that was built goes either
	}
	err := cleanRuns(ctx, true, options.All, progress)
	if !options.Builds {
		return err
	}
	return errors.Join(err, candidate.Clean(ctx, progress))
}

// cleanTimeout bounds what cleaning up may take; an engine that hangs must not keep a run from beginning.
const cleanTimeout = 3 * time.Minute

// cleanRuns removes what dead runs left. asked says that a person asked for it: kept runs go, too, and what is left is told.
func cleanRuns(ctx context.Context, asked, others bool, progress func(string)) error {
	state, err := StateDir()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	eng := newLazyEngine(ctx)
	defer eng.close()
	var problems []error

	problems = append(problems, emptyTrash(state), candidate.Sweep())
	dead, err := claimDead(ctx, state, asked)
	problems = append(problems, err)
	for _, run := range dead {
		progress("removing what the run " + run.id + " left behind")
		if err := removeRun(ctx, run.dir, eng, progress); err != nil {
			problems = append(problems, fmt.Errorf("run %s: %w", run.id, err))
		}
		_ = run.lock.Close()
	}
	if asked {
		problems = append(problems, tellForeign(state, progress))
	}

	cli, err := eng.connect()
	if err != nil {
		const what = "containers, networks and volumes were not looked at"
		switch {
		case asked && (others || os.Getenv(client.EnvOverrideHost) != ""): // there is an engine, by what was asked
			problems = append(problems, fmt.Errorf(what+": %w", err))
		case asked: // a run that made containers has said it already
			progress(what + ": " + err.Error())
		}
		return errors.Join(problems...)
	}
	problems = append(problems,
		removeOrphans(ctx, cli, state, others, progress),
		removeBuildLeftovers(ctx, cli, progress))
	return errors.Join(problems...)
}

// tellForeign says what in the state folder is not the suite's, and so stays.
func tellForeign(state string, progress func(string)) error {
	names, err := foreign(state)
	for _, name := range names {
		progress(fmt.Sprintf("left %q: it is not of this suite", filepath.Join(state, name)))
	}
	return err
}

// deadRun is a run that nobody holds any more but this cleaner, by its lock.
type deadRun struct {
	id, dir string
	lock    *os.File
}

// claimDead takes the locks of all runs that are dead, so that no second cleaner works on them.
func claimDead(ctx context.Context, state string, keptToo bool) ([]deadRun, error) {
	release, err := lockState(ctx, state)
	if err != nil {
		return nil, err
	}
	defer release()
	names, err := runFolders(runsDir(state))
	if err != nil {
		return nil, err
	}
	var dead []deadRun
	var problems []error
	for _, name := range names {
		dir := filepath.Join(runsDir(state), name)
		if isKept(dir) && !keptToo {
			continue
		}
		// A folder without a lock is a run that was killed while it was made: Open makes both under the state's lock.
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended just now
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("look whether run %s is alive: %w", name, err))
			continue
		}
		switch err := filelock.Try(lock, filelock.Exclusive); {
		case err == nil && !isSameFile(lock): // it ended just now
		case err == nil:
			dead = append(dead, deadRun{id: name, dir: dir, lock: lock})
			continue
		case !errors.Is(err, filelock.ErrLocked):
			problems = append(problems, fmt.Errorf("look whether run %s is alive: %w", name, err))
		}
		_ = lock.Close()
	}
	return dead, errors.Join(problems...)
}

// isSameFile reports whether the open file is still the one at its path.
func isSameFile(file *os.File) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(file.Name())
	return err == nil && os.SameFile(opened, now)
}

// removeRun removes everything of the run in dir, whose lock the caller holds, and at last the folder. If something is
// left the folder is left, so that the next cleaner tries again.
func removeRun(ctx context.Context, dir string, eng *lazyEngine, progress func(string)) error {
	ended, err := endProcesses(ctx, dir)
	if ended > 0 {
		progress(fmt.Sprintf("ended %d of its processes", ended))
	}
	if err != nil {
		return err
	}
	if making, err := os.ReadDir(filepath.Join(dir, engineName)); err == nil {
		cli, err := eng.connect()
		if err != nil {
			return fmt.Errorf("its containers and networks could not be removed, so its folder %s stays: %w", dir, err)
		}
		var awaited []string
		for _, object := range making {
			awaited = append(awaited, object.Name())
		}
		removed, err := engine.Remove(ctx, cli, LabelRun+"="+filepath.Base(dir), awaited...)
		if removed > 0 {
			progress(fmt.Sprintf("removed %d of its containers, networks and volumes", removed))
		}
		if err != nil {
			return err
		}
	}
	// Out of the way first: a cleaner that found the folder without its lock would take it for a run killed while made.
	gone := filepath.Join(trashDir(filepath.Dir(filepath.Dir(dir))), filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil {
		return fmt.Errorf("remove its folder: %w", err)
	}
	return removeFolder(gone)
}
