package report

// The forms made from results.json: golden files in testdata, written anew with UPDATE_GOLDEN=1.

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

// sample is a run with one of everything.
func sample() Results {
	failed := final("foreign signature by send_join", verdict.Fail, "bob of peer2.example is a member,\nthough only peer1.example signed")
	failed.Result.Log = "checks/foreign-signature-by-send_join/hs1.log"
	failed.Result.Transcript = "checks/foreign-signature-by-send_join/transcript.txt"
	failed.Result.Details = []string{"answer: 200", "the key: <AAA\x00>"}
	blocked := final("join carries a mapping", verdict.Blocked, "no room could be made")
	blocked.Result.BlockedBy = "mapping/foreign"
	results := Assemble(testRun(), testCatalogue, []verdict.Event{
		planned(allNames()...),
		{Kind: verdict.KindCandidate, Candidate: &verdict.Candidate{Dialect: "dendrite", RoomVersion: "org.matrix.msc4014"}},
		final("version advertised", verdict.Pass, ""), failed, final("foreign signature by send", verdict.Error, "no memory"),
		blocked, found("signing/no-lookup", "version advertised", "asked peer3.example for its keys"),
		observed("mapping/handling", "placeholder", "@_unverified_bob"), end,
	})
	results.Baseline = &Comparison{
		File: "baselines/dendrite@0.13.8.json", Compared: 2, Unreviewed: 1,
		Differences: []Difference{
			{Kind: Worse, What: "check", Name: "foreign signature by send_join", Expected: "pass", Got: "fail", Reason: "bob is a member"},
			{Kind: Gone, What: "check", Name: "an old check", Expected: "pass"},
		},
		New: []Difference{{Kind: New, What: "observation", Name: "mapping/handling", Got: "placeholder"}},
		Expected: []Expected{
			{What: "check", Name: "join carries a mapping", Verdict: verdict.Blocked, Reason: "no room can be made before version 2"},
			{What: "monitor", Name: "signing/no-lookup", Verdict: verdict.Fail, Reason: "it asks every server for keys"},
		},
	}
	return results
}

func TestSummary(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, WriteSummary(&text, Style{}, []Summarised{{Results: sample(), Folder: "results/dendrite@0.13.8"}}, true))
	golden(t, "summary.txt", text.Bytes())
	assert.NotContains(t, text.String(), "\x1b")
}

// TestBriefSummary: only what was not expected is told in full, and what it means for users once for each sentence.
func TestBriefSummary(t *testing.T) {
	results := sample()
	for i := range results.Requirements {
		results.Requirements[i].Consequence = "Anybody can pass for anybody."
	}
	var text bytes.Buffer
	require.NoError(t, WriteSummary(&text, Style{}, []Summarised{{Results: results, Folder: "results/dendrite@0.13.8"}}, false))
	golden(t, "summary-brief.txt", text.Bytes())
	assert.NotContains(t, text.String(), "no room could be made", "it is blocked as the baseline expects")

	results.Strict = true
	text.Reset()
	require.NoError(t, WriteSummary(&text, Style{}, []Summarised{{Results: results}}, false))
	assert.Contains(t, text.String(), "no room could be made", "nothing is expected with --strict")
}

func TestSummaryOfSeveral(t *testing.T) {
	second := sample()
	second.Candidate = verdict.Candidate{Name: "synapse", Version: "1.146", Runtime: "docker"}
	second.Baseline = &Comparison{}
	for i := range second.Checks {
		second.Checks[i].Verdict, second.Checks[i].Reason = verdict.Unsupported, "it does not have the room version"
		second.Checks[i].BlockedBy, second.Checks[i].Log, second.Checks[i].Transcript = "", "", ""
		second.Checks[i].Requirements = second.Checks[1].Requirements
	}
	second.Findings, second.Incomplete = nil, "interrupted by SIGINT"
	var text bytes.Buffer
	require.NoError(t, WriteSummary(&text, Style{}, []Summarised{
		{Results: sample(), Folder: "a"}, {Results: second, Folder: "b"},
	}, true))
	golden(t, "summary-several.txt", text.Bytes())
}

