package report

// The forms made from results.json: golden files in testdata, written anew with UPDATE_GOLDEN=1.

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
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
	blocked.Result.BlockedBy = "room-version/created"
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
	}
	return results
}

func TestSummary(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, WriteSummary(&text, Style{}, []Summarised{{Results: sample(), Folder: "results/dendrite@0.13.8"}}))
	golden(t, "summary.txt", text.Bytes())
	assert.NotContains(t, text.String(), "\x1b")
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
	}))
	golden(t, "summary-several.txt", text.Bytes())
}

func TestJUnit(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, WriteJUnit(&text, sample()))
	golden(t, "junit.xml", text.Bytes())
	var parsed junitSuites
	require.NoError(t, xml.Unmarshal(text.Bytes(), &parsed), "it is XML, whatever a server answered")
	assert.Equal(t, 5, parsed.Tests)
	assert.Equal(t, 2, parsed.Failures)
	assert.Equal(t, 1, parsed.Errors)
	assert.Equal(t, 1, parsed.Skipped)
}

func TestJUnitOfPartRunHasOnlyWhatWasAskedFor(t *testing.T) {
	results := sample()
	results.Checks[0].Verdict, results.Checks[0].Reason = verdict.NotRun, ReasonLeftOutByRun
	var text bytes.Buffer
	require.NoError(t, WriteJUnit(&text, results))
	assert.NotContains(t, text.String(), `name="version advertised"`)
}
