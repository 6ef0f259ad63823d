// Waiting until a server is ready, and explaining why it is not.

package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"msc4014/runtime"
	"msc4014/runtime/readiness"
)

const (
	// tailLines is how many lines of the log a StartError has.
	tailLines = 40
	// usualStart is how long an engine takes to start a container on an idle machine.
	usualStart = 500 * time.Millisecond
	// longStart is how long a start by the engine may take without being mentioned in an error.
	longStart = 2 * time.Second
)

// awaitReady waits until the server is ready. It returns an error as soon as the server exits or its time is over:
// a *runtime.StartError if the server has failed. The time counts from when the engine has started the container, as
// startTook is not the server's fault.
func (s *server) awaitReady(ctx context.Context, life *life, startTook time.Duration) error {
	began := time.Now()
	if err := s.awaitAddresses(ctx, life); err != nil {
		return err
	}
	bound := s.runtime.bound(startTook)
	err := readiness.Await(ctx, bound, life.ended, s.ask)
	var late *readiness.LateError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, readiness.ErrEnded):
		return s.startError(ctx, began, s.howItEnded(life))
	case errors.As(err, &late):
		cause := late.Error()
		if bound.Why == "" && startTook > longStart {
			cause += fmt.Sprintf(" (before that, the engine took %s to start the container)", startTook.Round(100*time.Millisecond))
		}
		failure := s.startError(ctx, began, cause)
		failure.Late = true
		return failure
	default:
		return fmt.Errorf("start %s: %w", s.name, err)
	}
}

// bound returns how long a server may take to become ready if the engine took startTook to start its container. Unless the
// user has set it, it is extended up to fourfold on a busy machine.
func (r *Runtime) bound(startTook time.Duration) readiness.Bound {
	if chosen := r.options.Complement.SpawnTimeout; chosen > 0 {
		return readiness.Bound{Limit: chosen}
	}
	usual := readiness.DefaultTimeout
	slowness := min(max(float64(startTook)/float64(usualStart), 1), 4)
	limit := time.Duration(float64(usual) * slowness).Round(time.Second)
	if limit == usual {
		return readiness.Bound{Limit: usual}
	}
	return readiness.Bound{Limit: limit, Why: fmt.Sprintf("%s, and %s more because this machine is busy: the engine took %s instead of %s "+
		"to start the container; set COMPLEMENT_SPAWN_HS_TIMEOUT_SECS for a fixed time",
		usual, limit-usual, startTook.Round(100*time.Millisecond), usualStart)}
}

// awaitAddresses waits for the server's addresses, which the engine has as soon as the container runs. It returns nil if
// the server has exited meanwhile, and so has no addresses; awaitReady handles that.
func (s *server) awaitAddresses(ctx context.Context, life *life) error {
	bound := readiness.Bound{Limit: operationTimeout}
	err := readiness.Await(ctx, bound, life.ended, func(ctx context.Context) error {
		if err := s.readAddresses(ctx); err != nil {
			return &readiness.Problem{What: "the engine did not report its address", Detail: err.Error()}
		}
		return nil
	})
	if err == nil || errors.Is(err, readiness.ErrEnded) {
		return nil
	}
	return fmt.Errorf("start %s: %w", s.name, err)
}

// ask checks once whether the server is ready.
func (s *server) ask(ctx context.Context) error {
	if s.healthChecked {
		details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
		if err != nil || details.State.Health == nil || details.State.Health.Status != container.Healthy {
			return &readiness.Problem{What: "did not become healthy (the HEALTHCHECK of its image)"}
		}
	}
	return s.runtime.prober.Ask(ctx, readiness.Server{Name: s.name, Client: s.ClientURL(), Federation: s.FederationAddress()})
}

// howItEnded returns how a server ended before it was ready: its exit status, with an explanation if
// its image's command does not seem to be a server.
func (s *server) howItEnded(life *life) string {
	text := life.status + " before it was ready"
	if life.status == "exited with status 0" {
		text += fmt.Sprintf(": the command of its image, %q, exited by itself, but a homeserver must run until it is stopped",
			s.command)
	}
	return text
}

func (s *server) startError(ctx context.Context, began time.Time, cause string) *runtime.StartError {
	waited := time.Since(began)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return &runtime.StartError{
		Candidate: s.candidate, Server: s.name, Waited: waited, Cause: cause, LogTail: s.readLog(ctx, tailLines),
	}
}
