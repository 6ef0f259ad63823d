package check

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// eventsOf runs checks, with others in reserve, and returns the final results by name, the findings, and the checks planned later.
func eventsOf(t *testing.T, parallel int, roots func(string) error, reserve []*Check, checks ...*Check) (map[string]verdict.CheckResult, []verdict.Finding, []string) {
	t.Helper()
	var (
		mu       sync.Mutex
		final    = map[string]verdict.CheckResult{}
		findings []verdict.Finding
		planned  []string
	)
	runner := New(Options{
		Checks: checks, Reserve: reserve, Roots: roots, Deployments: &fakeServers{}, Parallel: parallel, Limit: longLimit, Slowness: quietMachine,
		Emit: func(event verdict.Event) {
			mu.Lock()
			defer mu.Unlock()
			switch event.Kind {
			case verdict.KindCheckFinal:
				assert.NotContains(t, final, event.Check, "two final results")
				final[event.Check] = *event.Result
			case verdict.KindFinding:
				findings = append(findings, *event.Finding)
			case verdict.KindPlan:
				planned = append(planned, event.Checks...)
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	return final, findings, planned
}

func judging(name, requirement string, body func(*C)) *Check {
	return &Check{Name: name, Requires: []string{requirement}, Body: body}
}

// A step that fails before the action under test is a finding against the requirement that it names; after the action, the check fails.
func TestAStepCountsForTheActionUnderTest(t *testing.T) {
	broken := errors.New("/sync answered 500")
	final, findings, _ := eventsOf(t, 2, nil, nil,
		judging("before", "redaction/mapping-stays", func(c *C) { c.Need("client-view/sync", broken); c.UnderTest() }),
		judging("after", "redaction/mapping-stays", func(c *C) { c.UnderTest(); c.Need("client-view/sync", broken) }),
		judging("own", "client-view/sync", func(c *C) { c.Need("client-view/sync", broken) }),
		judging("failed before", "mapping/other", func(c *C) { c.Errorf("a key leaks"); c.Need("client-view/sync", broken) }),
	)
	assert.Equal(t, verdict.Blocked, final["before"].Verdict)
	assert.Equal(t, "client-view/sync", final["before"].BlockedBy)
	assert.Equal(t, verdict.Fail, final["after"].Verdict)
	assert.Equal(t, "/sync answered 500", final["after"].Reason)
	assert.Contains(t, final["after"].Details[0], "client-view/sync")
	assert.Empty(t, final["after"].BlockedBy)
	assert.Equal(t, verdict.Fail, final["own"].Verdict)
	assert.Equal(t, verdict.Fail, final["failed before"].Verdict)
	assert.Equal(t, []verdict.Finding{{Requirement: "client-view/sync", Check: "before", Detail: "/sync answered 500", Step: true}}, findings)
}

// What checks share may include the action under test: then all of them fail.
func TestASharedStepAfterTheActionUnderTest(t *testing.T) {
	endings := make(chan Ending, 1)
	final, findings, _ := eventsOf(t, 1, nil, nil,
		judging("a", "redaction/mapping-stays", func(c *C) {
			defer func() { endings <- c.Ended() }()
			c.UnderTest()
			c.Need("client-view/sync", errors.New("answered 500"))
		}),
		judging("b", "redaction/routing-stays", func(c *C) { c.EndAs(<-endings) }),
	)
	assert.Equal(t, verdict.Fail, final["a"].Verdict)
	assert.Equal(t, verdict.Fail, final["b"].Verdict, final["b"].Reason)
	assert.Empty(t, findings)
}

// A part run draws in what judges the requirements that its steps found broken, and what judges those that block these.
func TestChecksOfABrokenRequirementAreDrawnIn(t *testing.T) {
	var mu sync.Mutex
	runs := map[string]int{}
	blocked := func(name, requirement, by string) *Check {
		return judging(name, requirement, func(c *C) {
			mu.Lock()
			runs[name]++
			mu.Unlock()
			if by != "" {
				c.Need(by, errors.New(name+" cannot"))
			}
		})
	}
	for _, parallel := range []int{1, 4} {
		clear(runs)
		final, findings, planned := eventsOf(t, parallel, nil, []*Check{
			blocked("joins", "membership/join", "room/created"), blocked("creates", "room/created", ""), blocked("creates twice", "room/created", ""),
			blocked("other", "mapping/other", ""),
		}, blocked("asked", "mapping/asked", "membership/join"), blocked("asked too", "mapping/asked", "membership/join"))
		assert.ElementsMatch(t, []string{"joins", "creates", "creates twice"}, planned)
		assert.Equal(t, map[string]int{"asked": 1, "asked too": 1, "joins": 1, "creates": 1, "creates twice": 1}, runs)
		assert.Len(t, final, 5)
		assert.Len(t, findings, 3)
		assert.Equal(t, verdict.Pass, final["creates"].Verdict)
	}
}

func TestAStepMayBlameRootsOnly(t *testing.T) {
	final, findings, _ := eventsOf(t, 1, func(id string) error {
		if id == "mapping/open" {
			return fmt.Errorf("%s is open", id)
		}
		return nil
	}, nil, judging("a", "mapping/one", func(c *C) { c.Need("mapping/open", errors.New("refused")) }))
	assert.Equal(t, verdict.Error, final["a"].Verdict)
	assert.Equal(t, "mapping/open is open", final["a"].Reason)
	assert.Empty(t, findings)
}

func TestValidateRoots(t *testing.T) {
	registry := &Registry{}
	registry.Register(Check{Name: "a", Requires: []string{"mapping/one"}, Body: func(*C) {}})
	registry.Blames("mapping/one", "membership/later", "mapping/one")
	assert.Equal(t, []string{"mapping/one", "membership/later"}, registry.Roots())
	fine := func(string) error { return nil }
	assert.EqualError(t, registry.ValidateRoots(fine), "steps of checks blame membership/later, which no check judges")
	assert.EqualError(t, registry.ValidateRoots(func(string) error { return errors.New("it is open") }),
		"steps of checks blame mapping/one: it is open")
	registry.Register(Check{Name: "b", Requires: []string{"membership/later"}, Body: func(*C) {}})
	assert.NoError(t, registry.ValidateRoots(fine))
}

// The death of a server is told apart from a wrong answer.
func TestADeathIsMarked(t *testing.T) {
	final, _ := outcomeOf(t, 1,
		named("kills", func(_ *C, server *fakeServer) { server.die(Death{Cause: "hs1 exited with status 2"}) }), harmless("wrong", true), stayingUp())
	assert.True(t, final["kills"].Died)
	assert.False(t, final["wrong"].Died)
}
