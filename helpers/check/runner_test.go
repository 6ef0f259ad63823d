package check

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// fakeServer is a fake deployment: checks poison it, and it dies or hangs like a server.
type fakeServer struct {
	id     string
	died   chan struct{}
	once   sync.Once
	mu     sync.Mutex
	death  Death
	hung   atomic.Bool // answers nothing
	cutOff atomic.Bool // does not federate any more
	deaf   atomic.Bool // does not answer the watch, but is healthy
	doses  atomic.Int64
	closed atomic.Bool
	ends   atomic.Pointer[Death] // it dies of this when it is asked for its health: after the check that is to blame has ended
}

func (f *fakeServer) ID() string            { return f.id }
func (f *fakeServer) Died() <-chan struct{} { return f.died }
func (f *fakeServer) Log(int) string        { return "panic: runtime error\n" }
func (f *fakeServer) MarkDead(cause string) { f.die(Death{Cause: cause, Silent: true}) }
func (f *fakeServer) Close(context.Context) error {
	f.closed.Store(true)
	return nil
}
func (f *fakeServer) Death() Death {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.death
}
func (f *fakeServer) die(death Death) {
	f.once.Do(func() {
		f.mu.Lock()
		f.death = death
		f.mu.Unlock()
		close(f.died)
	})
}
func (f *fakeServer) Answers(ctx context.Context) error {
	if f.hung.Load() || f.deaf.Load() {
		<-ctx.Done()
		return errors.New("hs1 did not answer")
	}
	return nil
}
func (f *fakeServer) Federates(context.Context) error {
	if f.cutOff.Load() {
		return errors.New("an event to a healthy peer: none came")
	}
	return nil
}
func (f *fakeServer) Talks(ctx context.Context) error { return f.Health(ctx) }
func (f *fakeServer) Works(ctx context.Context) error { return f.Health(ctx) }
func (f *fakeServer) Health(ctx context.Context) error {
	if f.hung.Load() {
		<-ctx.Done()
		return errors.New("no answer")
	}
	if death := f.ends.Load(); death != nil {
		f.die(*death)
	}
	if isClosed(f.died) {
		return errors.New("connection refused")
	}
	return nil
}

// fakeServers makes deployments and counts them.
type fakeServers struct {
	mu    sync.Mutex
	made  []*fakeServer
	error error
	asks  func(ctx context.Context) error // a request of each start, or nil
}

