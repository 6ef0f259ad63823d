package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// events are the events of a run.
type events struct {
	mu    sync.Mutex
	final map[string]verdict.CheckResult
	notes []string
	seen  []verdict.Observation
}

func (o *events) emit(event verdict.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch event.Kind {
	case verdict.KindCheckFinal:
		o.final[event.Check] = *event.Result
	case verdict.KindNote:
		o.notes = append(o.notes, event.Message)
	case verdict.KindObservation:
		o.seen = append(o.seen, *event.Observation)
	}
}

// runIn completes the options, runs the checks and returns the events.
func runIn(t *testing.T, options Options, prepare func(*Runner)) *events {
	t.Helper()
	heard := &events{final: map[string]verdict.CheckResult{}}
	options.Deployments, options.Emit = &fakeServers{}, heard.emit
	runner := New(options)
	if prepare != nil {
		prepare(runner)
	}
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	heard.mu.Lock()
	defer heard.mu.Unlock()
	return heard
}

// runInBubble is runIn with a clock of its own, so that the machine is never late.
func runInBubble(t *testing.T, options Options, prepare func(*Runner)) (heard *events) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { heard = runIn(t, options, prepare) })
	return heard
}

// TestACheckThatRunsOutOfTimeHasNoVerdict: neither one about the requirement of the current step, nor one about its control,
// nor a pass because it ignored a missing answer.
func TestACheckThatRunsOutOfTimeHasNoVerdict(t *testing.T) {
	waits := func(c *C) error {
		<-c.Context().Done()
		return fmt.Errorf("GET /sync: no answer: %w", c.Context().Err())
	}
	bodies := map[string]func(c *C){
		"needs another":   func(c *C) { c.Need("chapter/other", waits(c)) },
		"needs its own":   func(c *C) { c.Need("chapter/needs its own", waits(c)) },
		"control":         func(c *C) { c.Control(waits(c)) },
		"assertion":       func(c *C) { assert.NoError(c, waits(c)) },
		"its own words":   func(c *C) { _ = waits(c); c.Failf("nothing came") },
		"inconclusive":    func(c *C) { _ = waits(c); c.Inconclusive("not seen") },
		"unsupported":     func(c *C) { _ = waits(c); c.Unsupported("no such endpoint") },
		"ignores it":      func(c *C) { _ = waits(c) },
		"observes":        func(c *C) { _ = waits(c); c.ObserveOn("chapter/open", "never", "nothing came") },
		"own error":       func(c *C) { c.SuiteError(waits(c)) },
		"had failed":      func(c *C) { c.Errorf("a user ID in sender_key"); c.Need("chapter/other", waits(c)) },
		"had failed more": func(c *C) { c.Errorf("a user ID in sender_key"); _ = waits(c); c.Errorf("nothing came") },
	}
	var checks []*Check
	for name, body := range bodies {
		checks = append(checks, &Check{Name: name, Requires: []string{"chapter/" + name}, Body: func(c *C) {
			c.Deploy("one server", false)
			body(c)
		}})
	}
	heard := runInBubble(t, Options{Checks: checks, Parallel: len(checks), Limit: 200 * time.Millisecond}, func(r *Runner) { r.options.Slowness = quietMachine })
	require.Len(t, heard.final, len(checks))
	for name, result := range heard.final {
		if strings.HasPrefix(name, "had failed") {
			assert.Equal(t, verdict.Fail, result.Verdict, name)
			assert.Equal(t, "a user ID in sender_key", result.Reason, name)
			continue
		}
		assert.Equal(t, verdict.Error, result.Verdict, name)
		assert.Equal(t, "the check did not end within 200ms of its own time; neither the machine nor the check's servers were slow", result.Reason, name)
		assert.Empty(t, result.BlockedBy, name)
	}
	assert.Empty(t, heard.seen)
	assert.Empty(t, heard.notes, "it was not the machine")
}

