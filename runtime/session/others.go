// Engine objects of runs without a folder in this state folder, and whether these runs are alive.

package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"msc4014/internal/filelock"
	"msc4014/runtime/docker/engine"
)

// leaseTime is how long a run whose folder cannot be read counts as alive after it has created its last object. It is
// longer than any run takes.
const leaseTime = 24 * time.Hour

// remains are the engine objects of one run.
type remains struct {
	run, host, state string // by its labels
	objects          []engine.Object
}

// removeOrphans removes labelled objects of dead runs without a folder here, which the engine created after the cleaner of
// their run had listed objects for the last time. A run's folder exists from before its first object until after its last
// one, so an object without a folder belongs to no live run. With others, it also removes objects of other state folders and
// machines if their run is dead, and reports to progress which it left and why.
func removeOrphans(ctx context.Context, cli client.APIClient, state string, others bool, progress func(string)) error {
	objects, err := engine.List(ctx, cli, LabelRun)
	if err != nil {
		return err
	}
	var problems []error
	for _, left := range orphans(objects, state, others) {
		dead, why, release := left.isDead(state, time.Now())
		if !dead {
			if others {
				progress(fmt.Sprintf("left %d containers, networks and volumes of the run %q: %s", len(left.objects), left.run, why))
			}
			continue
		}
		removed, err := engine.Remove(ctx, cli, LabelRun+"="+left.run)
		if removed > 0 {
			progress(fmt.Sprintf("removed %d containers, networks and volumes of the unknown run %s (%s)", removed, left.run, why))
		}
		problems = append(problems, err)
		release()
	}
	return errors.Join(problems...)
}

// orphans groups the objects by run, sorted, and leaves out runs with a folder in state, whose lock shows whether they are
// alive. It leaves out runs of other state folders and machines unless others is set. This machine before its last boot is
// not another machine.
func orphans(objects []engine.Object, state string, others bool) []remains {
	byRun := map[string]remains{}
	for _, object := range objects {
		run := object.Labels[LabelRun]
		left := byRun[run]
		left.run, left.host, left.state = run, object.Labels[LabelHost], object.Labels[LabelState]
		left.objects = append(left.objects, object)
		byRun[run] = left
	}
	var all []remains
	for _, left := range byRun {
		ours := left.state == state && (left.host == HostIdentity() || left.endedByBoot())
		if left.run == "" || !ours && !others {
			continue
		}
		if runName.MatchString(left.run) {
			if _, err := os.Lstat(filepath.Join(runsDir(state), left.run)); err == nil {
				continue
			}
		}
		all = append(all, left)
	}
	slices.SortFunc(all, func(a, b remains) int { return cmp.Compare(a.run, b.run) })
	return all
}

// isDead reports whether the run has certainly ended, and why, or why it may be alive. The caller must call release after it
// has removed what is left of a dead run.
func (r remains) isDead(state string, now time.Time) (dead bool, why string, release func()) {
	release = func() {}
	switch {
	case !runName.MatchString(r.run):
		return false, "this is not the ID of a run of this suite", release
	case r.host == HostIdentity() && r.state == state:
		return true, "it has no folder", release
	case r.host == HostIdentity():
		dir := filepath.Join(r.state, runsName, r.run)
		lock, err := lockElsewhere(dir)
		switch {
		case err == nil && isKept(dir):
			_ = lock.Close()
			return false, fmt.Sprintf("it is kept; use clean with %s=%s to remove it", StateVariable, r.state), release
		case errors.Is(err, filelock.ErrLocked):
			return false, "it is alive, with the state folder " + r.state, release
		case errors.Is(err, os.ErrNotExist):
			return true, "it has no folder in " + r.state, release
		case err == nil:
			return true, "it is dead in " + r.state, func() { _ = lock.Close() }
		}
		dead, why = r.leaseIsOver(now, "its state folder cannot be read: "+err.Error())
	case r.endedByBoot():
		return true, "this machine has been rebooted since", release
	default:
		dead, why = r.leaseIsOver(now, "it is on another machine, "+r.host)
	}
	return dead, why, release
}

// lockElsewhere takes the lock of a run in another state folder.
func lockElsewhere(dir string) (*os.File, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("%q is not an absolute path", dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := filelock.Try(lock, filelock.Exclusive); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// endedByBoot reports whether the run was on a machine with this machine's host name, and this machine has been booted since.
// As another machine may have the same name, all objects of the run must be older than the boot, and none may be running.
func (r remains) endedByBoot() bool {
	boot := bootTime()
	if !isEarlierBoot(r.host) || boot.IsZero() {
		return false
	}
	return !slices.ContainsFunc(r.objects, func(object engine.Object) bool {
		return object.Running || object.Created.IsZero() || !object.Created.Before(boot)
	})
}

// leaseIsOver reports whether a run whose folder cannot be read has created nothing for so long that it is dead. unknown
// says why the folder cannot be read.
func (r remains) leaseIsOver(now time.Time, unknown string) (over bool, why string) {
	var until time.Time
	for _, object := range r.objects {
		lease, err := time.Parse(time.RFC3339, object.Labels[LabelLease])
		switch {
		case err == nil:
		case object.Created.IsZero():
			return false, unknown + "; its age is unknown"
		default:
			lease = object.Created.Add(leaseTime)
		}
		if lease.After(until) {
			until = lease
		}
	}
	if now.After(until) {
		return true, unknown + "; its last lease ended at " + until.UTC().Format(time.RFC3339)
	}
	return false, unknown + "; it counts as alive until " + until.UTC().Format(time.RFC3339)
}
