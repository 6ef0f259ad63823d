// Waiting until a server that was started is ready, and telling why it is not.

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/docker/docker/api/types/container"

	"msc4014/runtime"
	"msc4014/runtime/complement"
)

const (
	pollInterval = 20 * time.Millisecond
	// A request that hangs must not eat up the deadline, as the next one might be answered.
	pollTimeout = 5 * time.Second
	// tailLines is how much of a log stands in a StartError.
	tailLines = 40
	// usualStart is how long an engine takes to start a container where nothing else keeps the machine busy.
	usualStart = 500 * time.Millisecond
)

var errNoAnswer = errors.New("did not answer GET /_matrix/client/versions")

// prober asks for /versions. Each request has a connection of its own, straight to the server.
var prober = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil},
	Timeout:   pollTimeout,
}

// awaitReady returns when the server is ready, and at once when it has exited. Its errors are *runtime.StartError if the
// server is to blame. The timeout counts from when the engine has started it: how long that takes is not its fault.
func (s *server) awaitReady(ctx context.Context, life *life, timeout time.Duration) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	began := time.Now()
	if err := s.awaitAddresses(ctx, life, tick.C); err != nil {
		return err
	}
	timed, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	last := errNoAnswer
	for {
		problem := s.isReady(timed)
		if problem == nil {
			return nil
		}
		if timed.Err() == nil { // else it is the deadline's doing that there was no answer
			last = problem
		}
		select {
		case <-life.ended:
			return s.startError(ctx, began, s.howItEnded(ctx, life)+" before it was ready")
		case <-timed.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("start %s: given up: %w", s.name, ctx.Err())
			}
			return s.startError(ctx, began, fmt.Sprintf("%s within %s", last, timeout))
		case <-tick.C:
		}
	}
}

// patience is how long a server may take to become ready whose container the engine took so long to start. Unless the
// timeout was chosen, it lengthens, up to fourfold, on a machine that is short of time just now.
func (r *Runtime) patience(startTook time.Duration) time.Duration {
	timeout := r.options.Complement.SpawnTimeout
	if timeout != complement.DefaultSpawnTimeout {
		return timeout
	}
	slowness := float64(startTook) / float64(usualStart)
	return time.Duration(float64(timeout) * min(max(slowness, 1), 4)).Round(time.Second)
}

// awaitAddresses learns where the server is reached, which the engine knows as soon as the container runs. A server
// that has exited meanwhile has no addresses, and is left to awaitReady.
func (s *server) awaitAddresses(ctx context.Context, life *life, tick <-chan time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for {
		err := s.readAddresses(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-life.ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w", s.name, err)
		case <-tick:
		}
	}
}

// isReady says, as what the server did not do, why it is not ready.
func (s *server) isReady(ctx context.Context) error {
	if s.healthChecked {
		details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
		if err != nil || details.State.Health == nil || details.State.Health.Status != container.Healthy {
			return errors.New("did not become healthy (the HEALTHCHECK of its image)")
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ClientURL()+"/_matrix/client/versions", nil)
	if err != nil {
		return err
	}
	response, err := prober.Do(request)
	if err != nil {
		return errNoAnswer
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered GET /_matrix/client/versions with nothing better than status %d", response.StatusCode)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)); err != nil {
		return errors.New("broke off its answer to GET /_matrix/client/versions")
	}
	return nil
}

// howItEnded is the exit status, and whether memory was short.
func (s *server) howItEnded(ctx context.Context, life *life) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if details, err := s.runtime.engine.ContainerInspect(ctx, s.id); err == nil && details.State.OOMKilled {
		return life.status + " (the kernel killed it for want of memory)"
	}
	return life.status
}

func (s *server) startError(ctx context.Context, began time.Time, cause string) error {
	waited := time.Since(began)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return &runtime.StartError{
		Candidate: s.candidate, Server: s.name, Waited: waited, Cause: cause, LogTail: s.readLog(ctx, tailLines),
	}
}