// TestAStepThatStarvesHasNoVerdict: on a machine so slow that the bound in wall time cuts a step short, a time-out is an error,
// with one note for the run.
func TestAStepThatStarvesHasNoVerdict(t *testing.T) {
	ask := func(c *C) error {
		ctx, cancel := c.Within(100 * time.Millisecond)
		defer cancel()
		<-ctx.Done()
		return fmt.Errorf("GET /sync: no answer: %w", ctx.Err())
	}
	checks := func() (checks []*Check) {
		for name, body := range map[string]func(c *C){
			"blocked":      func(c *C) { c.Need("chapter/other", ask(c)) },
			"fail":         func(c *C) { c.Need("chapter/fail", ask(c)) },
			"inconclusive": func(c *C) { c.Control(ask(c)) },
		} {
			checks = append(checks, &Check{Name: name, Requires: []string{"chapter/" + name}, Body: func(c *C) {
				c.Deploy("one server", false)
				body(c)
			}})
		}
		return checks
	}
	slow := runInBubble(t, Options{Checks: checks(), Parallel: 3, Limit: 5 * time.Second, Slowness: func() float64 { return 1000 }}, nil)
	for name, result := range slow.final {
		assert.Equal(t, verdict.Error, result.Verdict, name)
		assert.Contains(t, result.Reason, "a deadline of 100ms passed while the machine was", name)
	}
	require.Len(t, slow.notes, 1)
	assert.Contains(t, slow.notes[0], "3 of 3 checks ran out of time (error)")
	assert.Contains(t, slow.notes[0], "--parallel 1")

	quiet := runInBubble(t, Options{Checks: checks(), Parallel: 3, Limit: 5 * time.Second, Slowness: quietMachine}, nil)
	for name, result := range quiet.final {
		assert.Equal(t, name, string(result.Verdict), "a server that never answers")
	}
	assert.Empty(t, quiet.notes)
}

// lateRefusal is an answer after a time-out of the server itself.
type lateRefusal struct{ took time.Duration }

func (lateRefusal) Error() string         { return "POST /join answered 202" }
func (l lateRefusal) Took() time.Duration { return l.took }

// TestAServersOwnTimeOutOnASlowMachineIsNoVerdict: time-outs of servers are in wall time.
func TestAServersOwnTimeOutOnASlowMachineIsNoVerdict(t *testing.T) {
	for _, each := range []struct {
		took     time.Duration
		slowness float64
		decided  verdict.Verdict
	}{{20 * time.Second, 3, verdict.Error}, {20 * time.Second, 1, verdict.Blocked}, {time.Second, 3, verdict.Blocked}} {
		heard := runInBubble(t, Options{Slowness: func() float64 { return each.slowness }, Checks: []*Check{{
			Name: "joins", Requires: []string{"chapter/joins"}, Body: func(c *C) {
				for range 4 { // heartbeats of its clock
					c.clock.advance()
					ctx, cancel := c.Within(heartbeat)
					<-ctx.Done()
					cancel()
				}
				c.Need("chapter/other", fmt.Errorf("join: %w", lateRefusal{each.took}))
			},
		}}}, nil)
		assert.Equal(t, each.decided, heard.final["joins"].Verdict, heard.final["joins"].Reason)
	}
}

// TestADeploymentThatASlowMachineDoesNotStart counts among the checks that ran out of time.
func TestADeploymentThatASlowMachineDoesNotStart(t *testing.T) {
	for slowness, notes := range map[float64]int{3: 1, 1: 0} {
		heard := runIn(t, Options{Slowness: func() float64 { return slowness }, Checks: []*Check{{
			Name: "starts", Requires: []string{"chapter/starts"}, Body: func(c *C) {
				c.SuiteError(fmt.Errorf("start the container: %w", context.DeadlineExceeded))
			},
		}}}, nil)
		assert.Equal(t, verdict.Error, heard.final["starts"].Verdict)
		assert.Contains(t, heard.final["starts"].Reason, "start the container")
		assert.Len(t, heard.notes, notes)
	}
}

// TestASlowMachineDeclaresNoServerDead: the health check fails because the machine is too slow.
func TestASlowMachineDeclaresNoServerDead(t *testing.T) {
	for name, each := range map[string]struct {
		slowness float64
		decided  verdict.Verdict
		closing  verdict.Verdict
	}{
		"slow":  {1000, verdict.Blocked, verdict.Error},
		"quiet": {1, verdict.Fail, verdict.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			heard := runInBubble(t, Options{
				Checks: []*Check{named("asks in vain", func(c *C, server *fakeServer) {
					server.hung.Store(true)
					c.Need("chapter/other", errors.New("refused"))
				}), stayingUp()},
				Limit: 5 * time.Second, Silence: 50 * time.Millisecond, Slowness: func() float64 { return each.slowness },
			}, func(r *Runner) { r.healthLimit = 20 * time.Millisecond; r.options.Quiet = 0 })
			assert.Equal(t, each.decided, heard.final["asks in vain"].Verdict)
			assert.Equal(t, each.closing, heard.final["stays up"].Verdict, heard.final["stays up"].Reason)
		})
	}
}

