package check

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

// deadly is a check known to crash servers. It kills its server if that has had so many doses.
func deadly(name string, doses int64) *Check {
	one := named(name, func(_ *C, server *fakeServer) {
		if server.doses.Add(1); doses > 0 && server.doses.Load() >= doses {
			server.die(Death{Cause: "hs1 exited with status 2"})
		}
	})
	one.Deadly = true
	return one
}

func TestDeadlyChecksTakeTurnsOnADeploymentThatSurvives(t *testing.T) {
	final, servers := outcomeOf(t, 1, deadly("a", 0), deadly("b", 0), deadly("c", 0), harmless("d", false), stayingUp())
	for name, result := range final {
		assert.Equal(t, verdict.Pass, result.Verdict, name)
	}
	assert.Len(t, servers.made, 2, "theirs, and that of the harmless check")
}

func TestDeathWithOneSuspectNeedsNoTrial(t *testing.T) {
	final, servers := outcomeOf(t, 1, deadly("a", 1), harmless("b", false), stayingUp())
	assert.Equal(t, verdict.Fail, final["a"].Verdict)
	assert.Equal(t, "the server died: hs1 exited with status 2", final["a"].Reason)
	assert.Equal(t, verdict.Pass, final["b"].Verdict)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
	assert.Len(t, servers.made, 2)
}

// TestDeathOfAControlBlocks: what the check judges was not tried, and the server breaks StaysUp alone.
func TestDeathOfAControlBlocks(t *testing.T) {
	dies := func(name string, before func(*C)) *Check {
		one := named(name, func(c *C, server *fakeServer) {
			before(c)
			server.die(Death{Cause: "hs1 exited with status 2"})
		})
		one.Deadly = true
		return one
	}
	final, _ := outcomeOf(t, 1, stayingUp(), dies("of the control", (*C).Controlling),
		dies("after it", func(c *C) { c.Controlling(); c.Control(nil) }), dies("of the lie", func(c *C) { c.Controlling(); c.UnderTest() }))
	died := final["of the control"]
	assert.Equal(t, verdict.Blocked, died.Verdict)
	assert.Equal(t, StaysUp, died.BlockedBy)
	assert.True(t, died.Died)
	assert.Equal(t, "before what it judges was tried, with the positive control, the server died: hs1 exited with status 2", died.Reason)
	assert.Equal(t, verdict.Fail, final["after it"].Verdict)
	assert.Equal(t, verdict.Fail, final["of the lie"].Verdict)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
}

func TestDeathOnAUsedDeploymentNeedsATrial(t *testing.T) {
	final, servers := outcomeOf(t, 1, deadly("a", 0), deadly("b", 1), deadly("c", 0), stayingUp())
	assert.Equal(t, verdict.Pass, final["a"].Verdict, "its deployment was healthy after it had ended")
	assert.Equal(t, verdict.Fail, final["b"].Verdict)
	assert.Equal(t, verdict.Pass, final["c"].Verdict)
	assert.Len(t, servers.made, 3, "a's and b's, that of b's trial, and c's")
}

// TestADeathThatTakesTwo: if the second does not kill a server alone, both are replayed, and the last of them is blamed.
func TestADeathThatTakesTwo(t *testing.T) {
	final, _ := outcomeOf(t, 1, deadly("a", 0), deadly("b", 2), stayingUp())
	assert.Equal(t, verdict.Pass, final["a"].Verdict)
	assert.Equal(t, verdict.Fail, final["b"].Verdict)
	assert.Contains(t, final["b"].Reason, `when "a", "b" ran one after the other`)
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict)
}

func TestDeadlyChecksDoNotShareDeployments(t *testing.T) {
	checks := []*Check{stayingUp()}
	var met sync.WaitGroup // the first checks wait until each has a deployment
	met.Add(deadlyServers)
	var begun atomic.Int64
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		one := named(name, func(c *C, server *fakeServer) {
			assert.Equal(t, int64(1), server.doses.Add(1), "another check uses it")
			if begun.Add(1) <= deadlyServers {
				met.Done()
				met.Wait()
			}
			server.doses.Add(-1)
		})
		one.Deadly = true
		checks = append(checks, one)
	}
	_, servers := outcomeOf(t, 8, checks...)
	assert.Len(t, servers.made, deadlyServers)
}

// TestDeploymentsOfDeadlyChecksAreRemovedEarly: that is, while other checks still run.
func TestDeploymentsOfDeadlyChecksAreRemovedEarly(t *testing.T) {
	theirs := make(chan *fakeServer, 1)
	one := named("a", func(_ *C, server *fakeServer) { theirs <- server })
	one.Deadly = true
	beside := named("b", func(*C, *fakeServer) {
		server := <-theirs
		assert.Eventually(t, server.closed.Load, time.Minute, 10*time.Millisecond, "no check needs it")
	})
	final, _ := outcomeOf(t, 2, one, beside)
	assert.Equal(t, verdict.Pass, final["a"].Verdict)
	assert.Equal(t, verdict.Pass, final["b"].Verdict)
}

func TestWhoseEvidenceIsNeeded(t *testing.T) {
	passed := verdict.CheckResult{Verdict: verdict.Pass}
	runner := New(Options{})
	defer runner.machine.stop()
	assert.False(t, runner.needsEvidence(&attempt{result: passed, instances: []*instance{{}}}))
	assert.True(t, runner.needsEvidence(&attempt{result: verdict.CheckResult{Verdict: verdict.Blocked}}))
	assert.True(t, runner.needsEvidence(&attempt{result: passed, instances: []*instance{{}, {reusable: true}}}), "it may be blamed yet")
	assert.True(t, runner.needsEvidence(&attempt{result: passed, instances: []*instance{{private: true}}}), "it may be blamed yet")
	runner.options.KeepEvidence = true
	assert.True(t, runner.needsEvidence(&attempt{result: passed}))
}
