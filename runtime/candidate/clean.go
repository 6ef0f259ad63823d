// Removing what killed builds leave behind, and what was built.

package candidate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"

	"msc4014/internal/filelock"
	dockerengine "msc4014/runtime/docker/engine"
	"msc4014/runtime/gocommand"
)

// cleanTimeout bounds the duration of Clean and Built, in case the engine hangs.
const cleanTimeout = 3 * time.Minute

// Sweep removes what killed builds left behind: temporary folders, and compilers that still write to them. It does not
// touch live builds.
func Sweep() error {
	cache, err := openCache()
	if err != nil {
		return err
	}
	return cache.sweep()
}

func (c cache) sweep() error {
	temporaries, err := filepath.Glob(filepath.Join(c.dir, buildingPrefix+"*"))
	problems := []error{err}
	for _, temporary := range temporaries {
		name := strings.TrimPrefix(filepath.Base(temporary), buildingPrefix)
		if end := strings.LastIndex(name, "-"); end > 0 {
			name = name[:end]
		}
		_, err := c.ifUnused(name, func() error { return c.removeLeftovers(name) })
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Built returns what was built with this user's cache and still exists: the folders of programs, and the images if an
// engine answers.
func Built(ctx context.Context) (programs, images []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	cache, err := openCache()
	if err != nil {
		return nil, nil, err
	}
	if programs, err = cache.programs(); err != nil {
		return nil, nil, err
	}
	engine, err := openEngine(ctx)
	if err != nil {
		return programs, nil, nil
	}
	defer engine.close()
	found, err := engine.built(ctx)
	for _, one := range found {
		if cache.made(one.lock) {
			images = append(images, one.tag)
		}
	}
	return programs, images, err
}

// Clean removes the programs and images that were built with this user's cache, except those that a live run uses or
// makes. It calls progress with a line for each thing that it removed, or left and why. Without an engine it removes only
// the programs.
func Clean(ctx context.Context, progress func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, cleanTimeout)
	defer cancel()
	cache, err := openCache()
	if err != nil {
		return err
	}
	problems := []error{cache.sweep()}
	names, err := cache.programs()
	problems = append(problems, err)
	for _, name := range names {
		place := filepath.Join(cache.dir, name)
		problems = append(problems, cache.remove(name, "the programs "+place, progress, func() error { return os.RemoveAll(place) }))
	}
	return errors.Join(append(problems, cleanImages(ctx, cache, progress))...)
}

// programs returns the names of the folders of programs.
func (c cache) programs() ([]string, error) {
	locks, err := filepath.Glob(c.lockPath("*"))
	var names []string
	for _, lock := range locks {
		name := strings.TrimSuffix(filepath.Base(lock), ".lock")
		if info, err := os.Lstat(filepath.Join(c.dir, name)); err == nil && info.IsDir() {
			names = append(names, name)
		}
	}
	return names, err
}

// made reports whether something with this lock was made or used with this cache.
func (c cache) made(lock string) bool {
	_, err := os.Stat(c.lockPath(lock))
	return err == nil
}

// remove calls do and reports what as removed, unless another process makes or uses name.
func (c cache) remove(name, what string, progress func(string), do func() error) error {
	unused, err := c.ifUnused(name, do)
	switch {
	case err != nil:
		return fmt.Errorf("remove %s: %w", what, err)
	case unused:
		progress("removed " + what)
	default:
		progress("left " + what + ": a live run uses or makes it")
	}
	return nil
}

// ifUnused calls do if no other process makes or uses name, and keeps others from it meanwhile; else it returns false.
func (c cache) ifUnused(name string, do func() error) (unused bool, err error) {
	// The lock file itself stays: there is no telling which other processes have it open.
	lock, err := os.OpenFile(c.lockPath(name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }()
	switch err := filelock.Try(lock, filelock.Exclusive); {
	case errors.Is(err, filelock.ErrLocked):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("lock %s: %w", c.lockPath(name), err)
	}
	return true, do()
}

// removeLeftovers removes the temporary folders of name. The caller holds its lock, so the process that made them is dead.
func (c cache) removeLeftovers(name string) error {
	temporaries, err := filepath.Glob(filepath.Join(c.dir, buildingPrefix+name+"-*"))
	problems := []error{err}
	for _, temporary := range temporaries {
		gocommand.EndWorkers(temporary)
		problems = append(problems, os.RemoveAll(temporary))
	}
	return errors.Join(problems...)
}

// builtImage is one tag of an image that this package built.
type builtImage struct{ tag, id, lock string }

// built returns the images that this package built, with any cache.
func (e *engine) built(ctx context.Context) ([]builtImage, error) {
	images, err := e.client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", Label))})
	if err != nil {
		return nil, fmt.Errorf("list the images: %w", err)
	}
	var all []builtImage
	for _, found := range images {
		for _, tag := range found.RepoTags {
			if IsImage(tag) {
				all = append(all, builtImage{tag: tag, id: found.ID, lock: imageLock(strings.TrimSuffix(tag, unfinishedSuffix))})
			}
		}
	}
	return all, nil
}

// used returns the IDs of the images of all containers, and the names of images that runs, with any cache, are labelled as
// using.
func (e *engine) used(ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	containers, err := e.client.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	for _, found := range containers {
		used[found.ImageID] = true
	}
	networks, err := e.client.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("label", dockerengine.LabelImages))})
	if err != nil {
		return nil, fmt.Errorf("list the networks: %w", err)
	}
	for _, found := range networks {
		for name := range strings.FieldsSeq(found.Labels[dockerengine.LabelImages]) {
			used[name] = true
		}
	}
	return used, nil
}

// cleanImages removes the images that were built with this cache, except those in use.
func cleanImages(ctx context.Context, cache cache, progress func(string)) error {
	engine, err := openEngine(ctx)
	if err != nil {
		progress("images were not checked: no container engine answers")
		return nil
	}
	defer engine.close()
	images, err := engine.built(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, one := range images {
		what := "the image " + one.tag
		if !cache.made(one.lock) { // its lock is in another cache
			progress("left " + what + ": it was built by another user, or with another XDG_CACHE_HOME")
			continue
		}
		// Checked again for each image, as removing takes time. A process that starts to use the image after this holds its lock.
		used, err := engine.used(ctx)
		if err != nil {
			return errors.Join(append(problems, err)...)
		}
		if used[one.id] || used[one.tag] {
			progress("left " + what + ": a container or a live run uses it")
			continue
		}
		problems = append(problems, cache.remove(one.lock, what, progress, func() error {
			_, err := engine.client.ImageRemove(ctx, one.tag, image.RemoveOptions{PruneChildren: true})
			return err
		}))
	}
	// Remove layers of interrupted builds. Those of a running build are newer than this.
	_, err = engine.client.ImagesPrune(ctx, filters.NewArgs(
		filters.Arg("dangling", "true"), filters.Arg("label", Label), filters.Arg("until", "2h")))
	if errdefs.IsConflict(err) {
		err = nil // another process is pruning them
	}
	return errors.Join(append(problems, err)...)
}