// TestManyStepsHaveMoreTimeOnASlowMachine: unlike one step, whose time-outs are in wall time.
func TestManyStepsHaveMoreTimeOnASlowMachine(t *testing.T) {
	lasts := func(within func(c *C) (context.Context, context.CancelFunc)) (lasted time.Duration) {
		runInBubble(t, Options{Slowness: func() float64 { return 2 }, Checks: []*Check{{
			Name: "waits", Requires: []string{"chapter/waits"}, Slow: time.Second, Body: func(c *C) {
				began := time.Now()
				ctx, cancel := within(c)
				defer cancel()
				<-ctx.Done()
				lasted = time.Since(began)
			},
		}}}, nil)
		return lasted
	}
	step := lasts(func(c *C) (context.Context, context.CancelFunc) { return c.Within(80 * time.Second) })
	many := lasts(func(c *C) (context.Context, context.CancelFunc) { return c.WithinWork(80 * time.Second) })
	assert.InDelta(t, 86, step.Seconds(), 0.2, "6 s of it can be work")
	assert.InDelta(t, 160, many.Seconds(), 0.2)
}

// TestWhatIsAskedOutsideChecksHasMoreTimeOnASlowMachine: most of a wait can be work.
func TestWhatIsAskedOutsideChecksHasMoreTimeOnASlowMachine(t *testing.T) {
	for slowness, wanted := range map[float64]time.Duration{1: 10 * time.Second, 4: 28 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := New(Options{Slowness: func() float64 { return slowness }, Emit: func(verdict.Event) {}})
			defer r.machine.stop()
			began := time.Now()
			ctx, cancel := r.Within(t.Context(), 10*time.Second)
			defer cancel()
			<-ctx.Done()
			assert.InDelta(t, wanted.Seconds(), time.Since(began).Seconds(), 0.2)
		})
	}
}

// TestAStartHasNoDeadlineOfItsCheck: the check's clock stands still meanwhile, so such a deadline would never pass.
func TestAStartHasNoDeadlineOfItsCheck(t *testing.T) {
	for _, name := range []string{"deadly", "private", "shared"} {
		var bounded []bool
		heard := runInBubble(t, Options{Checks: []*Check{{
			Name: name, Requires: []string{"chapter/starts"}, Deadly: name == "deadly",
			Body: func(c *C) { c.Deploy("one server", name == "private") },
		}}, Slowness: quietMachine}, func(r *Runner) {
			r.options.Deployments = &fakeServers{asks: func(ctx context.Context) error {
				_, has := ctx.Deadline()
				bounded = append(bounded, has)
				return errors.New("POST /register: no answer")
			}}
		})
		assert.Equal(t, verdict.Error, heard.final[name].Verdict)
		assert.Equal(t, []bool{false}, bounded, name)
	}
}

// TestAServerOfUnknownHealthIsNotLentAgain: if it turns out to be dead, the check that used it before would be no suspect.
func TestAServerOfUnknownHealthIsNotLentAgain(t *testing.T) {
	var used []*fakeServer
	uses := func(name string) *Check {
		check := named(name, func(_ *C, server *fakeServer) {
			server.hung.Store(len(used) == 0)
			used = append(used, server)
		})
		check.Deadly = true
		return check
	}
	heard := runInBubble(t, Options{
		Checks: []*Check{uses("a"), uses("b"), stayingUp()}, Silence: 50 * time.Millisecond, Slowness: func() float64 { return 1000 },
	}, func(r *Runner) { r.healthLimit = 20 * time.Millisecond; r.options.Quiet = 0 })
	require.Len(t, used, 2)
	assert.NotSame(t, used[0], used[1])
	assert.Equal(t, verdict.Pass, heard.final["b"].Verdict)
	assert.Equal(t, verdict.Error, heard.final["stays up"].Verdict, heard.final["stays up"].Reason)
}

