// Waiting until a server that was started is ready, and telling why it is not.

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
	// tailLines is how much of a log stands in a StartError.
	tailLines = 40
	// usualStart is how long an engine takes to start a container where nothing else keeps the machine busy.
	usualStart = 500 * time.Millisecond
	// longStart is worth telling of.
	longStart = 2 * time.Second
)

// awaitReady returns when the server is ready, and at once when it has exited. Its errors are *runtime.StartError if the
// server is to blame. The time counts from when the engine has started it: how long that took is not the server's fault.
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
		return s.startError(ctx, began, s.howItEnded(ctx, life))
	case errors.As(err, &late):
		cause := late.Error()
		if bound.Why == "" && startTook > longStart {
			cause += fmt.Sprintf(" (before that, the engine took %s to start the container)", startTook.Round(100*time.Millisecond))
		}
		return s.startError(ctx, began, cause)
	default:
		return fmt.Errorf("start %s: %w", s.name, err)
	}
}

// bound is how long a server may take to become ready whose container the engine took so long to start. Unless somebody
// chose it, it lengthens, up to fourfold, on a machine that is short of time just now.
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
	return readiness.Bound{Limit: limit, Why: fmt.Sprintf("%s, and %s more because this machine is busy: the engine took %s to start "+
		"the container, and not %s; COMPLEMENT_SPAWN_HS_TIMEOUT_SECS sets a time that is never lengthened",
		usual, limit-usual, startTook.Round(100*time.Millisecond), usualStart)}
}

// awaitAddresses learns where the server is reached, which the engine knows as soon as the container runs. A server
// that has exited meanwhile has no addresses, and is left to awaitReady.
func (s *server) awaitAddresses(ctx context.Context, life *life) error {
	bound := readiness.Bound{Limit: operationTimeout}
	err := readiness.Await(ctx, bound, life.ended, func(ctx context.Context) error {
		if err := s.readAddresses(ctx); err != nil {
			return &readiness.Problem{What: "the engine did not say where it is reached", Detail: err.Error()}
		}
		return nil
	})
	if err == nil || errors.Is(err, readiness.ErrEnded) {
		return nil
	}
	return fmt.Errorf("start %s: %w", s.name, err)
}

// ask asks the server once whether it is ready.
func (s *server) ask(ctx context.Context) error {
	if s.healthChecked {
		details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
		if err != nil || details.State.Health == nil || details.State.Health.Status != container.Healthy {
			return &readiness.Problem{What: "did not become healthy (the HEALTHCHECK of its image)"}
		}
	}
	return s.runtime.prober.Ask(ctx, readiness.Server{Name: s.name, Client: s.ClientURL(), Federation: s.FederationAddress()})
}

// howItEnded tells how a server ended that should have become ready: its exit status, whether memory was short, and whether
// its image has a server for its command at all.
func (s *server) howItEnded(ctx context.Context, life *life) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	text := life.status + " before it was ready"
	details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
	switch {
	case err != nil:
	case details.State.OOMKilled:
		text = life.status + " (the kernel killed it for want of memory) before it was ready"
	case life.status == "exited with status 0":
		text += fmt.Sprintf(": the command of its image, %q, ended by itself, where a homeserver would go on until it is stopped",
			s.command)
	}
	return text
}

func (s *server) startError(ctx context.Context, began time.Time, cause string) error {
	waited := time.Since(began)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return &runtime.StartError{
		Candidate: s.candidate, Server: s.name, Waited: waited, Cause: cause, LogTail: s.readLog(ctx, tailLines),
	}
}