// TestBriefSummaryTellsAFewNewResults: a hundred new checks do not bury what is worse.
func TestBriefSummaryTellsAFewNewResults(t *testing.T) {
	results := sample()
	for i := range 20 {
		results.Baseline.New = append(results.Baseline.New, Difference{Kind: New, What: "check", Name: fmt.Sprint("new ", i), Got: "pass"})
	}
	var text bytes.Buffer
	require.NoError(t, WriteSummary(&text, Style{}, []Summarised{{Results: results}, {Results: results}}, false))
	assert.Equal(t, 2*newShown, strings.Count(text.String(), "    new          ")-2)
	assert.Contains(t, text.String(), "new          16 more, in the report")
	tail := text.String()[strings.Index(text.String(), "worse than expected"):]
	assert.Contains(t, tail, "dendrite@0.13.8: foreign signature by send_join: expected pass, got fail\n    bob is a member\n")
}

func TestJUnit(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, WriteJUnit(&text, sample()))
	golden(t, "junit.xml", text.Bytes())
	var parsed junitSuites
	require.NoError(t, xml.Unmarshal(text.Bytes(), &parsed), "it is XML, whatever a server answered")
	assert.Equal(t, 7, parsed.Tests)
	assert.Equal(t, 2, parsed.Failures, "one is worse, one is gone")
	assert.Equal(t, 1, parsed.Errors)
	assert.Equal(t, 3, parsed.Skipped, "two are expected, one is new")
}

