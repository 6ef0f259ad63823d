package report

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
)

var testCatalogue = Catalogue{
	Version: 3, MSCNumber: 4014, MSCCommit: "85b5",
	Requirements: []CatalogueEntry{
		{ID: "room-version/advertised", Chapter: "room-version", Kind: "must", Since: 1, Demand: "A demand.", Source: "MSC4014, Proposal 1"},
		{ID: "room-version/identifier", Chapter: "room-version", Kind: "open", Since: 1, Demand: "A demand.", Source: "MSC4014, Proposal 1"},
		{ID: "mapping/foreign", Chapter: "mapping", Kind: "must", Since: 1, Demand: "A demand.", Source: "MSC4014, Proposal 1"},
		{ID: "mapping/handling", Chapter: "mapping", Kind: "open", Since: 1, Demand: "A demand.", Source: "MSC4014, Proposal 1"},
		{ID: "mapping/in-join", Chapter: "mapping", Kind: "must", Since: 2, Demand: "A demand.", Source: "MSC4014, Proposal 1"},
		{ID: "signing/no-lookup", Chapter: "signing", Kind: "should", Own: true, Since: 3, Demand: "A demand.", Source: "MSC4014, Proposal 1"},
	},
}

var testChecks = []selection.Check{
	{Name: "version advertised", Requirements: []string{"room-version/advertised", "room-version/identifier"}},
	{Name: "foreign signature by send_join", Requirements: []string{"mapping/foreign", "mapping/handling"}, Path: "send_join"},
	{Name: "foreign signature by send", Requirements: []string{"mapping/foreign", "mapping/handling"}, Path: "send"},
	{Name: "join carries a mapping", Requirements: []string{"mapping/in-join"}},
}

func planned(names ...string) verdict.Event {
	return verdict.Event{Kind: verdict.KindPlan, Total: len(names), Checks: names}
}

func final(name string, v verdict.Verdict, reason string) verdict.Event {
	return verdict.Event{Kind: verdict.KindCheckFinal, Check: name, Result: &verdict.CheckResult{
		Name: name, Verdict: v, Reason: reason, DurationMS: 1200,
	}}
}

// blockedBy is the final result of a check that is blocked.
func blockedBy(root, name, reason string) verdict.Event {
	blocked := final(name, verdict.Blocked, reason)
	blocked.Result.BlockedBy = root
	return blocked
}

// stepFailed is the finding of a step that failed and blocked a check.
func stepFailed(root, check, detail string) verdict.Event {
	failed := found(root, check, detail)
	failed.Finding.Step = true
	return failed
}

func observed(id, reading, detail string) verdict.Event {
	return verdict.Event{Kind: verdict.KindObservation, Observation: &verdict.Observation{
		ID: id, Reading: reading, Detail: detail,
	}}
}

func found(id, check, detail string) verdict.Event {
	return verdict.Event{Kind: verdict.KindFinding, Finding: &verdict.Finding{
		Requirement: id, Check: check, Detail: detail,
	}}
}

var end = verdict.Event{Kind: verdict.KindEnd}

func allNames() []string {
	var names []string
	for _, check := range testChecks {
		names = append(names, check.Name)
	}
	return names
}

func testRun() Run {
	return Run{
		Suite: Suite{Version: "0.1.0", Commit: "abc"}, Registered: testChecks,
		Started: time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC), Duration: 18200 * time.Millisecond,
		Candidate: verdict.Candidate{Name: "dendrite@0.13.8", Version: "0.13.8", Runtime: "docker"},
	}
}

func requirementOf(t *testing.T, results Results, id string) Requirement {
	t.Helper()
	for _, requirement := range results.Requirements {
		if requirement.ID == id {
			return requirement
		}
	}
	require.Failf(t, "no such requirement in the results", "%s", id)
	return Requirement{}
}

func checkOf(t *testing.T, results Results, name string) verdict.CheckResult {
	t.Helper()
	for _, check := range results.Checks {
		if check.Name == name {
			return check
		}
	}
	require.Failf(t, "no such check in the results", "%s", name)
	return verdict.CheckResult{}
}

