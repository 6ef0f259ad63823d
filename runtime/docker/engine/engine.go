// Package engine is the door to the container engine: how to reach it, and how to remove what carries a label from it.
package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// LabelImages is on the networks of a run: the images that its servers are made of, separated by spaces, so that whoever
// removes images leaves them, also while the run has no container.
const LabelImages = "msc4014.images"

// pingTimeout is how long an engine may take to say that it is there.
const pingTimeout = 10 * time.Second

// Connect reaches the engine that the DOCKER_* variables name (the local socket without them), settles on an API version
// that both sides know, and returns the client. The error of an engine that does not answer says what to do.
func Connect(ctx context.Context) (*client.Client, error) {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("the environment (DOCKER_HOST, DOCKER_CERT_PATH ...) names no usable container engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if _, err := cli.Ping(ctx); err != nil {
		_ = cli.Close()
		return nil, fmt.Errorf("no container engine answers at %s: %w; %s", cli.DaemonHost(), err, advice(err))
	}
	return cli, nil
}

func advice(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "permission denied"):
		return "this user may not use it: join the group docker, or run as a user who may"
	case strings.Contains(text, "context deadline exceeded"):
		return fmt.Sprintf("it took longer than %s: look whether it is alive (docker info)", pingTimeout)
	default:
		return "start it (systemctl start docker), or set DOCKER_HOST to where it listens " +
			"(docker context inspect shows the address of a context)"
	}
}

// Digest is what tells an image from every other: its digest in a repository, else the engine's ID of it.
func Digest(details image.InspectResponse) string {
	if len(details.RepoDigests) > 0 {
		return details.RepoDigests[0]
	}
	return details.ID
}
