// Where what was built is kept, and how several runs share it.

package candidate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"msc4014/internal/filelock"
	"msc4014/runtime"
	"msc4014/runtime/gocommand"
)

// buildingPrefix begins the names of folders that are being made.
const buildingPrefix = ".building-"

// cache is the folder of programs that were built. Each finished folder was made beside its place and renamed into it,
// so it is whole. A lock file a folder, held exclusively while it is made and shared while it is in use, keeps two runs
// from building the same thing and tells dead builders from live ones: the kernel lets go of it when its holder dies.
type cache struct{ dir string }

func openCache() (cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return cache{}, fmt.Errorf("no folder for what is built: %w; set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(base, "msc4014", "programs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cache{}, fmt.Errorf("no folder for what is built: %w; set XDG_CACHE_HOME to a folder that can be written", err)
	}
	return cache{dir: dir}, nil
}

// folder returns the folder called name, made by fill if it is not there. fill is given a temporary folder.
func (c cache) folder(ctx context.Context, name string, progress func(string), fill func(dir string) error) (string, error) {
	place := filepath.Join(c.dir, name)
	exists := func() bool {
		_, err := os.Stat(place)
		return err == nil
	}
	return place, c.once(ctx, name, progress, exists, func() error {
		_ = c.removeLeftovers(name) // they are in nobody's way
		temporary, err := os.MkdirTemp(c.dir, buildingPrefix+name+"-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temporary) }()
		if err := fill(temporary); err != nil {
			gocommand.EndWorkers(temporary) // somebody may have killed the go command alone
			return err
		}
		if err := os.Chmod(temporary, 0o755); err != nil {
			return err
		}
		if err := os.Rename(temporary, place); err != nil && !exists() {
			return err
		}
		return nil
	})
}

// once calls do unless exists reports that it was done, by one process at a time for each name. The shared lock that it
// returns with ends with this process.
func (c cache) once(ctx context.Context, name string, progress func(string), exists func() bool, do func() error) error {
	lock, err := os.OpenFile(c.lockPath(name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(lockInterval)
	defer ticker.Stop()
	for waiting := false; ; {
		if filelock.Try(lock, filelock.Shared) == nil && exists() {
			filelock.Keep(lock)
			return nil
		}
		_ = filelock.Unlock(lock)
		if filelock.Try(lock, filelock.Exclusive) == nil {
			if !exists() {
				err := do()
				if err == nil && !exists() {
					err = cmp.Or(context.Cause(ctx), fmt.Errorf("%s was made and is not there", name))
				}
				if err != nil {
					_ = lock.Close()
					return err
				}
			}
			continue // one lock does not become another in one step: what was made may be removed in between
		}
		if !waiting {
			waiting = true
			progress("waiting for another run, which is making " + name)
		}
		select {
		case <-ctx.Done():
			_ = lock.Close()
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// lockInterval is how often once looks whether another process has made what it is asked for.
const lockInterval = 100 * time.Millisecond

// hold takes the shared lock of name for as long as this process lives, once no other process makes or removes it, and
// then asks whether it is still there. What has no lock was not made with this cache, and Clean leaves it alone.
func (c cache) hold(ctx context.Context, name string, exists func() bool) error {
	lock, err := os.OpenFile(c.lockPath(name), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := filelock.Wait(ctx, lock, filelock.Shared); err != nil {
		_ = lock.Close()
		return fmt.Errorf("wait until no other process makes or removes %s: %w", name, err)
	}
	if !exists() {
		_ = lock.Close()
		return fmt.Errorf("%s was removed before it could be used", name)
	}
	filelock.Keep(lock)
	return nil
}

// keep is hold where that can be had at once, for what this process could do without.
func (c cache) keep(name string) {
	lock, err := os.OpenFile(c.lockPath(name), os.O_RDWR, 0)
	if err != nil {
		return
	}
	if filelock.Try(lock, filelock.Shared) != nil {
		_ = lock.Close()
		return
	}
	filelock.Keep(lock)
}

// Hold keeps Clean from removing what an artifact consists of until this process ends: for a process that uses what
// another one has prepared, and may outlive it. It waits 30 s for one that is making or removing it.
func Hold(ctx context.Context, artifact runtime.Artifact) error {
	c, err := openCache()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if dir := filepath.Dir(artifact.Program); filepath.Dir(dir) == c.dir {
		return c.hold(ctx, filepath.Base(dir), func() bool {
			_, err := os.Stat(artifact.Program)
			return err == nil
		})
	}
	if !IsImage(artifact.Image) {
		return nil
	}
	engine, err := openEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.close()
	return c.hold(ctx, imageLock(artifact.Image), engine.hasImage(ctx, artifact.Image))
}

func (c cache) lockPath(name string) string { return filepath.Join(c.dir, name+".lock") }