func (f *fakeServers) New(ctx context.Context, blueprint string) (Deployment, error) {
	if f.asks != nil {
		if err := f.asks(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.error != nil {
		return nil, f.error
	}
	fresh := &fakeServer{id: fmt.Sprintf("d%d of %s", len(f.made)+1, blueprint), died: make(chan struct{})}
	f.made = append(f.made, fresh)
	return fresh, nil
}

// quietMachine makes the machine look quiet.
func quietMachine() float64 { return 1 }

// longLimit is longer than anything takes here, however busy the machine is.
const longLimit = 5 * time.Minute

// outcomeOf runs checks and returns the final results by name, and the servers that were used.
func outcomeOf(t *testing.T, parallel int, checks ...*Check) (map[string]verdict.CheckResult, *fakeServers) {
	t.Helper()
	return outcomeOnCopies(t, 1, parallel, checks...)
}

// outcomeOnCopies is outcomeOf with up to so many shared deployments of a blueprint.
func outcomeOnCopies(t *testing.T, copies, parallel int, checks ...*Check) (map[string]verdict.CheckResult, *fakeServers) {
	t.Helper()
	var mu sync.Mutex
	final := map[string]verdict.CheckResult{}
	servers := &fakeServers{}
	runner := New(Options{
		Checks: checks, Deployments: servers, Parallel: parallel, Copies: func(string) int { return copies }, Quiet: 400 * time.Millisecond, Limit: longLimit, Silence: 100 * time.Millisecond,
		Slowness: quietMachine,
		Emit: func(event verdict.Event) {
			if event.Kind != verdict.KindCheckFinal {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			assert.NotContains(t, final, event.Check, "two final results")
			final[event.Check] = *event.Result
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	for _, each := range servers.made {
		assert.True(t, each.closed.Load(), "%s was left behind", each.id)
	}
	assert.Len(t, final, len(checks))
	return final, servers
}

func named(name string, body func(*C, *fakeServer)) *Check {
	return &Check{Name: name, Requires: []string{"chapter/" + name}, Body: func(c *C) {
		body(c, c.Deploy("one server", false).(*fakeServer))
	}}
}

// harmless is a check that uses the deployment for a while and has a verdict of its own.
func harmless(name string, fails bool) *Check {
	return named(name, func(c *C, server *fakeServer) {
		select {
		case <-c.Context().Done():
			c.Errorf("interrupted")
		case <-time.After(30 * time.Millisecond):
		}
		if fails {
			c.Errorf("its own reason")
		}
	})
}

func stayingUp() *Check {
	return &Check{Name: "stays up", Requires: []string{StaysUp}, Closing: true}
}

func TestHealthyRunSharesOneDeployment(t *testing.T) {
	final, servers := outcomeOf(t, 4, harmless("a", false), harmless("b", true), stayingUp())
	assert.Equal(t, verdict.Pass, final["a"].Verdict)
	assert.Equal(t, verdict.Fail, final["b"].Verdict)
	assert.Equal(t, "its own reason", final["b"].Reason)
	assert.Equal(t, verdict.Pass, final["stays up"].Verdict)
	assert.Len(t, servers.made, 1)
}

func TestSlowChecksMayTakeLonger(t *testing.T) {
	left := map[string]time.Duration{}
	looks := func(name string) *Check {
		return named(name, func(c *C, _ *fakeServer) {
			deadline, _ := c.Context().Deadline()
			left[name] = time.Until(deadline)
		})
	}
	slow := looks("slow")
	slow.Slow = time.Second
	outcomeOf(t, 1, slow, looks("other"))
	assert.Greater(t, left["slow"], left["other"]+4*time.Second)
}

func TestSlowChecksDoNotWaitForEachOther(t *testing.T) {
	var came atomic.Int64
	allAreHere := make(chan struct{})
	var checks []*Check
	for i := range slowPlaces {
		one := named(fmt.Sprintf("slow %d", i), func(c *C, _ *fakeServer) {
			if came.Add(1) == slowPlaces {
				close(allAreHere)
			}
			select {
			case <-allAreHere:
			case <-c.Context().Done():
				c.Errorf("waited for the others in vain")
			}
		})
		one.Slow = time.Second
		checks = append(checks, one)
	}
	final, _ := outcomeOf(t, 2, checks...)
	for _, result := range final {
		assert.Equal(t, verdict.Pass, result.Verdict, result.Name)
	}
}

// crowd is a culprit among harmless checks, one of which fails.
func crowd(culprit *Check) []*Check {
	checks := []*Check{harmless("a", false), harmless("b", true), culprit}
	for i := range 6 {
		checks = append(checks, harmless(fmt.Sprintf("late %d", i), i == 3))
	}
	return append(checks, stayingUp())
}

func assertCrowd(t *testing.T, final map[string]verdict.CheckResult) {
	t.Helper()
	for name, result := range final {
		switch name {
		case "culprit", "stays up", "b", "late 3":
			assert.Equal(t, verdict.Fail, result.Verdict, name)
		default:
			assert.Equal(t, verdict.Pass, result.Verdict, name)
		}
	}
	assert.Equal(t, "its own reason", final["b"].Reason)
	assert.Contains(t, final["culprit"].Reason, "server died")
	assert.Contains(t, final["stays up"].Reason, `"culprit"`)
}

func TestServerThatExitsAtOnce(t *testing.T) {
	final, _ := outcomeOf(t, 4, crowd(named("culprit", func(c *C, server *fakeServer) {
		server.die(Death{Cause: "exited with status 2"})
		<-c.Context().Done()
	}))...)
	assertCrowd(t, final)
}

func TestServerThatExitsAfterItAnswered(t *testing.T) {
	final, _ := outcomeOf(t, 4, crowd(named("culprit", func(_ *C, server *fakeServer) {
		server.ends.Store(&Death{Cause: "exited with status 2"})
	}))...)
	assertCrowd(t, final)
}

func TestServerThatHangs(t *testing.T) {
	final, _ := outcomeOf(t, 4, crowd(named("culprit", func(c *C, server *fakeServer) {
		server.hung.Store(true)
		<-c.Context().Done() // like a request without an answer
		assert.NotErrorIs(t, context.Cause(c.Context()), context.DeadlineExceeded, "noticed before the check's own time is over")
		c.Errorf("no answer")
	}))...)
	assertCrowd(t, final)
	assert.Contains(t, final["culprit"].Reason, "fell silent")
}

func TestServerThatIsBusyAndHealthy(t *testing.T) {
	final, servers := outcomeOf(t, 2, named("a", func(c *C, server *fakeServer) {
		server.deaf.Store(true)
		defer server.deaf.Store(false)
		select {
		case <-c.Context().Done():
			c.Errorf("interrupted")
		case <-time.After(time.Second):
		}
	}), harmless("b", false), stayingUp())
	for name, result := range final {
		assert.Equal(t, verdict.Pass, result.Verdict, name)
	}
	assert.Len(t, servers.made, 1)
}

func TestServerThatTwoChecksKillTogether(t *testing.T) {
	dose := func(c *C, server *fakeServer) {
		if server.doses.Add(1) == 2 {
			server.die(Death{Cause: "exited with status 2"})
		}
	}
	final, _ := outcomeOf(t, 1, harmless("a", false), named("first", dose), harmless("b", true), named("second", dose), stayingUp())
	assert.Equal(t, verdict.Pass, final["a"].Verdict)
	assert.Equal(t, verdict.Pass, final["first"].Verdict)
	assert.Equal(t, verdict.Fail, final["second"].Verdict)
	assert.Contains(t, final["second"].Reason, "one after the other")
	assert.Equal(t, verdict.Fail, final["b"].Verdict)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
}

func TestServerKilledFromOutside(t *testing.T) {
	var once sync.Once
	final, _ := outcomeOf(t, 2, named("a", func(c *C, server *fakeServer) {
		once.Do(func() { server.die(Death{Cause: "was killed", Outside: true}) })
	}), harmless("b", true), stayingUp())
	assert.Equal(t, verdict.Pass, final["a"].Verdict)
	assert.Equal(t, verdict.Fail, final["b"].Verdict)
	assert.Equal(t, verdict.Error, final["stays up"].Verdict, "never the server's fault")
}

func TestVerdictsOfC(t *testing.T) {
	bodies := map[string]func(*C){
		"pass":          func(*C) {},
		"fail":          func(c *C) { c.Errorf("broke") },
		"require":       func(c *C) { require.Equal(c, 1, 2, "what it means") },
		"blocked":       func(c *C) { c.Need("chapter/root", errors.New("refused")) },
		"own root":      func(c *C) { c.Need("chapter/own root", errors.New("refused")) },
		"unsupported":   func(c *C) { c.Unsupported("no such version") },
		"inconclusive":  func(c *C) { c.Control(errors.New("refused")) },
		"no control":    func(c *C) { c.NeedControl() },
		"not-run":       func(c *C) { c.NotRun("not here") },
		"panic":         func(*C) { panic("a mistake") },
		"fail, blocked": func(c *C) { c.Errorf("broke"); c.Blocked("chapter/root", "refused") },
	}
	var checks []*Check
	for name, body := range bodies {
		checks = append(checks, &Check{Name: name, Requires: []string{"chapter/" + name}, Body: body})
	}
	final, _ := outcomeOf(t, 2, checks...)
	for name, expected := range map[string]verdict.Verdict{
		"pass": verdict.Pass, "fail": verdict.Fail, "require": verdict.Fail, "blocked": verdict.Blocked,
		"own root": verdict.Fail, "unsupported": verdict.Unsupported, "inconclusive": verdict.Inconclusive,
		"no control": verdict.Error, "not-run": verdict.NotRun, "panic": verdict.Error, "fail, blocked": verdict.Fail,
	} {
		assert.Equal(t, expected, final[name].Verdict, name)
	}
	assert.Equal(t, "chapter/root", final["blocked"].BlockedBy)
	assert.Contains(t, final["require"].Reason, "what it means: expected 1, got 2")
	assert.NotContains(t, final["require"].Reason, "\n")
}

func TestDeploymentThatDoesNotStartIsAnError(t *testing.T) {
	var final verdict.CheckResult
	runner := New(Options{
		Checks:      []*Check{harmless("a", false)},
		Deployments: &fakeServers{error: errors.New("the engine is gone")},
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal {
				final = *event.Result
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	assert.Equal(t, verdict.Error, final.Verdict)
	assert.Contains(t, final.Reason, "the engine is gone")
}

func TestInterruptedRunRemovesItsDeployments(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	servers := &fakeServers{}
	runner := New(Options{Deployments: servers, Emit: func(verdict.Event) {}, Checks: []*Check{
		named("a", func(c *C, _ *fakeServer) { cancel(); <-c.Context().Done() }),
	}})
	require.Error(t, runner.Run(ctx))
	runner.Wait()
	require.Len(t, servers.made, 1)
	assert.True(t, servers.made[0].closed.Load())
}

func TestRegistryFindsMistakes(t *testing.T) {
	known := func(identifier string) bool { return identifier == "chapter/one" }
	body := func(*C) {}
	for _, each := range []struct {
		mistake string
		fill    func(*Registry)
	}{
		{"", func(r *Registry) {
			r.Register(Check{
				Name:     "a",
				Requires: []string{"chapter/one"},
				Body:     body,
			})
		}},
		{"has no requirement", func(r *Registry) {
			r.Register(Check{
				Name:     "a",
				Requires: []string{"chapter/two"},
				Body:     body,
			})
		}},
		{"two checks are named", func(r *Registry) {
			r.Register(Check{
				Name:     "a",
				Requires: []string{"chapter/one"},
				Body:     body,
			})
			r.Register(Check{
				Name:     "a",
				Requires: []string{"chapter/one"},
				Body:     body,
			})
		}},
		{"names no requirement", func(r *Registry) {
			r.Register(Check{
				Name: "a",
				Body: body,
			})
		}},
		{"no body", func(r *Registry) {
			r.Register(Check{
				Name:     "a",
				Requires: []string{"chapter/one"},
			})
		}},
	} {
		var registry Registry
		each.fill(&registry)
		err := registry.Validate(known)
		if each.mistake == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, each.mistake)
		}
	}
}

func TestDoneIsCalledForEachDeployment(t *testing.T) {
	var mu sync.Mutex
	var done []Retired
	servers := &fakeServers{}
	runner := New(Options{
		Checks: []*Check{
			{Name: "passes", Requires: []string{"a/b"}, Body: func(c *C) { c.Deploy("shared", false) }},
			{Name: "fails", Requires: []string{"a/b"}, Body: func(c *C) {
				c.Deploy("shared", false)
				c.Errorf("no")
			}},
			{Name: "alone", Requires: []string{"a/b"}, Body: func(c *C) { c.Deploy("private", true) }},
		},
		Deployments: servers, Emit: func(verdict.Event) {},
		Done: func(_ context.Context, retired Retired) {
			mu.Lock()
			defer mu.Unlock()
			assert.False(t, retired.Deployment.(*fakeServer).closed.Load(), "its servers are still there")
			retired.Deployment = nil
			done = append(done, retired)
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	assert.ElementsMatch(t, []Retired{
		{Blueprint: "shared", Checks: []string{"passes", "fails"}, Failed: true},
		{Blueprint: "private", Checks: []string{"alone"}},
	}, done)
}

func TestWhatACheckDoesNotJudgeIsInItsResult(t *testing.T) {
	final, _ := outcomeOf(t, 1, named("features", func(c *C, _ *fakeServer) {
		c.NotJudged("threads", "the server has none")
		c.NotJudged("search", "%v", errors.New("refused"))
		c.NotJudged("threads", "the server has none")
	}))
	assert.Equal(t, verdict.Pass, final["features"].Verdict)
	assert.Equal(t, []string{"search", "threads"}, final["features"].NotJudged)
	assert.Contains(t, final["features"].Details, "search: not judged, since refused")
}
