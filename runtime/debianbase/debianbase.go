// Package debianbase provides Debian's slim base images to candidates that need a distribution: the one that is
// present is used, else it is pulled if a registry answers, else it is bootstrapped from Debian's packages and imported
// under the same name.
package debianbase

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// A registry that does not answer must not hold up a run; one that does may be slow.
const (
	pullAnswers = 10 * time.Second
	pullStalls  = time.Minute
)

// Engine is what is asked of the container engine; *client.Client of github.com/docker/docker is one.
type Engine interface {
	ImageInspect(ctx context.Context, ref string, options ...client.ImageInspectOption) (image.InspectResponse, error)
	ImagePull(ctx context.Context, ref string, options image.PullOptions) (io.ReadCloser, error)
	ImageImport(ctx context.Context, source image.ImportSource, ref string, options image.ImportOptions) (io.ReadCloser, error)
}

// Options say how a base image is made where it is missing.
type Options struct {
	// Dir is an existing folder that the root file system (about 250 MB) is made in, in a folder of its own that is
	// removed afterwards. After a kill it is left to whoever removes Dir; nothing runs in it and nothing is mounted
	// there any more.
	Dir string
	// Labels are put on an image that was bootstrapped, never on one that was pulled.
	Labels map[string]string
	// Progress is told in a few words what takes long; nil: nobody is.
	Progress func(string)

	pullAnswers, pullStalls time.Duration // for tests
}

var suitePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Ensure returns the ID of the image debian:<suite>-slim ("sid", "trixie") and makes the image if it is missing:
// about 30 s from Debian's packages, for which it needs Linux, root, and debootstrap (installed by apt-get if missing).
func Ensure(ctx context.Context, engine Engine, suite string, options Options) (id string, err error) {
	if !suitePattern.MatchString(suite) {
		return "", fmt.Errorf("%q is no Debian suite", suite)
	}
	if options.Progress == nil {
		options.Progress = func(string) {}
	}
	if options.pullAnswers == 0 {
		options.pullAnswers, options.pullStalls = pullAnswers, pullStalls
	}
	name := Name(suite)
	id, err = Find(ctx, engine, suite)
	if err != nil || id != "" {
		return id, err
	}

	options.Progress("pulling " + name)
	pullErr := pull(ctx, engine, name, options)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if pullErr != nil {
		options.Progress(fmt.Sprintf("no registry gave %s; making it from Debian's packages (about 30 s)", name))
		if err := bootstrap(ctx, engine, suite, name, options); err != nil {
			return "", fmt.Errorf("%s is not in the engine, could not be pulled (%w) and could not be made from Debian's packages: %w",
				name, pullErr, err)
		}
	}
	if id, err = Find(ctx, engine, suite); err == nil && id == "" {
		err = fmt.Errorf("the engine has no %s although it was just made", name)
	}
	return id, err
}

// Name is the name of a suite's image: "debian:sid-slim" for "sid".
func Name(suite string) string { return "debian:" + suite + "-slim" }

// Find returns the ID of a suite's image, or "" if the engine does not have it.
func Find(ctx context.Context, engine Engine, suite string) (id string, err error) {
	found, err := engine.ImageInspect(ctx, Name(suite))
	switch {
	case errdefs.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look for the image %s: %w", Name(suite), err)
	}
	return found.ID, nil
}

// pull pulls the image name and gives up when the registry does not answer, or stops in the middle.
func pull(ctx context.Context, engine Engine, name string, options Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var heard atomic.Bool
	watchdog := time.AfterFunc(options.pullAnswers, func() {
		if heard.Load() {
			cancel(fmt.Errorf("the registry stopped answering for %s", options.pullStalls))
		} else {
			cancel(fmt.Errorf("no registry answered within %s", options.pullAnswers))
		}
	})
	defer watchdog.Stop()

	stream, err := engine.ImagePull(ctx, name, image.PullOptions{})
	if err == nil {
		err = readMessages(stream, func(message) {
			heard.Store(true)
			watchdog.Reset(options.pullStalls)
		})
		err = errors.Join(err, stream.Close())
	}
	if err != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return err
}

// message is one line of the engine's progress.
type message struct {
	Status string `json:"status"`
	Error  string `json:"error"`
}

// readMessages reads the engine's progress to its end and returns the error that the engine reports in it, if any.
func readMessages(stream io.Reader, each func(message)) error {
	decoder := json.NewDecoder(bufio.NewReader(stream))
	for {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the engine's progress: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		}
		each(m)
	}
}

// bootstrap makes the image from Debian's packages.
func bootstrap(ctx context.Context, engine Engine, suite, name string, options Options) (err error) {
	if options.Dir == "" {
		return errors.New("no folder for the root file system was given")
	}
	if err := canBootstrap(); err != nil {
		return err
	}
	keyring, err := needDebootstrap(ctx, options.Progress)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(options.Dir, "debootstrap-")
	if err != nil {
		return fmt.Errorf("make a folder for the root file system: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	root := filepath.Join(work, "root")
	if err := debootstrap(ctx, suite, root, keyring, options.Progress); err != nil {
		return err
	}
	if err := makeSlim(root); err != nil {
		return err
	}
	options.Progress("importing " + name)
	return importRoot(ctx, engine, root, name, options.Labels)
}
