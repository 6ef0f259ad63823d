package docker

// The configuration that a server runs with, read from its container.

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"

	"msc4014/runtime"
)

// longestConfiguration bounds what is read of a server's configuration, in bytes.
const longestConfiguration = 1 << 20

// Configuration returns the file that the image's label names.
func (s *server) Configuration(ctx context.Context) (name string, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	details, err := s.runtime.inspectImage(ctx, s.runtime.artifacts.For(s.host).Image)
	if err != nil || details.Config == nil || details.Config.Labels[runtime.ConfigurationLabel] == "" {
		return "", nil, err
	}
	file := details.Config.Labels[runtime.ConfigurationLabel]
	fail := func(err error) (string, []byte, error) {
		return "", nil, fmt.Errorf("read the configuration %s of %s, which the label %s of its image names: %w",
			file, s.name, runtime.ConfigurationLabel, err)
	}
	packed, _, err := s.runtime.engine.CopyFromContainer(ctx, s.id, file)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = packed.Close() }()
	archive := tar.NewReader(packed)
	if _, err := archive.Next(); err != nil {
		return fail(err)
	}
	text, err = io.ReadAll(io.LimitReader(archive, longestConfiguration))
	if err != nil {
		return fail(err)
	}
	return path.Base(file), text, nil
}
