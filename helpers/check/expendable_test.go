package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

// TestExpendableDeathIsItsFindersAffair: it interrupts no check, is judged by who asked for the deployment, and replaced.
func TestExpendableDeathIsItsFindersAffair(t *testing.T) {
	killer := &Check{Name: "killer", Requirements: []string{StaysUp}, Body: func(c *C) {
		shared := c.Expendable("attacked", false).(*fakeServer)
		assert.Same(t, shared, c.Expendable("attacked", false), "as long as it lives it is shared")
		fresh := c.Expendable("attacked", true).(*fakeServer)
		assert.NotSame(t, shared, fresh)
		fresh.die(Death{Cause: "exited with status 2"})
		c.Discard(fresh, true)
		shared.die(Death{Cause: "exited with status 2"})
		assert.NotSame(t, shared, c.Expendable("attacked", false), "a dead one is replaced")
		select {
		case <-c.Context().Done():
			t.Error("the death ended the check")
		case <-time.After(50 * time.Millisecond):
		}
		c.Attach("input.json", []byte("{}"))
		c.Failf("died of it")
	}}
	final, servers := outcomeOf(t, 2, killer, bystander("beside it", false), stayingUp())
	assert.Equal(t, verdict.Fail, final["killer"].Verdict)
	assert.Equal(t, "died of it", final["killer"].Reason)
	assert.Equal(t, verdict.Pass, final["beside it"].Verdict)
	assert.Equal(t, verdict.Pass, final["stays up"].Verdict)
	assert.Len(t, servers.made, 4, "three expendable ones, and the bystander's")
}

// TestAttachedIsEvidence: what a check attaches, and the log of what it discarded, go to the keeper.
func TestAttachedIsEvidence(t *testing.T) {
	var kept Evidence
	one := &Check{Name: "one", Requirements: []string{StaysUp}, Body: func(c *C) {
		assert.Equal(t, uint64(7), c.Seed())
		c.Discard(c.Expendable("attacked", true), true)
		c.Attach("input.json", []byte("{}"))
		c.Failf("found")
	}}
	runner := New(Options{
		Checks: []*Check{one}, Deployments: &fakeServers{}, Seed: 7, Emit: func(verdict.Event) {},
		Keep: func(_ verdict.CheckResult, evidence Evidence) (string, string, error) {
			kept = evidence
			return "", "", nil
		},
	})
	assert.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	assert.Equal(t, map[string][]byte{"input.json": []byte("{}")}, kept.Attached)
	assert.Len(t, kept.Logs, 1)
}
