// The way from a candidate to an artifact, and the table of those who know it.

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

// maker knows how one software is made ready.
type maker struct {
	runtimes []string // in which runtimes it can be started
	prepare  func(context.Context, *task) (runtime.Artifact, error)
}

// makers has the software that needs more than a Dockerfile. Everything else in dockerfiles/ is made by fromDockerfile.
func makers() map[string]maker {
	return map[string]maker{
		"dendrite":        {runtimes: []string{docker, process}, prepare: prepareDendrite},
		"synapse":         {runtimes: []string{docker}, prepare: prepareSynapse},
		"image":           {runtimes: []string{docker}, prepare: prepareImage},
		referenceSoftware: {runtimes: []string{docker, process}, prepare: prepareReference},
	}
}

// task is one candidate to be made ready for one runtime.
type task struct {
	root      string // the project
	candidate Candidate
	runtime   string
	progress  func(line string)
	cache     cache
}

// dir is the software's folder.
func (t *task) dir() string { return filepath.Join(t.root, "dockerfiles", t.candidate.Software) }

// Runtimes says in which runtimes a candidate can be started: "docker", "process".
func Runtimes(candidate Candidate) []string {
	if maker, ok := makers()[candidate.Software]; ok {
		return maker.runtimes
	}
	return []string{docker}
}

// Prepare makes a candidate ready for a runtime ("docker" or "process"): it builds what is missing, finds what is there
// already, and says through progress what takes long. Whether or not it ends well, nothing half-made stays behind; after
// a SIGKILL the next Prepare, or Sweep, removes it. Until the calling process ends, Clean leaves the result alone.
func Prepare(ctx context.Context, root string, candidate Candidate, runtimeName string, progress func(line string)) (runtime.Artifact, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if possible := Runtimes(candidate); !slices.Contains(possible, runtimeName) {
		return runtime.Artifact{}, fmt.Errorf("%s cannot be started in the %s runtime, only in: %s; use --runtime %s",
			candidate.Name, runtimeName, strings.Join(possible, ", "), possible[0])
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return runtime.Artifact{}, err
	}
	cache, err := openCache()
	if err != nil {
		return runtime.Artifact{}, err
	}
	_ = cache.sweep() // what killed builds left is in nobody's way; clean says what it cannot remove
	maker, ok := makers()[candidate.Software]
	if !ok {
		maker.prepare = fromDockerfile
	}
	artifact, err := maker.prepare(ctx, &task{
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

// during calls work, says every ten seconds that it goes on, and in the end how long it took if that was long.
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
