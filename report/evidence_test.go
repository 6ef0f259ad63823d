package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// after returns the time so many milliseconds after the start of the test's run.
func after(milliseconds int64) time.Time {
	return testRun().Started.Add(time.Duration(milliseconds) * time.Millisecond)
}

// judgedTwice is the final result of a check that failed at first, and passed when it was judged again.
func judgedTwice() verdict.Event {
	event := final("foreign signature by send", verdict.Pass, "")
	event.Result.Requirements = []string{"mapping/foreign", "mapping/handling"}
	event.Result.Started, event.Result.DurationMS, event.Result.Log = after(5000), 100, "checks/b.log"
	event.Result.First = &verdict.CheckResult{
		Name: "foreign signature by send", Requirements: []string{"mapping/foreign"}, Verdict: verdict.Blocked, BlockedBy: "mapping/in-join", Reason: "no mapping",
		Started: after(1000), DurationMS: 250, Log: "checks/b.first.log", Transcript: "checks/b.first.har",
	}
	return event
}

func TestBothResultsOfASuspectHaveTheirTimes(t *testing.T) {
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned(allNames()...), final("version advertised", verdict.Pass, ""), final("foreign signature by send_join", verdict.Pass, ""),
		judgedTwice(), final("join carries a mapping", verdict.Fail, "it has none"), end,
	})
	check := checkOf(t, results, "foreign signature by send")
	assert.Equal(t, verdict.Pass, check.Verdict)
	assert.Equal(t, []int64{5000, 5100}, []int64{check.StartMS, check.EndMS})
	assert.Equal(t, after(5000), check.Started)
	require.NotNil(t, check.First)
	assert.Equal(t, []int64{1000, 1250}, []int64{check.First.StartMS, check.First.EndMS})
	assert.Equal(t, verdict.Fail, check.First.RootVerdict)
	assert.Zero(t, checkOf(t, results, "version advertised").Started)
}

func TestRootVerdictStandsBesideTheRoot(t *testing.T) {
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned(allNames()...), blockedBy("mapping/in-join", "version advertised", "no mapping"), blockedBy("mapping/foreign", "join carries a mapping", "no room"),
		stepFailed("mapping/in-join", "version advertised", "no mapping"), final("foreign signature by send", verdict.Pass, ""),
		final("foreign signature by send_join", verdict.Pass, ""), end,
	})
	assert.Equal(t, verdict.Fail, checkOf(t, results, "version advertised").RootVerdict)
	unfounded := checkOf(t, results, "join carries a mapping")
	assert.Equal(t, verdict.Error, unfounded.Verdict)
	assert.Equal(t, verdict.Pass, unfounded.RootVerdict, "which is why it is an error")
}

// TestFindingsNameTheEvidenceOfTheirAttempt: a check that was judged again has evidence of two attempts, and none of a replay.
func TestFindingsNameTheEvidenceOfTheirAttempt(t *testing.T) {
	seen := func(detail string, at time.Time) verdict.Event {
		event := found("mapping/in-join", "foreign signature by send", detail)
		event.Finding.At = at
		return event
	}
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned(allNames()...), judgedTwice(), seen("first", after(1100)), seen("again", after(5100)), seen("replayed", after(9000)),
		found("mapping/in-join", "foreign signature by send", "by the runner"),
		{Kind: verdict.KindObservation, Check: "foreign signature by send", Observation: &verdict.Observation{ID: "mapping/handling", Reading: "refused"}}, end,
	})
	logs := map[string]string{}
	for _, each := range results.Findings {
		logs[each.Detail] = each.Log
	}
	assert.Equal(t, map[string]string{
		"first": "checks/b.first.log", "again": "checks/b.log", "replayed": "", "by the runner": "checks/b.log",
	}, logs)
	assert.Equal(t, []verdict.Observation{{
		ID: "mapping/handling", Reading: "refused", Check: "foreign signature by send", Log: "checks/b.log",
	}}, results.Observations)
}

func TestADifferenceFromTheFirstResultIsTold(t *testing.T) {
	event := judgedTwice()
	event.Result.Details = []string{"the first attempt came to blocked"}
	results := Assemble(testRun(), testCatalogue, []verdict.Event{planned(allNames()...), event, end})
	assert.Contains(t, junitLines(t, results), "mapping foreign signature by send: passed: requirements: mapping/foreign, mapping/handling\n"+
		"the first attempt came to blocked\nlog: checks/b.log")
}