func TestAssembleWholeRun(t *testing.T) {
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned(allNames()...),
		{Kind: verdict.KindCandidate, Candidate: &verdict.Candidate{Dialect: "dendrite", RoomVersion: "org.matrix.msc4014"}},
		{Kind: verdict.KindCheckDone, Check: "version advertised", Result: &verdict.CheckResult{Verdict: verdict.Fail}},
		final("version advertised", verdict.Pass, ""),
		final("foreign signature by send_join", verdict.Fail, "bob is a member"),
		final("foreign signature by send", verdict.Pass, ""),
		observed("mapping/handling", "refused", ""),
		observed("mapping/handling", verdict.NoneSeen, "timed out"),
		observed("mapping/handling", "refused", "again"),
		blockedBy("mapping/foreign", "join carries a mapping", "no room"),
		end,
	})
	assert.Empty(t, results.Incomplete)
	assert.Equal(t, 2, results.Schema)
	assert.Equal(t, MSC{Number: 4014, Commit: "85b5", Catalogue: 3}, results.MSC)
	assert.Equal(t, "dendrite", results.Candidate.Dialect)
	assert.Equal(t, "0.13.8", results.Candidate.Version)
	assert.Equal(t, int64(18200), results.DurationMS)

	foreign := requirementOf(t, results, "mapping/foreign")
	assert.Equal(t, verdict.Fail, foreign.Verdict)
	assert.Equal(t, "bob is a member (1 of 2 checks)", foreign.Reason)
	assert.Equal(t, []string{"foreign signature by send_join", "foreign signature by send"}, foreign.Checks)

	handling := requirementOf(t, results, "mapping/handling")
	assert.Equal(t, verdict.Pass, handling.Verdict, "an open requirement never fails with its checks")
	assert.Equal(t, []string{"refused"}, handling.Readings)
	assert.Len(t, results.Observations, 1, "the same reading once, without 'none seen'")

	assert.Equal(t, verdict.Inconclusive, requirementOf(t, results, "room-version/identifier").Verdict)
	assert.Equal(t, verdict.Blocked, requirementOf(t, results, "mapping/in-join").Verdict)
	noCheck := requirementOf(t, results, "signing/no-lookup")
	assert.Equal(t, verdict.NotRun, noCheck.Verdict)
	assert.Equal(t, ReasonNoCheckYet, noCheck.Reason)
	assert.NotNil(t, noCheck.Checks, "an empty list, not null")

	assert.Equal(t, "2 pass, 1 fail, 1 blocked", results.Counts.String())
	assert.Equal(t, "1 pass, 1 fail, 1 blocked", results.RequirementCounts.String(), "without the suite's own demands")
	assert.Equal(t, "1 not-run", results.OwnCounts.String())
}

func TestAssembleCutOffStream(t *testing.T) {
	run := testRun()
	run.Incomplete = "the suite's binary ended (signal: killed)"
	results := Assemble(run, testCatalogue, []verdict.Event{
		planned(allNames()...), final("version advertised", verdict.Pass, ""),
		{Kind: verdict.KindCheckStart, Check: "foreign signature by send_join"},
		{Kind: verdict.KindCheckStart, Check: "foreign signature by send"},
		{Kind: verdict.KindCheckDone, Check: "foreign signature by send", Result: &verdict.CheckResult{Verdict: verdict.Fail}},
	})
	assert.Equal(t, run.Incomplete, results.Incomplete)
	assert.Equal(t, verdict.Pass, checkOf(t, results, "version advertised").Verdict)
	lost := checkOf(t, results, "join carries a mapping")
	assert.Equal(t, verdict.NotRun, lost.Verdict)
	assert.Equal(t, "the run ended before this check began: the suite's binary ended (signal: killed)", lost.Reason)
	assert.Equal(t, "the run ended before this check did: the suite's binary ended (signal: killed)",
		checkOf(t, results, "foreign signature by send_join").Reason)
	done := checkOf(t, results, "foreign signature by send")
	assert.Equal(t, verdict.NotRun, done.Verdict, "a provisional verdict does not count")
	assert.Equal(t, "the run ended before this check's verdict was final (fail, until its servers have passed their closing health check): "+
		"the suite's binary ended (signal: killed)", done.Reason)
	assert.Equal(t, []string{"mapping/in-join"}, lost.Requirements)
	assert.Equal(t, 3, results.Counts[verdict.NotRun])
	assert.Equal(t, "verdicts kept: 1 of 4; the other checks are not-run", keptVerdicts(results))

	results = Assemble(testRun(), testCatalogue, []verdict.Event{planned("version advertised")})
	assert.NotEmpty(t, results.Incomplete, "a stream without an end event is incomplete")
}

