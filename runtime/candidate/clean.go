// What killed builds leave behind, and removing everything that was built.

package candidate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"msc4014/runtime/gocommand"
)

// Sweep removes what builds that were killed left behind: temporary folders, and compilers that still work for them.
// Builds that live are left alone.
func Sweep() error {
	cache, err := openCache()
	if err != nil {
		return err
	}
	return cache.sweep()
}

func (c cache) sweep() error {
	temporaries, err := filepath.Glob(filepath.Join(c.dir, buildingPrefix+"*"))
	if err != nil {
		return err
	}
	for _, temporary := range temporaries {
		name := strings.TrimPrefix(filepath.Base(temporary), buildingPrefix)
		if end := strings.LastIndex(name, "-"); end > 0 {
			name = name[:end]
		}
		_ = c.ifUnused(name, func() error {
			c.removeLeftovers(name)
			return nil
		})
	}
	return nil
}

// Clean removes everything that was built with this user's cache, programs and images, but for what a live run uses, and
// says what it removed. Without a Docker engine it removes the programs.
func Clean(ctx context.Context) (removed []string, err error) {
	if err := Sweep(); err != nil {
		return nil, err
	}
	cache, err := openCache()
	if err != nil {
		return nil, err
	}
	var problems []error
	locks, err := filepath.Glob(cache.lockPath("*"))
	problems = append(problems, err)
	for _, lock := range locks {
		name := strings.TrimSuffix(filepath.Base(lock), ".lock")
		place := filepath.Join(cache.dir, name)
		if _, err := os.Stat(place); err != nil {
			continue
		}
		problems = append(problems, cache.ifUnused(name, func() error {
			removed = append(removed, place)
			return os.RemoveAll(place)
		}))
	}
	images, err := cleanImages(ctx, cache)
	return append(removed, images...), errors.Join(append(problems, err)...)
}

// ifUnused calls do while no other process makes or uses what is called name; else it does nothing.
func (c cache) ifUnused(name string, do func() error) error {
	// The lock file itself stays: whoever removed it could not tell who has it open.
	lock, err := unix.Open(c.lockPath(name), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", c.lockPath(name), err)
	}
	defer func() { _ = unix.Close(lock) }()
	if flock(lock, unix.LOCK_EX) != nil {
		return nil
	}
	return do()
}

// removeLeftovers removes the temporary folders of name. The caller holds its lock, so whoever made them is dead.
func (c cache) removeLeftovers(name string) {
	temporaries, _ := filepath.Glob(filepath.Join(c.dir, buildingPrefix+name+"-*"))
	for _, temporary := range temporaries {
		gocommand.EndWorkers(temporary)
		_ = os.RemoveAll(temporary)
	}
}
