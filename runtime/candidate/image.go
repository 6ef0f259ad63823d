// Images: found, built and pulled by a Docker engine.

package candidate

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"msc4014/runtime"
	dockerengine "msc4014/runtime/docker/engine"
)

// Label is on every image that this package builds; its value is the candidate's full name.
const Label = "msc4014.candidate"

// repository begins the names of the images that this package builds.
const repository = "msc4014/"

// unfinishedSuffix ends the tag of an intermediate image of a build.
const unfinishedSuffix = "-unlabelled"

// engine is a Docker engine that answers.
type engine struct {
	client   *client.Client
	platform platform
}

func openEngine(ctx context.Context) (*engine, error) {
	docker, err := dockerengine.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w; or use --runtime process", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	version, err := docker.ServerVersion(ctx)
	if err != nil {
		_ = docker.Close()
		return nil, fmt.Errorf("the container engine does not report its version: %w", err)
	}
	return &engine{client: docker, platform: platform{"linux", version.Arch}}, nil
}

func (e *engine) close() { _ = e.client.Close() }

// hasImage returns a function that reports whether the engine has an image.
func (e *engine) hasImage(ctx context.Context, name string) func() bool {
	return func() bool {
		_, err := e.client.ImageInspect(ctx, name)
		return err == nil
	}
}

// imageBuild describes how to build an image.
type imageBuild struct {
	fingerprint string            // of everything that it is made from
	arguments   map[string]string // build arguments
	programs    string            // the folder of the cache that the image is made from; "" for none
	// files returns the context: paths on disk by path in the context. It is called only if the image does not exist.
	files func(context.Context) (map[string]string, error)
}

// build finds the image, or builds it with the engine's classic builder.
func (e *engine) build(ctx context.Context, t *task, b imageBuild) (runtime.Artifact, error) {
	tag := repository + t.candidate.Software + ":" + strings.TrimPrefix(t.candidate.Version+"-", "-") + b.fingerprint
	err := t.cache.once(ctx, imageLock(tag), t.progress, e.hasImage(ctx, tag), func() error {
		files, err := b.files(ctx)
		if err != nil {
			return err
		}
		return t.during("building the image "+tag, func() error { return e.run(ctx, t, tag, files, b.arguments) })
	})
	if err != nil {
		return runtime.Artifact{}, err
	}
	if b.programs != "" {
		t.cache.keep(b.programs)
	}
	return e.artifact(ctx, tag)
}

// imageLock returns the name of the lock of an image that this package builds.
func imageLock(tag string) string { return "image-" + safeName(tag) }

// IsImage reports whether name is that of an image that this package builds.
func IsImage(name string) bool { return strings.HasPrefix(name, repository) }

// ofSources matches the images that are made of nothing but sources, which the last part of their names is the fingerprint of. Debian's
// packages change, so an image with them is not.
var ofSources = regexp.MustCompile(`^` + repository + `(?:` + dendriteSoftware + `|` + referenceSoftware + `):(?:[A-Za-z0-9._]+-)?[0-9a-f]{12}$`)

// IsOfSources reports whether name is that of an image that this package builds, and all images of that name are of the same sources, wherever
// they were built.
func IsOfSources(name string) bool { return ofSources.MatchString(name) }

func (e *engine) run(ctx context.Context, t *task, tag string, files, arguments map[string]string) error {
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }() // stops the writer if the engine stops reading
	go func() { _ = writer.CloseWithError(writeContext(writer, files)) }()
	name := t.candidate.FullName()
	buildArguments := map[string]*string{"CANDIDATE": &name}
	for argument, value := range arguments {
		buildArguments[argument] = &value
	}
	response, err := e.client.ImageBuild(ctx, reader, build.ImageBuildOptions{
		Version: build.BuilderV1, Tags: []string{tag}, Labels: map[string]string{Label: name},
		Remove: true, ForceRemove: true, BuildArgs: buildArguments,
	})
	if err != nil {
		return fmt.Errorf("the engine refused to build %s: %w", tag, err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := follow(response.Body, t.progress); err != nil {
		return fmt.Errorf("building %s: %w", tag, err)
	}
	return nil
}

// writeContext writes files as a tar archive. The same files give the same bytes.
func writeContext(to io.Writer, files map[string]string) error {
	archive := tar.NewWriter(to)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(archive, name, files[name]); err != nil {
			return err
		}
	}
	return archive.Close()
}

func addFile(archive *tar.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: info.Size(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// follow reads the engine's messages to their end. It passes build steps to progress; if the engine reports an error, it
// returns that with the last lines of output.
func follow(messages io.Reader, progress func(string)) error {
	const most = 30
	var lines []string
	decoder := json.NewDecoder(bufio.NewReader(messages))
	for {
		var message struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		switch err := decoder.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.Error != "":
			return fmt.Errorf("%s; the end of its output:\n%s", message.Error, strings.Join(lines, "\n"))
		}
		for line := range strings.Lines(message.Stream) {
			line = strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(line, "Step ") {
				progress(line)
			}
			if lines = append(lines, line); len(lines) > most {
				lines = lines[1:]
			}
		}
	}
}

func (e *engine) artifact(ctx context.Context, name string) (runtime.Artifact, error) {
	found, err := e.client.ImageInspect(ctx, name)
	if err != nil {
		return runtime.Artifact{}, err
	}
	artifact := runtime.Artifact{Image: name, Digest: dockerengine.Digest(found)}
	if found.Config != nil {
		artifact.Version = found.Config.Labels["org.opencontainers.image.version"]
	}
	return artifact, nil
}

// prepareImage prepares an arbitrary image, and pulls it if the engine does not have it.
func prepareImage(ctx context.Context, t *task) (runtime.Artifact, error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return runtime.Artifact{}, err
	}
	defer engine.close()
	name := t.candidate.Image
	switch _, err := engine.client.ImageInspect(ctx, name); {
	case err == nil:
		if err := t.cache.hold(ctx, imageLock(name), engine.hasImage(ctx, name)); err != nil {
			return runtime.Artifact{}, err
		}
		return engine.artifact(ctx, name)
	case !errdefs.IsNotFound(err):
		return runtime.Artifact{}, err
	}
	err = t.during("pulling "+name, func() error {
		messages, err := engine.client.ImagePull(ctx, name, image.PullOptions{})
		if err != nil {
			return err
		}
		defer func() { _ = messages.Close() }()
		return follow(messages, t.progress)
	})
	if err != nil {
		return runtime.Artifact{}, fmt.Errorf("the engine does not have the image %s, and it could not be pulled: %w", name, err)
	}
	return engine.artifact(ctx, name)
}
