// Preparing a candidate, and the table of software that needs its own preparation.

package candidate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/runtime"
)

// Names of the runtimes.
const (
	docker  = "docker"
	process = "process"
)

// maker says how one software is prepared.
type maker struct {
	runtimes []string // in which runtimes it can be started
	prepare  func(context.Context, *task) (runtime.Artifact, error)
}

// makers returns the software that needs more than a Dockerfile. Everything else in dockerfiles/ is built by fromDockerfile.
func makers() map[string]maker {
	return map[string]maker{
		"dendrite":        {runtimes: []string{docker, process}, prepare: prepareDendrite},
		"synapse":         {runtimes: []string{docker}, prepare: prepareSynapse},
		"image":           {runtimes: []string{docker}, prepare: prepareImage},
		referenceSoftware: {runtimes: []string{docker, process}, prepare: prepareReference},
	}
}

// task is the preparation of one candidate for one runtime.
type task struct {
	root      string // the project's root folder
	candidate Candidate
	runtime   string
	progress  func(line string)
	cache     cache
}

// dir returns the software's folder.
func (t *task) dir() string { return filepath.Join(t.root, "dockerfiles", t.candidate.Software) }

// Runtimes returns the runtimes in which a candidate can be started: "docker", "process".
func Runtimes(candidate Candidate) []string {
	if maker, ok := makers()[candidate.Software]; ok {
		return maker.runtimes
	}
	return []string{docker}
}

// Prepare prepares a candidate for a runtime ("docker" or "process"): it builds what is missing, reuses what exists, and
// reports slow steps to progress. Even if it fails, it leaves nothing incomplete behind; after a SIGKILL the next Prepare
// or Sweep removes it. Until the calling process ends, Clean does not remove the result.
func Prepare(ctx context.Context, root string, candidate Candidate, runtimeName string, progress func(line string)) (runtime.Artifact, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if possible := Runtimes(candidate); !slices.Contains(possible, runtimeName) {
		return runtime.Artifact{}, fmt.Errorf("%s cannot be started in the %s runtime, only in %s; use --runtime %s",
			candidate.Name, runtimeName, strings.Join(possible, ", "), possible[0])
	}
	maker, ok := makers()[candidate.Software]
	if !ok {
		maker.prepare = fromDockerfile
	}
	return prepare(ctx, root, candidate, runtimeName, maker.prepare, progress)
}

// prepare prepares a candidate by make.
func prepare(
	ctx context.Context, root string, candidate Candidate, runtimeName string,
	make func(context.Context, *task) (runtime.Artifact, error), progress func(line string),
) (runtime.Artifact, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return runtime.Artifact{}, err
	}
	cache, err := openCache()
	if err != nil {
		return runtime.Artifact{}, err
	}
	_ = cache.sweep() // leftovers of killed builds are harmless; clean reports those that it cannot remove
	artifact, err := make(ctx, &task{
		root: root, candidate: candidate, runtime: runtimeName, progress: progress, cache: cache,
	})
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(context.Cause(ctx), err)
		}
		return runtime.Artifact{}, fmt.Errorf("cannot prepare %s: %w", candidate.Name, err)
	}
	artifact.Candidate = candidate.Name
	if artifact.Version == "" {
		artifact.Version = candidate.Version
	}
	return artifact, nil
}

// during calls work, reports every ten seconds that it is still running, and how long it took if that was a second or more.
func (t *task) during(what string, work func() error) error {
	t.progress(what)
	started := time.Now()
	done := make(chan error, 1)
	go func() { done <- work() }()
	ticker := time.NewTicker(10 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if took := time.Since(started); err == nil && took >= time.Second {
				t.progress(fmt.Sprintf("%s took %s", what, took.Round(time.Second)))
			}
			return err
		case <-ticker.C:
			t.progress(fmt.Sprintf("%s (%s)", what, time.Since(started).Round(time.Second)))
		}
	}
}
