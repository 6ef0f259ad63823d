// Package engine connects to the container engine, and removes objects that carry a label from it.
package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
)

// LabelImages is a label of the networks of a run: the images of its servers, separated by spaces. It keeps them from being
// removed, even while the run has no container.
const LabelImages = "msc4014.images"

// pingTimeout is how long an engine may take to answer a ping.
const pingTimeout = 10 * time.Second

// contextVariable names a context of the docker command, whose library for them is not part of the engine's client.
const contextVariable = "DOCKER_CONTEXT"

// Named returns the variable that names an engine, and its value; both are "" if none does. DOCKER_HOST takes precedence, as for
// the docker command. An engine that was named must answer: another, or plain processes, would not test what was asked for.
func Named(environment func(string) string) (variable, value string) {
	if value := environment(client.EnvOverrideHost); value != "" {
		return client.EnvOverrideHost, value
	}
	if value := environment(contextVariable); value != "" && value != "default" {
		return contextVariable, value
	}
	return "", ""
}

// Connect returns a client for the engine that the DOCKER_* variables name (by default, at the local socket), with an API
// version that both sides support. If the engine does not answer, the error says what to do.
func Connect(ctx context.Context) (*client.Client, error) {
	if variable, value := Named(os.Getenv); variable == contextVariable {
		return nil, fmt.Errorf("contexts of the docker command, such as %q, are not read: set %s to the address that "+
			"`docker context inspect %s` shows, or unset %s", value, client.EnvOverrideHost, value, contextVariable)
	}
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

// IsPodman reports whether an engine that says version of itself is Podman.
func IsPodman(version types.Version) bool {
	return slices.ContainsFunc(version.Components, func(each types.ComponentVersion) bool { return each.Name == "Podman Engine" })
}

// IsRootless reports whether an engine, which described itself as info, does not run as root.
func IsRootless(ctx context.Context, cli *client.Client, info system.Info) (bool, error) {
	for _, option := range info.SecurityOptions {
		if slices.Contains(strings.Split(option, ","), "name=rootless") {
			return true, nil
		}
	}
	// Podman has a field of its own, which the client leaves out.
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return cli.Dialer()(ctx) }}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/v"+cli.ClientVersion()+"/info", nil)
	if err != nil {
		return false, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return false, fmt.Errorf("ask the engine whether it is rootless: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	var described struct{ Rootless bool }
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&described); err != nil {
		return false, fmt.Errorf("what the engine says of itself: %w", err)
	}
	return described.Rootless, nil
}

// Digest returns what identifies an image: its digest in a repository, else the engine's ID of it.
func Digest(details image.InspectResponse) string {
	if len(details.RepoDigests) > 0 {
		return details.RepoDigests[0]
	}
	return details.ID
}
