// The cache of built programs, and how several runs share it.

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

// buildingPrefix begins the names of folders that are being filled.
const buildingPrefix = ".building-"

// cache is the folder of built programs. Each folder in it is filled under a temporary name and then renamed, so it is
// complete. A lock file for each folder, held exclusively while the folder is made and shared while it is in use, keeps
// two runs from building the same thing and tells dead builders from live ones: the kernel releases it when its holder
// dies.
type cache struct{ dir string }

func openCache() (cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return cache{}, fmt.Errorf("no cache folder for built programs: %w; set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(base, "msc4014", "programs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return cache{}, fmt.Errorf("no cache folder for built programs: %w; set XDG_CACHE_HOME to a writable folder", err)
	}
	return cache{dir: dir}, nil
}

// folder returns the path of the folder called name; fill fills it, under a temporary name, if it does not exist.
func (c cache) folder(ctx context.Context, name string, progress func(string), fill func(dir string) error) (string, error) {
	place := filepath.Join(c.dir, name)
	exists := func() bool {
		_, err := os.Stat(place)
		return err == nil
	}
	return place, c.once(ctx, name, progress, exists, func() error {
		_ = c.removeLeftovers(name) // harmless if they remain
		temporary, err := os.MkdirTemp(c.dir, buildingPrefix+name+"-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temporary) }()
		if err := fill(temporary); err != nil {
			gocommand.EndWorkers(temporary) // the go command may have been killed without its compilers
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

// once calls do unless exists reports that it was done, in one process at a time for each name. It returns holding a
// shared lock, which this process keeps until it ends.
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
					err = cmp.Or(context.Cause(ctx), fmt.Errorf("%s was built, but does not exist", name))
				}
				if err != nil {
					_ = lock.Close()
					return err
				}
			}
			continue // locks cannot be downgraded atomically: the result may be removed in between
		}
		if !waiting {
			waiting = true
			progress("waiting for another run, which is building " + name)
		}
		select {
		case <-ctx.Done():
			_ = lock.Close()
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// lockInterval is how often once checks whether another process has finished.
const lockInterval = 100 * time.Millisecond

// hold waits until no other process makes or removes name, takes its shared lock until this process ends, and returns an
// error if name no longer exists. Without a lock file, name was not made with this cache, and Clean ignores it.
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
		return fmt.Errorf("waiting until no other process makes or removes %s: %w", name, err)
	}
	if !exists() {
		_ = lock.Close()
		return fmt.Errorf("%s was removed before it could be used", name)
	}
	filelock.Keep(lock)
	return nil
}

// keep is like hold, but does nothing if the lock is not available immediately. It is for what is useful, not necessary.
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

// Hold keeps Clean from removing an artifact's files or image until this process ends. It is for a process that uses what
// another process prepared, and that may outlive it. It waits at most 30 s for a process that makes or removes them.
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
