package check

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

// interruptible is a run that its checks may interrupt, with its events.
type interruptible struct {
	interrupt context.CancelCauseFunc
	servers   fakeServers
	mu        sync.Mutex
	changed   chan struct{} // closed and replaced by each event
	events    []verdict.Event
}

var errInterrupted = errors.New("interrupted")

func (i *interruptible) run(t *testing.T, parallel int, checks ...*Check) map[string]verdict.Verdict {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	i.interrupt, i.changed = cancel, make(chan struct{})
	runner := New(Options{
		Checks: checks, Deployments: &i.servers, Parallel: parallel, Quiet: 50 * time.Millisecond, Limit: 10 * time.Second, FinalChecks: 2 * time.Second,
		Emit: func(event verdict.Event) {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.events = append(i.events, event)
			close(i.changed)
			i.changed = make(chan struct{})
		},
	})
	if err := runner.Run(ctx); err != nil {
		assert.ErrorIs(t, err, errInterrupted)
	}
	runner.Wait()
	for _, each := range i.servers.made {
		assert.True(t, each.closed.Load(), "%s was left behind", each.id)
	}
	final := map[string]verdict.Verdict{}
	for _, event := range i.events {
		if event.Kind == verdict.KindCheckFinal {
			assert.NotContains(t, final, event.Check, "two final results")
			final[event.Check] = event.Result.Verdict
		}
	}
	return final
}

// await waits until each of these checks has an event of the kind.
func (i *interruptible) await(c *C, kind verdict.EventKind, checks ...string) {
	for {
		i.mu.Lock()
		missing := map[string]bool{}
		for _, name := range checks {
			missing[name] = true
		}
		for _, event := range i.events {
			if event.Kind == kind {
				delete(missing, event.Check)
				if event.Finding != nil {
					delete(missing, event.Finding.Check)
				}
			}
		}
		changed := i.changed
		i.mu.Unlock()
		if len(missing) == 0 {
			return
		}
		select {
		case <-changed:
		case <-c.Context().Done():
			c.FailNow()
		}
	}
}

// interrupts is a check that interrupts the run when others have ended, does something to its server, and fails by it.
func (i *interruptible) interrupts(does func(*fakeServer), after ...string) *Check {
	return named("interrupted", func(c *C, server *fakeServer) {
		i.await(c, verdict.KindCheckDone, after...)
		i.interrupt(errInterrupted)
		does(server)
		<-c.Context().Done()
		c.Errorf("broken by the interruption")
	})
}

func nothing(*fakeServer) {}

func TestInterruptedRunKeepsWhatIsFinal(t *testing.T) {
	var i interruptible
	final := i.run(t, 3, i.interrupts(nothing, "a", "b"), harmless("a", false), harmless("b", true), stayingUp())
	assert.Equal(t, map[string]verdict.Verdict{"a": verdict.Pass, "b": verdict.Fail}, final)
	for _, event := range i.events {
		assert.False(t, event.Kind == verdict.KindCheckDone && event.Check == "interrupted", "it did not end")
	}
}

// TestInterruptedRunKeepsNothingOfABrokenServer: a server that dies with the run has not passed a final health check.
func TestInterruptedRunKeepsNothingOfABrokenServer(t *testing.T) {
	for name, breaks := range map[string]func(*fakeServer){
		"died": func(server *fakeServer) { server.die(Death{Cause: "exited with status 0"}) },
		"hung": func(server *fakeServer) { server.hung.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			var i interruptible
			elsewhere := &Check{Name: "elsewhere", Requires: []string{"a/b"}, Body: func(c *C) { c.Deploy("another", false) }}
			final := i.run(t, 4, i.interrupts(breaks, "a", "b", "elsewhere"), harmless("a", false), harmless("b", true), elsewhere)
			assert.Equal(t, map[string]verdict.Verdict{"elsewhere": verdict.Pass}, final)
		})
	}
}

// timedServer is a server that notes how long its health check may take.
type timedServer struct {
	*fakeServer
	allowed time.Duration
}

func (l *timedServer) New(context.Context, string) (Deployment, error) { return l, nil }
func (l *timedServer) Health(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	l.allowed = time.Until(deadline)
	return nil
}

func TestFinalChecksAreBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := &timedServer{fakeServer: &fakeServer{died: make(chan struct{})}, allowed: time.Hour}
	runner := New(Options{
		Deployments: server, Emit: func(verdict.Event) {}, FinalChecks: time.Second, Quiet: time.Millisecond,
		Checks: []*Check{{Name: "a", Requires: []string{"a/b"}, Body: func(c *C) {
			c.Deploy("shared", false)
			cancel()
		}}},
	})
	assert.Error(t, runner.Run(ctx))
	runner.Wait()
	assert.LessOrEqual(t, server.allowed, time.Second)
}

func TestVerdictsAreFinalAsSoonAsTheyCanBe(t *testing.T) {
	var i interruptible
	private := &Check{Name: "private", Requires: []string{"a/b"}, Body: func(c *C) { c.Deploy("private", true) }}
	none := &Check{Name: "none", Requires: []string{"a/b"}, Body: func(c *C) { c.Errorf("no") }}
	final := i.run(t, 4, private, none, deadly("deadly", 0), named("shared", func(c *C, _ *fakeServer) {
		i.await(c, verdict.KindCheckFinal, "private", "none", "deadly")
	}))
	assert.Equal(t, map[string]verdict.Verdict{
		"private": verdict.Pass, "none": verdict.Fail, "deadly": verdict.Pass, "shared": verdict.Pass,
	}, final)
}

func TestInterruptedRunKeepsACulprit(t *testing.T) {
	var i interruptible
	final := i.run(t, 2, deadly("culprit", 1), named("interrupted", func(c *C, _ *fakeServer) {
		i.await(c, verdict.KindFinding, "culprit")
		i.interrupt(errInterrupted)
		<-c.Context().Done()
	}))
	assert.Equal(t, map[string]verdict.Verdict{"culprit": verdict.Fail}, final)
}

// TestDeathInAnInterruptedTrialIsNotBlamed: the interruption may have ended the trial's server.
func TestDeathInAnInterruptedTrialIsNotBlamed(t *testing.T) {
	var i interruptible
	var times atomic.Int64
	final := i.run(t, 2, harmless("a", false), named("suspect", func(c *C, server *fakeServer) {
		if times.Add(1) == 1 {
			i.await(c, verdict.KindCheckDone, "a")
		} else {
			i.interrupt(errInterrupted)
		}
		server.die(Death{Cause: "exited with status 2"})
		<-c.Context().Done()
	}))
	assert.Empty(t, final)
	for _, event := range i.events {
		assert.NotEqual(t, verdict.KindFinding, event.Kind, "%v", event.Finding)
	}
}
