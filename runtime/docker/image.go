package docker

// The image that a server runs.

import (
	"context"
	"fmt"

	"msc4014/runtime/docker/engine"
)

// ImageDigest returns the digest of the image that the server's container was created from.
func (s *server) ImageDigest(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	made, err := s.runtime.engine.ContainerInspect(ctx, s.id)
	if err != nil {
		return "", fmt.Errorf("inspect the container of %s: %w", s.name, err)
	}
	details, err := s.runtime.engine.ImageInspect(ctx, made.Image)
	if err != nil {
		return "", fmt.Errorf("inspect the image of %s: %w", s.name, err)
	}
	return engine.Digest(details), nil
}