func TestAssemblePartRun(t *testing.T) {
	run := testRun()
	run.Selection.Pattern = regexp.MustCompile("send_join|mapping/in-join")
	results := Assemble(run, testCatalogue, []verdict.Event{
		planned("foreign signature by send_join", "join carries a mapping"),
		final("foreign signature by send_join", verdict.Pass, ""),
		final("join carries a mapping", verdict.Pass, ""),
		found("signing/no-lookup", "join carries a mapping", "asked for keys"),
		end,
	})
	assert.Equal(t, &Selection{Run: "send_join|mapping/in-join"}, results.Selection)
	left := checkOf(t, results, "foreign signature by send")
	assert.True(t, LeftOut(left.Verdict, left.Reason))
	assert.Equal(t, verdict.Pass, requirementOf(t, results, "mapping/in-join").Verdict)
	half := requirementOf(t, results, "mapping/foreign")
	assert.Equal(t, verdict.NotRun, half.Verdict, "one of its two checks was left out")
	assert.Equal(t, "left out by --run (1 of 2 checks)", half.Reason)
	assert.Equal(t, ReasonLeftOutByRun, requirementOf(t, results, "signing/no-lookup").Reason)
	assert.Empty(t, results.Findings, "what was not asked for is not judged, whatever the monitors see")

	run = testRun()
	run.Selection.Shard = "1/2"
	results = Assemble(run, testCatalogue, []verdict.Event{
		planned("version advertised"), final("version advertised", verdict.Pass, ""), end,
	})
	assert.Equal(t, "left out by --shard 1/2", checkOf(t, results, "join carries a mapping").Reason)
}

// TestClosingCheckPassesInWholeRunsOnly: its fail counts in any run.
func TestClosingCheckPassesInWholeRunsOnly(t *testing.T) {
	run := testRun()
	run.Registered = append([]selection.Check{{Name: "stays up", Requirements: []string{"mapping/in-join"}, Closing: true}}, testChecks[:3]...)
	judged := func(v verdict.Verdict) Requirement {
		closing := final("stays up", v, "")
		closing.Result.Closing = true
		if v == verdict.Fail {
			closing.Result.Reason = "hs1 died"
		}
		results := Assemble(run, testCatalogue, []verdict.Event{
			planned("version advertised", "stays up"), final("version advertised", verdict.Pass, ""), closing, end,
		})
		return requirementOf(t, results, "mapping/in-join")
	}
	assert.Equal(t, verdict.Pass, judged(verdict.Pass).Verdict)
	run.Selection.Pattern = regexp.MustCompile("^version")
	part := judged(verdict.Pass)
	assert.True(t, LeftOut(part.Verdict, part.Reason), "%s: %s", part.Verdict, part.Reason)
	assert.Equal(t, verdict.Fail, judged(verdict.Fail).Verdict)
	run.Selection.Pattern, run.Selection.Shard = nil, "1/2"
	assert.Equal(t, verdict.NotRun, judged(verdict.Pass).Verdict)
	assert.Equal(t, verdict.Fail, judged(verdict.Fail).Verdict)
}

