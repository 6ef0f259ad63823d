package check

// Deaths that the closing check must report although no check is a suspect, or another death has a culprit.

import (
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
