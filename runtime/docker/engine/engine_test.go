package engine

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnectSaysWhatToDo(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "silent.sock")
	listener, err := net.Listen("unix", silent)
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	for host, want := range map[string]string{
		"unix:///nowhere/docker.sock": "start it",
		"unix://" + silent:            "docker info",
		"nonsense":                    "does not name a usable container engine",
	} {
		t.Setenv("DOCKER_HOST", host)
		limit := time.Minute
		if want == "docker info" {
			limit = 100 * time.Millisecond // it never answers
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := Connect(ctx)
		cancel()
		require.ErrorContains(t, err, want)
	}
}

// A context names an engine, too: using the local socket in its place would test on another machine than was asked for.
func TestContextsAreRefused(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "remote")
	_, err := Connect(t.Context())
	require.EqualError(t, err, `contexts of the docker command, such as "remote", are not read: set DOCKER_HOST to the address that `+
		"`docker context inspect remote` shows, or unset DOCKER_CONTEXT")

	for name, environment := range map[string]map[string]string{
		"DOCKER_CONTEXT": {"DOCKER_CONTEXT": "remote"},
		"DOCKER_HOST":    {"DOCKER_CONTEXT": "remote", "DOCKER_HOST": "tcp://127.0.0.1:1"}, // as for the docker command
		"":               {"DOCKER_CONTEXT": "default"},
	} {
		variable, value := Named(func(name string) string { return environment[name] })
		require.Equal(t, name, variable)
		require.Equal(t, environment[name], value)
	}
}