func TestAssembleFindings(t *testing.T) {
	events := []verdict.Event{planned(allNames()...)}
	for _, name := range allNames() {
		events = append(events, final(name, verdict.Pass, ""))
	}
	events = append(events,
		found("mapping/in-join", "version advertised", "$a has no mapping"),
		found("mapping/in-join", "version advertised", "$a has no mapping"),
		found("mapping/in-join", "join carries a mapping", "$b has no mapping"),
		found("mapping/handling", "version advertised", "an open one"),
	)
	for i := range 30 {
		events = append(events, found("signing/no-lookup", "version advertised", "event "+string(rune('A'+i))))
	}
	results := Assemble(testRun(), testCatalogue, append(events, end))
	broken := requirementOf(t, results, "mapping/in-join")
	assert.Equal(t, verdict.Fail, broken.Verdict)
	assert.Equal(t, `seen by the monitors during "version advertised": $a has no mapping (and 1 more)`, broken.Reason)
	assert.NotEqual(t, verdict.Fail, requirementOf(t, results, "mapping/handling").Verdict)
	assert.Equal(t, verdict.Fail, requirementOf(t, results, "signing/no-lookup").Verdict, "though it has no check")
	assert.Len(t, findingsOf(results, "signing/no-lookup"), findingsKept)
	assert.Equal(t, 4, results.Counts[verdict.Pass], "checks keep their verdicts")
}

// TestRepeatedChecks: all times count, and checks of which they differ are named.
func TestRepeatedChecks(t *testing.T) {
	name, steady := "foreign signature by send", "version advertised"
	again, third := verdict.Repeat(name, 2, 3), verdict.Repeat(name, 3, 3)
	assert.Equal(t, name, verdict.Repeat(name, 1, 3))
	assert.Equal(t, name, verdict.Repeated(third))
	failed := final(again, verdict.Fail, "seen once")
	failed.Result.Requirements = []string{"mapping/foreign"}
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned(append(allNames(), again, third, verdict.Repeat(steady, 2, 3))...), final(name, verdict.Pass, ""), failed, final(third, verdict.Pass, ""),
		final(steady, verdict.Pass, ""), final(verdict.Repeat(steady, 2, 3), verdict.Pass, ""), final("foreign signature by send_join", verdict.Pass, ""),
		final("join carries a mapping", verdict.Pass, ""), end,
	})
	assert.Equal(t, []Unsteady{{Check: name, Counts: Counts{verdict.Pass: 2, verdict.Fail: 1}}}, results.Unsteady)
	assert.Equal(t, verdict.Fail, requirementOf(t, results, "mapping/foreign").Verdict)
	var text strings.Builder
	assert.NoError(t, WriteSummary(&text, Style{}, []Summarised{{Results: results}}, false))
	assert.Contains(t, text.String(), "  unsteady       foreign signature by send: 2 pass, 1 fail\n")
}

func TestAssembleOddEvents(t *testing.T) {
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned("version advertised", "not registered"),
		{Kind: verdict.KindCheckFinal, Check: "version advertised"},
		final("not registered", "splendid", "why not"),
		final("not planned", verdict.Pass, ""),
		{Kind: verdict.KindNote, Message: "a word"},
		end,
	})
	assert.Equal(t, verdict.Error, checkOf(t, results, "version advertised").Verdict, "a final event without a result")
	assert.Equal(t, verdict.Error, checkOf(t, results, "not registered").Verdict)
	assert.Contains(t, checkOf(t, results, "not registered").Reason, `"splendid"`)
	assert.Equal(t, verdict.Pass, checkOf(t, results, "not planned").Verdict)
	assert.Equal(t, []string{"a word"}, results.Notes)
}

