// Package engine connects to the container engine, and removes objects that carry a label from it.
package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// LabelImages is a label of the networks of a run: the images of its servers, separated by spaces. It keeps them from being
// removed, even while the run has no container.
const LabelImages = "msc4014.images"

// pingTimeout is how long an engine may take to answer a ping.
const pingTimeout = 10 * time.Second

// Connect returns a client for the engine that the DOCKER_* variables name (by default, at the local socket), with an API
// version that both sides support. If the engine does not answer, the error says what to do.
func Connect(ctx context.Context) (*client.Client, error) {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("the environment (DOCKER_HOST, DOCKER_CERT_PATH ...) does not name a usable container engine: %w", err)
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
		return "this user may not use it; join the group docker, or run as another user"
	case strings.Contains(text, "context deadline exceeded"):
		return fmt.Sprintf("it took longer than %s; check whether it is running (docker info)", pingTimeout)
	default:
		return "start it (systemctl start docker), or set DOCKER_HOST to its address " +
			"(docker context inspect shows the address of a context)"
	}
}

// Digest returns what identifies an image: its digest in a repository, else the engine's ID of it.
func Digest(details image.InspectResponse) string {
	if len(details.RepoDigests) > 0 {
		return details.RepoDigests[0]
	}
	return details.ID
}
