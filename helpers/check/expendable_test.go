package check

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

// expending is a check that expends servers.
func expending(name string, body func(*C)) *Check {
	return &Check{Name: name, Requires: []string{StaysUp}, Expends: true, Body: body}
}

// expends asks for an expendable server.
func expends(c *C, onlyFresh bool) (*fakeServer, bool) {
	deployment, fresh := c.Expendable("attacked", onlyFresh)
	return deployment.(*fakeServer), fresh
}

// TestDeathOfAnExpendable interrupts no check, and is judged by the check that asked for the deployment.
func TestDeathOfAnExpendable(t *testing.T) {
	killer := expending("killer", func(c *C) {
		server, _ := expends(c, false)
		server.die(Death{Cause: "exited with status 2"})
		c.Discard(server, true)
		select {
		case <-c.Context().Done():
			t.Error("the death ended the check")
		case <-time.After(50 * time.Millisecond):
		}
		c.Attach("input.json", []byte("{}"))
		c.Failf("died of it")
	})
	final, servers := outcomeOf(t, 2, killer, harmless("beside it", false), stayingUp())
	assert.Equal(t, verdict.Fail, final["killer"].Verdict)
	assert.Equal(t, "died of it", final["killer"].Reason)
	assert.Equal(t, verdict.Pass, final["beside it"].Verdict)
	assert.Equal(t, verdict.Pass, final["stays up"].Verdict)
	assert.Len(t, servers.made, 2, "an expendable one, and that of the harmless check")
}

// TestExpendablesAreHandedOn: only a deployment that is alive and was handed on is used again.
func TestExpendablesAreHandedOn(t *testing.T) {
	var first *fakeServer
	final, servers := outcomeOf(t, 1,
		expending("a", func(c *C) {
			var fresh bool
			first, fresh = expends(c, false)
			assert.True(t, fresh)
			beside, fresh := expends(c, false)
			assert.True(t, fresh, "the check has the first, but did not hand it on")
			assert.NotSame(t, first, beside)
			c.HandOn(first)
			c.Discard(first, false)
		}),
		expending("b", func(c *C) {
			fresh, isFresh := expends(c, true)
			assert.True(t, isFresh)
			assert.NotSame(t, first, fresh)
			handed, isFresh := expends(c, false)
			assert.False(t, isFresh)
			assert.Same(t, first, handed, "a check cannot discard what it has handed on")
			c.HandOn(handed)
			handed.die(Death{Cause: "exited with status 2"})
		}),
		expending("c", func(c *C) {
			_, fresh := expends(c, false)
			assert.True(t, fresh, "the one that was handed on is dead")
		}), stayingUp())
	assert.Equal(t, verdict.Fail, final["stays up"].Verdict, "a death that no check noticed")
	assert.Contains(t, final["stays up"].Reason, "exited with status 2")
	delete(final, "stays up")
	for name, result := range final {
		assert.Equal(t, verdict.Pass, result.Verdict, name)
	}
	assert.Len(t, servers.made, 4)
	for _, made := range servers.made {
		assert.True(t, made.closed.Load(), made.id)
	}
}

// TestExpendablesAreNotShared, and no more checks use them at once than there are places.
func TestExpendablesAreNotShared(t *testing.T) {
	var checks []*Check
	var atOnce atomic.Int64
	toomany := make(chan struct{}, 6)
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		checks = append(checks, expending(name, func(c *C) {
			server, _ := expends(c, false)
			assert.Equal(t, int64(1), server.doses.Add(1), "another check has it")
			if atOnce.Add(1) > expendingChecks {
				toomany <- struct{}{}
			}
			select {
			case <-toomany:
				t.Error("too many check at once")
			case <-time.After(20 * time.Millisecond): // others would have begun by then
			}
			server.doses.Add(-1)
			atOnce.Add(-1)
			c.HandOn(server)
		}))
	}
	_, servers := outcomeOf(t, 8, checks...)
	assert.LessOrEqual(t, len(servers.made), expendingChecks)
}

// TestExpendableNeedsExpends: without it, a check would run beside any number of others.
func TestExpendableNeedsExpends(t *testing.T) {
	one := expending("a", func(c *C) { expends(c, false) })
	one.Expends = false
	final, _ := outcomeOf(t, 1, one)
	assert.Equal(t, verdict.Error, final["a"].Verdict)
	assert.Contains(t, final["a"].Reason, "not registered with Expends")
}

// TestAttachedIsEvidence: what a check attaches, and the log of what it discarded, go to the keeper.
func TestAttachedIsEvidence(t *testing.T) {
	var kept Evidence
	one := expending("one", func(c *C) {
		assert.Equal(t, uint64(7), c.Seed())
		server, _ := expends(c, true)
		c.Discard(server, true)
		c.Attach("input.json", []byte("{}"))
		c.Failf("found")
	})
	runner := New(Options{
		Checks: []*Check{one}, Deployments: &fakeServers{}, Seed: 7, Emit: func(verdict.Event) {},
		Keep: func(_ verdict.CheckResult, _ bool, evidence Evidence) (string, string, error) {
			kept = evidence
			return "", "", nil
		},
	})
	assert.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	assert.Equal(t, map[string][]byte{"input.json": []byte("{}")}, kept.Attached)
	assert.Len(t, kept.Logs, 1)
}