func TestAssemblePair(t *testing.T) {
	run := testRun()
	run.Registered = append([]selection.Check{{Name: "on two servers", Requirements: []string{"mapping/in-join"}, Mixed: true}}, testChecks...)
	run.Selection.Pair = true
	servers := []verdict.Server{{Host: "hs1", Name: "one@1"}, {Host: "hs2", Name: "other", Version: "2"}}
	events := []verdict.Event{
		planned("on two servers"),
		{Kind: verdict.KindCandidate, Candidate: &verdict.Candidate{Servers: servers}},
		final("on two servers", verdict.Unsupported, "no dialect in common"),
		found("mapping/in-join", "on two servers", "an event"), found("mapping/foreign", "on two servers", "another"),
		end,
	}
	results := Assemble(run, testCatalogue, events)
	assert.Equal(t, servers, results.Candidate.Servers)
	assert.Equal(t, &Selection{Pair: true}, results.Selection)
	assert.Equal(t, verdict.Unsupported, checkOf(t, results, "on two servers").Verdict)
	left := checkOf(t, results, "version advertised")
	assert.Equal(t, ReasonLeftOutByPair, left.Reason)
	assert.True(t, LeftOut(left.Verdict, left.Reason))
	assert.Equal(t, []verdict.Finding{{Requirement: "mapping/in-join", Check: "on two servers", Detail: "an event"}}, results.Findings,
		"what is seen of others counts in each candidate's own run")

	run.Selection.Pattern = regexp.MustCompile("^mapping/foreign$")
	results = Assemble(run, testCatalogue, events)
	assert.Equal(t, ReasonLeftOutByRun, checkOf(t, results, "version advertised").Reason)
	assert.Equal(t, ReasonLeftOutByPair, checkOf(t, results, "foreign signature by send").Reason)
	assert.Len(t, results.Findings, 2, "asked for by name")
}

func TestHeadingNamesTheServersOfAMixedDeployment(t *testing.T) {
	results := Results{Candidate: verdict.Candidate{
		Name: "one@1,other", Runtime: "docker", Servers: []verdict.Server{{Host: "hs1", Name: "one@1", Version: "1"}, {Host: "hs2", Name: "other", Version: "2"}},
	}}
	assert.Equal(t, "one@1,other (hs1 one@1, hs2 other 2) in containers, 0s", heading(results))
}

// A step that fails is evidence against the requirement that it names: also where that requirement's own checks pass, and where it was
// not asked for.
func TestAFailedStepFailsItsRequirement(t *testing.T) {
	events := []verdict.Event{
		planned("join carries a mapping", "foreign signature by send"),
		final("foreign signature by send", verdict.Pass, ""),
		stepFailed("mapping/foreign", "join carries a mapping", "/sync answered 500"),
		blockedBy("mapping/foreign", "join carries a mapping", "/sync answered 500"),
		end,
	}
	run := testRun()
	run.Selection.Pattern = regexp.MustCompile("^mapping/in-join$|^foreign signature by send$")
	results := Assemble(run, testCatalogue, events)
	foreign := requirementOf(t, results, "mapping/foreign")
	assert.Equal(t, verdict.Fail, foreign.Verdict)
	assert.Equal(t, `a step of "join carries a mapping" failed: /sync answered 500`, foreign.Reason)
	assert.Equal(t, verdict.Blocked, requirementOf(t, results, "mapping/in-join").Verdict)
	assert.Zero(t, results.Counts[verdict.Error])

	// In a run without a baseline that is a failure.
	exit := ExitOf(results)
	assert.Equal(t, StatusWorse, exit.Status, exit.Reasons)
}

// A check that is blocked by a requirement that did not fail hides that something broke: the suite's own error.
func TestBlockedByARequirementThatDidNotFailIsAnError(t *testing.T) {
	for _, root := range []string{"", "mapping/foreign", "room-version/advertised", "room-version/identifier", "no/requirement"} {
		results := Assemble(testRun(), testCatalogue, []verdict.Event{
			planned("join carries a mapping", "foreign signature by send", "version advertised"),
			final("foreign signature by send", verdict.Pass, ""), final("version advertised", verdict.Inconclusive, ""),
			stepFailed("room-version/identifier", "join carries a mapping", "an open requirement cannot fail"),
			blockedBy(root, "join carries a mapping", "/sync answered 500"),
			end,
		})
		blocked := results.Checks[slices.IndexFunc(results.Checks, func(check verdict.CheckResult) bool { return check.Name == "join carries a mapping" })]
		assert.Equal(t, verdict.Error, blocked.Verdict, root)
		assert.Contains(t, blocked.Reason, "/sync answered 500")
		assert.Equal(t, verdict.Error, requirementOf(t, results, "mapping/in-join").Verdict)
		assert.Equal(t, StatusWorse, ExitOf(results).Status)
	}
}
