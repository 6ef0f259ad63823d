// Where what was built is kept, and how several runs share it.

package candidate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

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
		c.removeLeftovers(name)
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

// once calls do unless exists says that it was done, by one process at a time for each name. The shared lock that it
// returns with ends with this process.
func (c cache) once(ctx context.Context, name string, progress func(string), exists func() bool, do func() error) error {
	// A bare descriptor: an os.File would be closed, and the lock be gone, when it is garbage.
	lock, err := unix.Open(c.lockPath(name), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", c.lockPath(name), err)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for waiting := false; ; waiting = true {
		if flock(lock, unix.LOCK_SH) == nil && exists() {
			return nil
		}
		_ = unix.Flock(lock, unix.LOCK_UN)
		if flock(lock, unix.LOCK_EX) == nil {
			break
		}
		if !waiting {
			progress("waiting for another run, which is making " + name)
		}
		select {
		case <-ctx.Done():
			_ = unix.Close(lock)
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	if !exists() {
		if err := do(); err != nil {
			_ = unix.Close(lock)
			return err
		}
	}
	return flock(lock, unix.LOCK_SH)
}

func flock(file int, how int) error {
	for {
		if err := unix.Flock(file, how|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (c cache) lockPath(name string) string { return filepath.Join(c.dir, name+".lock") }
