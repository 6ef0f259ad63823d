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