// TestABodyThatNeverEndsIsGivenUp: the run goes on, and whatever the goroutine does afterwards is ignored.
func TestABodyThatNeverEndsIsGivenUp(t *testing.T) {
	release, over := make(chan struct{}), make(chan struct{})
	var tidied, tidiedLate atomic.Bool
	endless := named("endless", func(c *C, _ *fakeServer) {
		defer close(over)
		c.Cleanup(func() { tidied.Store(true) })
		c.Notef("before")
		<-release // like a parser in an endless loop, which ignores its context
		defer c.ObserveOn("chapter/open", "afterwards", "afterwards")
		defer c.Deploy("another server", false)
		c.Notef("afterwards")
		c.Attach("input.json", []byte("afterwards"))
		c.Cleanup(func() { tidiedLate.Store(true) })
		c.Errorf("afterwards")
	})
	heard := runIn(t, Options{
		Checks: []*Check{endless, harmless("after it", false), stayingUp()}, Slowness: quietMachine,
		Limit: 2 * time.Second, Grace: time.Second / 2, // so that the check after it has its time on a busy machine, too
		Keep: func(result verdict.CheckResult, _ bool, evidence Evidence) (string, string, error) {
			assert.Empty(t, evidence.Attached)
			return "", "", nil
		},
	}, nil)
	close(release)
	<-over
	result := heard.final["endless"]
	assert.Equal(t, verdict.Error, result.Verdict)
	assert.Contains(t, result.Reason, "gave up")
	assert.Equal(t, []string{"before"}, result.Details)
	assert.True(t, tidied.Load())
	assert.True(t, tidiedLate.Load())
	assert.Equal(t, verdict.Pass, heard.final["after it"].Verdict)
	assert.Equal(t, verdict.Pass, heard.final["stays up"].Verdict)
	assert.Empty(t, heard.seen)
}

// TestAServerThatDiesOfABodyThatNeverEnds: the verdict is fail although the check was given up.
func TestAServerThatDiesOfABodyThatNeverEnds(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	heard := runIn(t, Options{
		Checks: []*Check{named("endless", func(c *C, server *fakeServer) {
			server.die(Death{Cause: "hs1 exited with status 2"})
			<-release
		}), stayingUp()},
		Limit: time.Minute, Grace: 50 * time.Millisecond, Slowness: quietMachine,
	}, nil)
	assert.Equal(t, verdict.Fail, heard.final["endless"].Verdict)
	assert.Contains(t, heard.final["endless"].Reason, "hs1 exited with status 2")
	assert.Equal(t, verdict.Fail, heard.final["stays up"].Verdict)
}

// TestSharersOfWhatRanOutOfTimeRanOutOfTime: they are not blocked by the requirement that the preparing check named.
func TestSharersOfWhatRanOutOfTimeRanOutOfTime(t *testing.T) {
	endings := make(chan Ending, 1)
	heard := runIn(t, Options{
		Checks: []*Check{
			{Name: "first", Requires: []string{"chapter/first"}, Body: func(c *C) {
				defer func() { endings <- c.Ended() }()
				<-c.Context().Done()
				c.Need("chapter/other", c.Context().Err())
			}},
			{Name: "second", Requires: []string{"chapter/other"}, Body: func(c *C) { c.EndAs(<-endings) }},
		},
		Limit: 100 * time.Millisecond, Parallel: 1, Slowness: func() float64 { return 2 },
	}, nil)
	for name, result := range heard.final {
		assert.Equal(t, verdict.Error, result.Verdict, name)
		assert.Contains(t, result.Reason, "did not end within 100ms of its own time; the machine was", name)
	}
	require.Len(t, heard.notes, 1)
	assert.Contains(t, heard.notes[0], "2 of 2 checks")
}

func TestAwaitOtherIsNotCharged(t *testing.T) {
	heard := runInBubble(t, Options{Limit: 300 * time.Millisecond, Slowness: quietMachine, Checks: []*Check{{
		Name: "waits", Requires: []string{"chapter/waits"}, Body: func(c *C) {
			ready := make(chan struct{})
			time.AfterFunc(600*time.Millisecond, func() { close(ready) })
			assert.NoError(c, c.AwaitOther(ready))
		},
	}}}, nil)
	assert.Equal(t, verdict.Pass, heard.final["waits"].Verdict, heard.final["waits"].Reason)
}

