package check

// What is kept of a check that was judged again, and of one that an observation or a finding rests on.

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// kept is a run with its results, its notes and the evidence that was kept of it: "check: verdict", with "first" for first attempts.
type kept struct {
	final    map[string]verdict.CheckResult
	notes    []string
	evidence map[string]Evidence
}

// keeping runs checks one at a time, with a monitor that found something during some of them.
func keeping(t *testing.T, found func(check string) bool, checks ...*Check) kept {
	t.Helper()
	var mu sync.Mutex
	run := kept{final: map[string]verdict.CheckResult{}, evidence: map[string]Evidence{}}
	runner := New(Options{
		Checks: checks, Deployments: &fakeServers{}, Parallel: 1, Quiet: 50 * time.Millisecond, Limit: longLimit, Slowness: quietMachine, Found: found,
		Emit: func(event verdict.Event) {
			mu.Lock()
			defer mu.Unlock()
			switch event.Kind {
			case verdict.KindCheckFinal:
				run.final[event.Check] = *event.Result
			case verdict.KindNote:
				run.notes = append(run.notes, event.Message)
			}
		},
		Keep: func(result verdict.CheckResult, first bool, evidence Evidence) (string, string, error) {
			mu.Lock()
			defer mu.Unlock()
			name := result.Name
			if first {
				name += " first"
			}
			run.evidence[name+": "+string(result.Verdict)] = evidence
			return name + ".log", name + ".har", nil
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	return run
}

// onceFailing is a check that fails the first time and passes after that.
func onceFailing(name string) *Check {
	var times atomic.Int64
	return named(name, func(c *C, _ *fakeServer) {
		if times.Add(1) == 1 {
			c.Errorf("a key leaks")
		}
	})
}

func TestBothResultsOfASuspectAreKept(t *testing.T) {
	culprit := named("culprit", func(c *C, server *fakeServer) {
		server.die(Death{Cause: "hs1 exited with status 2"})
		<-c.Context().Done()
		c.Errorf("no answer")
	})
	run := keeping(t, nil, onceFailing("unsteady"), harmless("steady", true), harmless("fine", false), culprit, stayingUp())

	unsteady := run.final["unsteady"]
	assert.Equal(t, verdict.Pass, unsteady.Verdict, "the trial counts")
	require.NotNil(t, unsteady.First)
	assert.Equal(t, verdict.Fail, unsteady.First.Verdict)
	assert.Equal(t, "a key leaks", unsteady.First.Reason)
	assert.Equal(t, "unsteady first.log", unsteady.First.Log)
	assert.Contains(t, run.evidence, "unsteady first: fail")
	assert.Equal(t, []string{"the first attempt came to fail (before its server died): a key leaks"}, unsteady.Details)
	assert.True(t, unsteady.First.Started.Before(unsteady.Started))
	told := 0
	for _, note := range run.notes {
		if strings.Contains(note, "results.json has both") {
			told++
			assert.Equal(t, `"unsteady" was fail before its server died, and is pass when judged again alone; results.json has both`, note)
		}
	}
	assert.Equal(t, 1, told, "others came to the same verdict, or were still running: %q", run.notes)

	for _, name := range []string{"steady", "fine"} {
		require.NotNil(t, run.final[name].First, name)
		assert.Equal(t, run.final[name].Verdict, run.final[name].First.Verdict)
		assert.Empty(t, run.final[name].Details, name)
	}
	require.NotNil(t, run.final["culprit"].First)
	assert.Equal(t, "no answer", run.final["culprit"].First.Reason)
	assert.Nil(t, run.final["stays up"].First)
}

// TestACulpritThatPassedAtFirstIsNoSurprise: the death says why it fails now.
func TestACulpritThatPassedAtFirstIsNoSurprise(t *testing.T) {
	run := keeping(t, nil, named("culprit", func(_ *C, server *fakeServer) {
		server.ends.Store(&Death{Cause: "hs1 exited with status 2"})
	}), stayingUp())
	culprit := run.final["culprit"]
	assert.True(t, culprit.Died)
	require.NotNil(t, culprit.First)
	assert.Equal(t, verdict.Pass, culprit.First.Verdict)
	assert.Contains(t, culprit.Details, "the first attempt came to pass (before its server died)")
	assert.NotEmpty(t, culprit.Transcript, "a trial alone passes before its server dies of it")
	for _, note := range run.notes {
		assert.NotContains(t, note, "results.json has both")
	}
}

// TestEvidenceThatWasNotNeededIsNotKeptLater: a monitor that finds something when a check is judged again says nothing about the first attempt.
func TestEvidenceThatWasNotNeededIsNotKeptLater(t *testing.T) {
	var times atomic.Int64
	again := func(string) bool { return times.Load() > 1 }
	found := named("found again", func(*C, *fakeServer) { times.Add(1) })
	culprit := named("culprit", func(_ *C, server *fakeServer) { server.die(Death{Cause: "hs1 exited with status 2"}) })
	run := keeping(t, again, found, culprit, stayingUp())
	require.NotNil(t, run.final["found again"].First)
	assert.Contains(t, run.evidence, "found again: pass")
	assert.NotContains(t, run.evidence, "found again first: pass")
	assert.Empty(t, run.final["found again"].First.Log)
}

func TestACheckThatIsJudgedOnceHasNoFirstResult(t *testing.T) {
	run := keeping(t, nil, deadly("a", 1), harmless("b", false), stayingUp())
	assert.Equal(t, verdict.Fail, run.final["a"].Verdict)
	assert.Nil(t, run.final["a"].First, "its only attempt killed its server")
	assert.Nil(t, run.final["b"].First)
}

func TestEvidenceOfObservationsAndFindingsIsKept(t *testing.T) {
	run := keeping(t, func(check string) bool { return check == "finds" },
		named("observes", func(c *C, _ *fakeServer) { c.Observe("refused", "with 403") }), harmless("finds", false), harmless("neither", false))
	assert.Len(t, run.evidence, 2)
	for _, name := range []string{"observes", "finds"} {
		assert.Equal(t, verdict.Pass, run.final[name].Verdict)
		assert.Equal(t, name+".har", run.final[name].Transcript)
		assert.Len(t, run.evidence[name+": pass"].Logs, 1, "the server's log")
	}
	assert.Empty(t, run.final["neither"].Transcript)
}

func TestChecksHaveTimes(t *testing.T) {
	before := time.Now()
	final, _ := outcomeOf(t, 1, harmless("a", false), stayingUp())
	assert.WithinRange(t, final["a"].Started, before, time.Now())
	assert.GreaterOrEqual(t, final["a"].DurationMS, int64(30))
	assert.Zero(t, final["stays up"].Started, "it does not run")
}

// TestResultsBeforeAnotherAttemptAreMarked: progress waits for the final result.
func TestResultsBeforeAnotherAttemptAreMarked(t *testing.T) {
	var mu sync.Mutex
	again := map[string]bool{}
	runner := New(Options{
		Deployments: &fakeServers{}, Parallel: 1, Quiet: time.Millisecond, Limit: longLimit, Slowness: quietMachine,
		Checks: []*Check{harmless("before", true), named("kills", func(c *C, server *fakeServer) {
			server.die(Death{Cause: "hs1 exited with status 2"})
			c.Errorf("connection reset")
		})},
		Emit: func(event verdict.Event) {
			mu.Lock()
			defer mu.Unlock()
			if event.Kind == verdict.KindCheckDone {
				again[event.Check] = event.Again
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	assert.Equal(t, map[string]bool{"before": false, "kills": true}, again)
}
