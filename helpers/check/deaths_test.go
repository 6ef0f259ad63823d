package check

// Deaths that the closing check must report although no check is a suspect, or another death has a culprit.

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// idleDeath returns a deadly check that gives back a healthy server, and a later check during which that server dies. If again,
// the server also dies whenever the first check is repeated.
func idleDeath(death Death, again bool) []*Check {
	var idle *fakeServer
	first := deadly("first", 0)
	first.Body = func(c *C) {
		server := c.Deploy("one server", false).(*fakeServer)
		switch {
		case idle == nil:
			idle = server
		case again:
			server.die(death)
		}
	}
	return []*Check{first, named("later", func(*C, *fakeServer) { idle.die(death) })}
}

func TestDeathWithoutASuspectIsReported(t *testing.T) {
	death := Death{Cause: "hs1 exited with status 2", LogTail: "panic: at last\n"}
	final, _ := outcomeOf(t, 1, append(idleDeath(death, false), stayingUp())...)
	assert.Equal(t, verdict.Pass, final["first"].Verdict, "its server was healthy after it had ended")
	assert.Equal(t, verdict.Pass, final["later"].Verdict)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
	assert.Equal(t, `a server died, but no check is to blame: hs1 exited with status 2 on a deployment that "first" had used, and did `+
		`not when they were repeated: panic: at last`, final["stays up"].Reason)

	final, _ = outcomeOf(t, 1, append(idleDeath(death, true), stayingUp())...)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
	assert.Contains(t, final["stays up"].Reason, `on a deployment that "first" had used and outlived, and did so again when they were repeated`)
}

func TestKillFromOutsideWithoutASuspectIsAnError(t *testing.T) {
	final, _ := outcomeOf(t, 1, append(idleDeath(Death{Cause: "hs1 was killed", Outside: true}, false), stayingUp())...)
	assert.Equal(t, verdict.Error, final["stays up"].Verdict)
	assert.Equal(t, "a server was killed from outside: hs1 was killed", final["stays up"].Reason)
}

func TestDeathBeforeAnyCheckIsReported(t *testing.T) {
	var stays verdict.CheckResult
	servers := &fakeServers{}
	runner := New(Options{
		Checks: []*Check{harmless("a", false), stayingUp()}, Deployments: servers, Quiet: time.Millisecond, Limit: 5 * time.Second,
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal && event.Check == "stays up" {
				stays = *event.Result
			}
		},
	})
	prepared, err := runner.Prepare(t.Context(), "prepared and never used")
	require.NoError(t, err)
	prepared.(*fakeServer).die(Death{Cause: "hs1 exited with status 1"})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	assert.Equal(t, verdict.Fail, stays.Verdict)
	assert.Contains(t, stays.Reason, "hs1 exited with status 1 before any check used it")
}

func TestEveryDeathIsReportedBesidesOneWithACulprit(t *testing.T) {
	death := Death{Cause: "hs1 exited with status 2"}
	killed := idleDeath(Death{Cause: "hs1 was killed", Outside: true}, false)
	killed[0].Name, killed[1].Name = "third", "fourth"
	checks := append(append(idleDeath(death, false), killed...), stayingUp(), named("culprit", func(c *C, server *fakeServer) {
		server.die(Death{Cause: "hs1 exited with status 3"})
		<-c.Context().Done()
	}))
	final, _ := outcomeOf(t, 1, checks...)
	reason := final["stays up"].Reason
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
	assert.Contains(t, reason, `killed by "culprit": hs1 exited with status 3`)
	assert.Contains(t, reason, `hs1 exited with status 2 on a deployment that "first" had used`)
	assert.Contains(t, reason, "a server was killed from outside: hs1 was killed")
}

// TestADeathHidesNothingThatIsUnknown: the closing check tells all that happened, whatever decides its verdict.
func TestADeathHidesNothingThatIsUnknown(t *testing.T) {
	for _, each := range []struct {
		sum      judgement
		lost     []string
		expected verdict.Verdict
		reason   string
	}{
		{
			judgement{culprits: []string{`"a": it exited`}, outside: []string{"hs1 was killed"}, unknown: []string{"d4"}},
			[]string{"deployment d9: it exited"}, verdict.Fail,
			`killed by "a": it exited. And died of hostile input after the checks that sent it had ended: deployment d9: it exited. And a server was killed from outside: hs1 was killed. And the machine was too slow to tell whether these were healthy at the end: d4`,
		},
		{
			judgement{outside: []string{"hs1 was killed"}, unknown: []string{"d4"}}, nil, verdict.Error,
			"a server was killed from outside: hs1 was killed. And the machine was too slow to tell whether these were healthy at the end: d4",
		},
	} {
		var result verdict.CheckResult
		runner := New(Options{Checks: []*Check{stayingUp()}, Emit: func(event verdict.Event) { result = *event.Result }})
		runner.expendables.lost = each.lost
		runner.judgeClosingChecks(each.sum)
		runner.machine.stop()
		assert.Equal(t, each.expected, result.Verdict)
		assert.Equal(t, each.reason, result.Reason)
	}
}