// TestFewerChecksStartOnASlowMachine, and as many as requested once it is quiet again.
func TestFewerChecksStartOnASlowMachine(t *testing.T) {
	var slow atomic.Bool
	slow.Store(true)
	lane := New(Options{Slowness: func() float64 {
		if slow.Load() {
			return 12
		}
		return 1
	}}).newLane(16, 1)
	assert.Equal(t, 4, lane.allowed())
	for range 4 {
		require.True(t, lane.take(t.Context(), 1))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.False(t, lane.take(ended, 1), "all places are taken")
	lane.give(1)
	assert.True(t, lane.take(t.Context(), 1))
	slow.Store(false)
	assert.Equal(t, 16, lane.allowed())
	for range 12 {
		assert.True(t, lane.take(t.Context(), 1))
	}
	assert.False(t, lane.take(ended, 1))
}

func TestTheSlowestMachineRunsAtLeastOneCheck(t *testing.T) {
	runner := New(Options{Slowness: func() float64 { return 1000 }})
	assert.Equal(t, 1, runner.newLane(16, 1).allowed())
	wide := runner.newLane(16, 1)
	assert.True(t, wide.take(t.Context(), 2), "one that takes two places")
	assert.Equal(t, 8, runner.newLane(16, 8).allowed())
	assert.Equal(t, 3, runner.newLane(3, 8).allowed())
}

func TestProbeSlowness(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	var p probe
	assert.InDelta(t, 1, p.slowness(now), 0, "before the first probe")
	for _, took := range []time.Duration{20 * usualProbe, usualProbe, 4 * usualProbe, 20 * usualProbe} {
		p.begin(now)
		now = now.Add(took)
		p.end(now)
	}
	assert.InDelta(t, 4, p.slowness(now), 0.01, "the median")
	p.begin(now)
	assert.InDelta(t, 4, p.slowness(now.Add(usualProbe)), 0.01)
	assert.InDelta(t, 9, p.slowness(now.Add(9*usualProbe)), 0.01, "a probe that has not ended")
	p.end(now)
	p.forget()
	assert.InDelta(t, 1, p.slowness(now), 0, "no check used it meanwhile")
}

// TestACheckUsesSlowServers: its time passes more slowly, but not that of other checks.
func TestACheckUsesSlowServers(t *testing.T) {
	var one attempt
	slow := &instance{}
	slow.probe.begin(time.Now().Add(-5 * usualProbe))
	one.attach(&instance{})
	assert.InDelta(t, 1, one.serversSlowness(), 0)
	one.attach(slow)
	assert.InDelta(t, 5, one.serversSlowness(), 1)
	one.end()
	assert.False(t, one.attach(&instance{}))
}

// TestATimeOutOfASlowMachineIsNotJudgedLater: not even when the machine has recovered by then.
func TestATimeOutOfASlowMachineIsNotJudgedLater(t *testing.T) {
	judges := func(name string, harm error, lateness time.Duration) *Check {
		return named(name, func(c *C, _ *fakeServer) {
			quiet := func() {
				for range heartbeatsKept {
					c.runner.machine.note(0)
				}
			}
			quiet()
			c.runner.machine.note(lateness)
			c.Timely(harm)
			quiet()
			c.Failf("%v", harm)
		})
	}
	timeOut := fmt.Errorf("a client in the attacked room: %w", context.DeadlineExceeded)
	heard := runIn(t, Options{Checks: []*Check{
		judges("stalled", timeOut, starving), judges("quiet", timeOut, 0), judges("refused", errors.New("it answered 500"), starving),
	}, Slowness: quietMachine, Limit: longLimit}, nil)
	assert.Equal(t, verdict.Error, heard.final["stalled"].Verdict)
	assert.Equal(t, "a deadline passed while the machine was stalled", heard.final["stalled"].Reason)
	assert.Equal(t, verdict.Fail, heard.final["quiet"].Verdict)
	assert.Equal(t, verdict.Fail, heard.final["refused"].Verdict)
}
