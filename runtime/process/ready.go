// Waiting until a server is ready.

package process

import (
	"context"
	"errors"
	"io"
	"os"

	"msc4014/runtime/readiness"
)

// waitUntilReady waits until the server is ready (runtime/readiness). It returns "" if it is, else why not.
func (s *server) waitUntilReady(ctx context.Context, life *life) (cause string) {
	target := readiness.Server{Name: s.address, Client: s.ClientURL(), Federation: s.FederationAddress()}
	bound := readiness.Bound{Limit: s.runtime.options.SpawnTimeout}
	err := readiness.Await(ctx, bound, life.ended, func(ctx context.Context) error {
		return s.runtime.prober.Ask(ctx, target)
	})
	var late *readiness.LateError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, readiness.ErrEnded):
		return life.status + " before it was ready"
	case errors.As(err, &late):
		return late.Error()
	default:
		return "was not awaited: " + err.Error()
	}
}

// readFrom reads a file from an offset. It returns "" if the file cannot be read.
func readFrom(path string, offset int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	data, _ := io.ReadAll(io.NewSectionReader(file, offset, 1<<62-offset))
	return string(data)
}
