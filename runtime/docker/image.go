package docker

// Which image a server runs.

import (
	"context"
	"fmt"

	"msc4014/runtime/docker/engine"
)

// ImageDigest is the digest of the image that the server's container was made of.
func (s *server) ImageDigest(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	made, err := s.runtime.engine.ContainerInspect(ctx, s.id)
	if err != nil {
		return "", fmt.Errorf("look at the container of %s: %w", s.name, err)
	}
	details, err := s.runtime.engine.ImageInspect(ctx, made.Image)
	if err != nil {
		return "", fmt.Errorf("look at the image of %s: %w", s.name, err)
	}
	return engine.Digest(details), nil
}
