package stage_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/packed"
	"msc4014/helpers/stage"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// TestSharersOfASceneThatRanOutOfTime: they have no verdict either, and are not blocked by the requirement of the current step.
func TestSharersOfASceneThatRanOutOfTime(t *testing.T) {
	f := newFakeCandidate(t)
	shares := func(name, requirement string) *check.Check {
		return &check.Check{Name: name, Requires: []string{requirement}, Body: func(c *check.C) {
			stage.Scene(stage.Open(c, blueprints.OneServer), "a slow one", func() int {
				<-c.Context().Done()
				c.Need("mapping/in-creator-join", c.Context().Err())
				return 1
			})
		}}
	}
	var mu sync.Mutex
	final := map[string]verdict.CheckResult{}
	runner := check.New(check.Options{
		Deployments: f.world, Limit: 500 * time.Millisecond, Parallel: 2,
		Checks: []*check.Check{shares("needs it", "mapping/x"), shares("judges it", "mapping/in-creator-join")},
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal {
				mu.Lock()
				defer mu.Unlock()
				final[event.Check] = *event.Result
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	require.Len(t, final, 2)
	for name, result := range final {
		assert.Equal(t, verdict.Error, result.Verdict, name)
		assert.Contains(t, result.Reason, "did not end within 500ms of its own time", name)
		assert.Empty(t, result.BlockedBy, name)
	}
}

// TestSharersOfASceneWhosePreparationNeverEnds: the check that prepares is given up, and the others end with it.
func TestSharersOfASceneWhosePreparationNeverEnds(t *testing.T) {
	f := newFakeCandidate(t)
	release := make(chan struct{})
	defer close(release)
	var checks []*check.Check
	for _, name := range []string{"a", "b"} {
		checks = append(checks, &check.Check{Name: name, Requires: []string{"mapping/x"}, Body: func(c *check.C) {
			stage.Scene(stage.Open(c, blueprints.OneServer), "an endless one", func() int {
				c.Cleanup(func() { <-release }) // like one that needs a lock of the body
				<-release                       // like a parser in an endless loop, which ignores its context
				return 1
			})
		}})
	}
	var mu sync.Mutex
	reasons := map[string]string{}
	runner := check.New(check.Options{
		Deployments: f.world, Limit: 500 * time.Millisecond, Grace: 50 * time.Millisecond, Parallel: 2, Checks: checks,
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal {
				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, verdict.Error, event.Result.Verdict, event.Check)
				reasons[event.Check] = event.Result.Reason
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	require.Len(t, reasons, 2)
	assert.Contains(t, reasons["a"]+reasons["b"], "gave up")
	assert.Contains(t, reasons["a"]+reasons["b"], "did not end within 500ms of its own time")
}

// TestSharersOfASceneHaveItsEvidence: what the check that prepared the scene exchanged is evidence of all that rest on it.
func TestSharersOfASceneHaveItsEvidence(t *testing.T) {
	f := newFakeCandidate(t)
	f.home.Answer("POST", "/invite", 200, `{}`)
	shares := func(name string) *check.Check {
		return &check.Check{Name: name, Requires: []string{"mapping/x"}, Body: func(c *check.C) {
			s := stage.Open(c, blueprints.OneServer)
			stage.Scene(s, "an invite", func() int { s.User("alice").Blaming("mapping/y").Invites(testRoom, claimed); return 1 })
			c.Errorf("kept")
		}}
	}
	var mu sync.Mutex
	kept := map[string]check.Evidence{}
	runner := check.New(check.Options{
		Deployments: f.world, Parallel: 1, Checks: []*check.Check{shares("a"), shares("b")}, Emit: func(verdict.Event) {},
		Keep: func(result verdict.CheckResult, _ bool, evidence check.Evidence) (string, string, error) {
			mu.Lock()
			defer mu.Unlock()
			kept[result.Name] = evidence
			return "", "", nil
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	invites := func(of *packed.Value[[]transcript.Exchange]) bool {
		exchanges, err := of.Get()
		require.NoError(t, err)
		return slices.ContainsFunc(exchanges, func(e transcript.Exchange) bool { return strings.HasSuffix(e.URL, "/invite") })
	}
	assert.True(t, invites(kept["a"].Exchanges))
	assert.Empty(t, kept["a"].Shared)
	assert.False(t, invites(kept["b"].Exchanges))
	require.Len(t, kept["b"].Shared, 1)
	assert.Equal(t, "an invite", kept["b"].Shared[0].Name)
	assert.True(t, invites(kept["b"].Shared[0].Exchanges))
}

// TestScenesBlameExplicitly: a step that checks share and that blames what the current check judges is a defect of the suite, even if
// the step succeeds; after the scene, it is not.
func TestScenesBlameExplicitly(t *testing.T) {
	f := newFakeCandidate(t)
	invites := func(blame string, shared bool) verdict.CheckResult {
		f.home.Answer("POST", "/invite", 200, `{}`)
		defer f.home.Answer("POST", "/invite", -1, "")
		return f.judge(t, func(s *stage.Stage) {
			alice := s.User("alice")
			if blame != "" {
				alice = alice.Blaming(blame)
			}
			if shared {
				stage.Scene(s, "an invite", func() int { alice.Invites(testRoom, claimed); return 1 })
			}
			s.User("bob").Invites(testRoom, claimed)
		})
	}
	result := invites("", true)
	assert.Equal(t, verdict.Error, result.Verdict)
	assert.Contains(t, result.Reason, "a step that checks share (an invite) does not say which requirement to blame")
	for _, fine := range []verdict.CheckResult{invites("membership/invite", true), invites("", false)} {
		assert.Equal(t, verdict.Pass, fine.Verdict, fine.Reason)
	}
}

// TestSyncSaysWhatItLacks: a wait that ends while /sync is held says what the last answer lacked, not only that there was no answer.
func TestSyncSaysWhatItLacks(t *testing.T) {
	f := newFakeCandidate(t)
	result := f.judge(t, func(s *stage.Stage) {
		alice := s.User("alice")
		f.home.Answer("GET", "/sync", 200, `{"next_batch":"1"}`)
		defer f.home.Answer("GET", "/sync", -1, "")
		err := alice.SeesInSync("", func(*csapi.Response) error {
			f.home.Answer("GET", "/sync", 500, `{"errcode":"M_UNKNOWN"}`)
			return errors.New("no device of bob")
		})
		assert.ErrorContains(s.C, err, "no device of bob")
		assert.ErrorContains(s.C, err, "M_UNKNOWN")
	})
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
}

// TestSeesInTimeLooksLessAndLessOften: while nothing happens, what is looked for may still come, but each look costs the server much.
func TestSeesInTimeLooksLessAndLessOften(t *testing.T) {
	f := newFakeCandidate(t)
	f.home.HoldSyncs()
	result := f.judge(t, func(s *stage.Stage) {
		looks := 0
		err := s.User("alice").SeesInTime(func() error {
			if looks++; looks < 4 {
				return errors.New("not yet")
			}
			return nil
		})
		assert.NoError(s.C, err)
		assert.Equal(s.C, 4, looks)
		var holds []string
		for _, exchange := range s.C.Transcript() {
			if address, err := url.Parse(exchange.URL); err == nil && strings.HasSuffix(address.Path, "/sync") {
				holds = append(holds, address.Query().Get("timeout"))
			}
		}
		assert.Equal(s.C, []string{"0", "250", "500", "1000"}, holds)
	})
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
}

// TestSeesInTimeLooksAtTheDeadline: the last look is when the time is up, even if the server holds /sync until then.
func TestSeesInTimeLooksAtTheDeadline(t *testing.T) {
	f := newFakeCandidate(t)
	f.home.HoldSyncs()
	result := f.judge(t, func(s *stage.Stage) {
		begun := time.Now()
		err := s.User("alice").SeesInTime(func() error {
			if time.Since(begun) < stage.Patience {
				return errors.New("not yet")
			}
			return nil
		})
		assert.NoError(s.C, err)
	})
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
}
