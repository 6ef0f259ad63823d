package candidate

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"msc4014/runtime"
)

// synapseVersionFile is in the image and written by its Dockerfile: the version of Debian's package of Synapse.
const synapseVersionFile = "/synapse/version"

func prepareSynapse(ctx context.Context, t *task) (runtime.Artifact, error) {
	return t.onDebian(ctx, sid, func(engine *engine, tag string, build imageBuild) error {
		return engine.buildWithVersion(ctx, t, tag, build)
	})
}

// buildWithVersion builds an image twice. The first build shows which version Debian has; the second puts that on the label
// that artifact reads, and takes every other step from the engine's cache.
func (e *engine) buildWithVersion(ctx context.Context, t *task, tag string, b imageBuild) error {
	files, err := b.files(ctx)
	if err != nil {
		return err
	}
	first := tag + unfinishedSuffix
	err = t.during("building the image "+tag+" (the first time takes minutes)", func() error {
		return e.run(ctx, t, first, files, b.arguments)
	})
	if err != nil {
		return err
	}
	version, err := e.readFile(ctx, first, synapseVersionFile)
	if err != nil {
		return fmt.Errorf("cannot read the version of Synapse in %s: %w", first, err)
	}
	b.arguments["PACKAGE_VERSION"] = strings.TrimSpace(version)
	silent := *t
	silent.progress = func(string) {}
	if err := e.run(ctx, &silent, tag, files, b.arguments); err != nil {
		return err
	}
	_, err = e.client.ImageRemove(ctx, first, image.RemoveOptions{PruneChildren: true})
	return err
}

// readFile reads a small file of an image, through a container that is never started.
func (e *engine) readFile(ctx context.Context, imageName, path string) (text string, err error) {
	made, err := e.client.ContainerCreate(ctx, &container.Config{Image: imageName}, nil, nil, nil, "")
	if err != nil {
		return "", err
	}
	defer func() {
		options := container.RemoveOptions{Force: true, RemoveVolumes: true}
		err = errors.Join(err, e.client.ContainerRemove(context.WithoutCancel(ctx), made.ID, options))
	}()
	packed, _, err := e.client.CopyFromContainer(ctx, made.ID, path)
	if err != nil {
		return "", err
	}
	defer func() { _ = packed.Close() }()
	archive := tar.NewReader(packed)
	if _, err := archive.Next(); err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(archive, 4096))
	return string(data), err
}