// TestACulpritHidesNoDeathOfAnotherDeployment: a check that kills a server of its own is not blamed for one that outlived it.
func TestACulpritHidesNoDeathOfAnotherDeployment(t *testing.T) {
	var idle *fakeServer
	first := deadly("first", 0)
	first.Body = func(c *C) {
		if server := c.Deploy("one server", false).(*fakeServer); idle == nil {
			idle = server
		}
		c.Deploy("a server of its own", true).(*fakeServer).die(Death{Cause: "hs1 exited with status 3"})
	}
	later := named("later", func(*C, *fakeServer) { idle.die(Death{Cause: "hs1 exited with status 2"}) })
	final, _ := outcomeOf(t, 1, first, later, stayingUp())
	assert.Equal(t, verdict.Fail, final["first"].Verdict)
	assert.Equal(t, `killed by "first": hs1 exited with status 3. And a server died, but no check is to blame: hs1 exited with status 2 on a `+
		`deployment that "first" had used, and did not when they were repeated`, final["stays up"].Reason)
}

// replaying returns a runner of fake servers, and its judgement.
func replaying(t *testing.T, servers *fakeServers) (*Runner, *judgement) {
	t.Helper()
	runner := New(Options{Deployments: servers, Slowness: quietMachine, Limit: longLimit, Emit: func(verdict.Event) {}})
	t.Cleanup(func() { runner.machine.stop(); runner.Wait() })
	return runner, &judgement{}
}

// TestReplayNamesOnlyWhatKills: not what had no chance to run any more, and not what ran while a server was dying.
func TestReplayNamesOnlyWhatKills(t *testing.T) {
	death := Death{Cause: "hs1 exited with status 2"}
	dose := func(name string) *Check {
		return named(name, func(_ *C, server *fakeServer) {
			if server.doses.Add(1) == 2 {
				server.die(death)
			}
		})
	}
	runner, sum := replaying(t, &fakeServers{})
	first, second, after := dose("first"), dose("second"), harmless("after", false)
	group, its, err := runner.replay(t.Context(), "one server", []*Check{first, second, after}, sum)
	assert.NoError(t, err)
	assert.Equal(t, []*Check{first, second}, group)
	assert.Equal(t, death, its)

	dying := named("dying", func(_ *C, server *fakeServer) {
		if server.doses.Add(1) == 2 {
			server.ends.Store(&death)
		}
	})
	meanwhile := named("meanwhile", func(_ *C, server *fakeServer) {
		if server.ends.Load() != nil {
			server.die(death)
		}
	})
	group, _, err = runner.replay(t.Context(), "one server", []*Check{first, dying, meanwhile}, sum)
	assert.NoError(t, err)
	assert.Equal(t, []*Check{first, dying}, group)
	assert.Empty(t, sum.unsolved)
}

// TestWhatCannotBeRepeatedIsTold: a replay without a server does not clear anybody.
func TestWhatCannotBeRepeatedIsTold(t *testing.T) {
	death := Death{Cause: "hs1 exited with status 2"}
	servers := &fakeServers{error: errors.New("the engine is gone")}
	runner, sum := replaying(t, servers)
	dead := &fakeServer{id: "d1", died: make(chan struct{})}
	dead.die(death)
	runner.explain(t.Context(), &instance{
		blueprint: "one server", deployment: dead, attempts: []*attempt{{check: harmless("a", false)}}, cleared: 1,
	}, nil, sum)
	assert.Equal(t, []string{
		`hs1 exited with status 2 on a deployment that "a" had used, and they could not be repeated (deployment one server: the engine is gone)`,
	}, sum.unsolved)
}

// TestADeathInAReplayIsReported: also that of another deployment than the one that is looked for.
func TestADeathInAReplayIsReported(t *testing.T) {
	runner, sum := replaying(t, &fakeServers{})
	one := named("a", func(c *C, _ *fakeServer) {
		c.Deploy("a server of its own", true).(*fakeServer).die(Death{Cause: "hs1 exited with status 2", LogTail: "panic: at last\n"})
	})
	group, _, err := runner.replay(t.Context(), "one server", []*Check{one}, sum)
	assert.NoError(t, err)
	assert.Empty(t, group)
	assert.Equal(t, []string{`hs1 exited with status 2 on a deployment of its own when "a" was repeated: panic: at last`}, sum.unsolved)
}

// A server whose federation is stuck is ill, although it answers its clients.
func TestStuckFederationIsReported(t *testing.T) {
	final, _ := outcomeOf(t, 1, stayingUp(), named("culprit", func(_ *C, server *fakeServer) { server.cutOff.Store(true) }))
	assert.Equal(t, verdict.Fail, final["culprit"].Verdict)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
	assert.Contains(t, final["stays up"].Reason, "failed its health check: an event to a healthy peer: none came")
}