// TestJUnitSaysHowEachCaseComparesWithTheBaseline: junit.xml alone says what is expected, and why.
func TestJUnitSaysHowEachCaseComparesWithTheBaseline(t *testing.T) {
	results := Results{
		Candidate: verdict.Candidate{Name: "dendrite@1", RoomVersion: "org.matrix.msc4014"},
		Requirements: []Requirement{
			{ID: "mapping/better", Kind: "must"}, {ID: "mapping/worse", Kind: "must"}, {ID: "mapping/expected", Kind: "must"},
		},
		Findings: []verdict.Finding{
			{Requirement: "mapping/worse", Check: "pass", Detail: "$a"}, {Requirement: "mapping/expected", Check: "pass", Detail: "$b"},
		},
		Baseline: &Comparison{
			File: "b.json",
			Differences: []Difference{
				{Kind: Worse, What: "check", Name: "worse", Expected: "pass", Got: "blocked", Reason: "no room"},
				{Kind: Better, What: "check", Name: "better", Expected: "fail", Got: "pass", ExpectedReason: "it forgets mappings"},
				{Kind: Changed, What: "check", Name: "changed", Expected: "blocked", Got: "unsupported", Reason: "no version"},
				{Kind: Gone, What: "check", Name: "gone", Expected: "pass"},
				{Kind: Worse, What: "monitor", Name: "mapping/worse", Expected: "pass", Got: "fail"},
				{Kind: Better, What: "monitor", Name: "mapping/better", Expected: "fail", Got: "pass", ExpectedReason: "keys are told to clients"},
				{Kind: Changed, What: "observation", Name: "mapping/open", Expected: "refused", Got: "dropped", Reason: "by /send"},
			},
			New: []Difference{
				{Kind: New, What: "check", Name: "new pass", Got: "pass"}, {Kind: New, What: "check", Name: "new fail", Got: "fail", Reason: "it broke"},
				{Kind: New, What: "observation", Name: "mapping/new", Got: "refused"},
			},
			Expected: []Expected{
				{What: "check", Name: "expected", Verdict: verdict.Fail, Reason: "it takes any key"},
				{What: "monitor", Name: "mapping/expected", Verdict: verdict.Fail, Reason: "it asks everybody"},
			},
		},
	}
	for _, one := range []verdict.CheckResult{
		{Name: "pass", Verdict: verdict.Pass}, {Name: "worse", Verdict: verdict.Blocked, BlockedBy: "mapping/root", Reason: "no room"},
		{Name: "better", Verdict: verdict.Pass}, {Name: "changed", Verdict: verdict.Unsupported, Reason: "no version"},
		{Name: "new pass", Verdict: verdict.Pass}, {Name: "new fail", Verdict: verdict.Fail, Reason: "it broke"},
		{Name: "expected", Verdict: verdict.Fail, Reason: "it took one"}, {Name: "error", Verdict: verdict.Error, Reason: "no memory"},
		{Name: "cannot", Verdict: verdict.NotRun, Reason: "no networks here"},
	} {
		one.Requirements = []string{"mapping/a"}
		results.Checks = append(results.Checks, one)
	}
	const update = "; update the baseline (--update-baseline)"
	expected := []string{
		"mapping pass: passed",
		"mapping worse: failure worse: worse than the baseline: expected pass, got blocked: by mapping/root: no room",
		"mapping better: failure better: better than the baseline: expected fail, got pass" + update + " | expected: it forgets mappings",
		"mapping changed: failure changed: changed from the baseline: expected blocked, got unsupported" + update + ": no version",
		"mapping new pass: passed: new, and not in the baseline: pass",
		"mapping new fail: skipped new: new, and not in the baseline: fail: it broke",
		"mapping expected: skipped expected: fail, as the baseline expects: it takes any key | this run: it took one",
		"mapping error: error error: no memory",
		"mapping cannot: skipped not-run: not-run: no networks here",
		`monitors mapping/worse: failure worse: worse than the baseline: expected pass, got fail: seen by the monitors during "pass": $a`,
		`monitors mapping/expected: skipped expected: fail, as the baseline expects: it asks everybody | this run: seen by the monitors during "pass": $b`,
		"monitors mapping/better: failure better: better than the baseline: expected fail, got pass" + update + " | expected: keys are told to clients",
		"baseline gone: failure gone: gone: the suite no longer has it" + update,
		"observations mapping/open: failure changed: changed from the baseline: expected refused, got dropped" + update + ": by /send",
		"observations mapping/new: skipped new: new, and not in the baseline: refused",
	}
	assert.ElementsMatch(t, expected, junitLines(t, results))

	results.Strict = true
	strict := junitLines(t, results)
	for _, line := range []string{
		"mapping new fail: failure strict: --strict requires a pass: fail: it broke",
		"mapping expected: failure strict: --strict requires a pass, whatever the baseline expects: fail: it took one",
		"mapping cannot: failure strict: --strict requires a pass: not-run: no networks here",
	} {
		assert.Contains(t, strict, line)
	}
	results.Baseline, results.Strict = nil, false
	assert.Contains(t, junitLines(t, results), "mapping expected: failure fail: it took one")
}

// junitLines are the cases of results' junit.xml in a line each: suite, name, what it is, and what there is to read of it
// up to its requirements.
func junitLines(t *testing.T, results Results) []string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, WriteJUnit(&text, results))
	var parsed junitSuites
	require.NoError(t, xml.Unmarshal(text.Bytes(), &parsed))
	var lines []string
	for _, suite := range parsed.Suites {
		for _, one := range suite.Cases {
			line := suite.Name + " " + one.Name + ": passed"
			if one.Output != "" {
				line += ": " + one.Output
			}
			for what, detail := range map[string]*junitDetail{"failure": one.Failure, "error": one.Error, "skipped": one.Skipped} {
				if detail == nil {
					continue
				}
				line = suite.Name + " " + one.Name + ": " + what + " " + detail.Type + ": " + detail.Message
				first, _, _ := strings.Cut(detail.Text, "\n")
				if strings.HasPrefix(first, "expected: ") || strings.HasPrefix(first, "this run: ") {
					line += " | " + first
				}
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func TestJUnitOfPartRunHasOnlyWhatWasAskedFor(t *testing.T) {
	results := sample()
	results.Checks[0].Verdict, results.Checks[0].Reason = verdict.NotRun, ReasonLeftOutByRun
	var text bytes.Buffer
	require.NoError(t, WriteJUnit(&text, results))
	assert.NotContains(t, text.String(), `name="version advertised"`)
}
