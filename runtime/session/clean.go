// Removing what dead runs left behind, without affecting live runs.

package session

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"msc4014/internal/filelock"
	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine"
)

// CleanDead removes everything that killed runs left on this machine: their processes, engine objects and folders, objects
// of this state folder whose run is unknown, and leftovers of interrupted builds. It does not affect live runs and kept
// runs. Several cleaners may work at the same time. It calls progress with a line for each thing that it removed, or could
// not check. The error joins what could not be removed.
func CleanDead(ctx context.Context, progress func(string)) error {
	return cleanRuns(ctx, false, false, progress)
}

// CleanOptions say what Clean removes in addition to the leftovers of dead runs, and kept runs.
type CleanOptions struct {
	// Builds removes the programs and images that were built for candidates, which take minutes to build again.
	Builds bool
	// All removes what dead runs with other state folders, or on other machines, left in the engine.
	All bool
}

// Clean is like CleanDead, but also removes kept runs and what the options select. It does not affect anything that a live
// run uses, even with another state folder, and reports to progress what it left and why.
func Clean(ctx context.Context, options CleanOptions, progress func(string)) error {
	if _, err := StateDir(); err != nil {
		return err // do not remove builds either
	}
	err := cleanRuns(ctx, true, options.All, progress)
	if !options.Builds {
		return err
	}
	return errors.Join(err, candidate.Clean(ctx, progress))
}

// cleanTimeout bounds cleaning up, so that an engine that hangs does not keep a run from beginning.
const cleanTimeout = 3 * time.Minute

// cleanRuns removes what dead runs left. If a user requested it, it also removes kept runs, and reports what it left.
func cleanRuns(ctx context.Context, requested, others bool, progress func(string)) error {
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
	dead, err := claimDead(ctx, state, requested)
	problems = append(problems, err)
	for _, run := range dead {
		progress("removing what the run " + run.id + " left behind")
		if err := removeRun(ctx, run.dir, eng, progress); err != nil {
			problems = append(problems, fmt.Errorf("run %s: %w", run.id, err))
		}
		_ = run.lock.Close()
	}
	if requested {
		problems = append(problems, reportForeign(state, progress))
	}

	cli, err := eng.connect()
	if err != nil {
		const what = "containers, networks and volumes were not checked"
		named, _ := engine.Named(os.Getenv)
		switch {
		case requested && (others || named != ""): // the user expects an engine
			problems = append(problems, fmt.Errorf(what+": %w", err))
		case requested: // otherwise a run that created containers reports it
			progress(what + ": " + err.Error())
		}
		return errors.Join(problems...)
	}
	problems = append(problems,
		removeOrphans(ctx, cli, state, others, progress),
		removeBuildLeftovers(ctx, cli, progress))
	return errors.Join(problems...)
}

// reportForeign reports what is in the state folder but is not the suite's, and so stays.
func reportForeign(state string, progress func(string)) error {
	names, err := foreign(state)
	for _, name := range names {
		progress(fmt.Sprintf("left %q: it does not belong to this suite", filepath.Join(state, name)))
	}
	return err
}

// deadRun is a run whose lock is held only by this cleaner.
type deadRun struct {
	id, dir string
	lock    *os.File
}

// claimDead takes the locks of all dead runs, so that no other cleaner works on them.
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
		// A folder without a lock is of a run that was killed while opening: Open creates both under the state folder's lock.
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("check whether run %s is alive: %w", name, err))
			continue
		}
		switch err := filelock.Try(lock, filelock.Exclusive); {
		case err == nil && !isSameFile(lock): // it has just ended
		case err == nil:
			dead = append(dead, deadRun{id: name, dir: dir, lock: lock})
			continue
		case !errors.Is(err, filelock.ErrLocked):
			problems = append(problems, fmt.Errorf("check whether run %s is alive: %w", name, err))
		}
		_ = lock.Close()
	}
	return dead, errors.Join(problems...)
}

// isSameFile reports whether an open file is still the one at its path.
func isSameFile(file *os.File) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(file.Name())
	return err == nil && os.SameFile(opened, now)
}

// removeRun removes everything of the run in dir, whose lock the caller holds, the folder last. If anything else cannot be
// removed, it keeps the folder, so that the next cleaner tries again.
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
			return fmt.Errorf("its containers and networks could not be removed, so its folder %s is kept: %w", dir, err)
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
	// Move it first: a cleaner that found the folder without its lock would consider it a run that was killed while opening.
	gone := filepath.Join(trashDir(filepath.Dir(filepath.Dir(dir))), filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil {
		if _, there := os.Lstat(dir); errors.Is(there, fs.ErrNotExist) {
			return nil // a suite's binary that was interrupted has removed its run
		}
		return fmt.Errorf("remove its folder: %w", err)
	}
	return removeFolder(gone)
}
