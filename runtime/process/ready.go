// Waiting until a server is ready.

package process

import (
	"context"
	"errors"
	"io"
	"os"

	"msc4014/runtime/readiness"
)

// waitUntilReady waits until the server is ready (runtime/readiness). It returns "" if it is, else why not, and
// whether that is for want of time.
func (s *server) waitUntilReady(ctx context.Context, life *life) (cause string, late bool) {
	target := readiness.Server{Name: s.address, Client: s.ClientURL(), Federation: s.FederationAddress()}
	bound := readiness.Bound{Limit: s.runtime.options.SpawnTimeout}
	err := readiness.Await(ctx, bound, life.ended, func(ctx context.Context) error {
		return s.runtime.prober.Ask(ctx, target)
	})
	var tooLate *readiness.LateError
	switch {
	case err == nil:
		return "", false
	case errors.Is(err, readiness.ErrEnded):
		return life.status + " before it was ready", false
	case errors.As(err, &tooLate):
		return tooLate.Error(), true
	default:
		return "was not awaited: " + err.Error(), false
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
