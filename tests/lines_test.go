package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/baseline"
	"msc4014/requirements"
)

// mostLines is what a run that is as expected may print without a terminal: one screen.
const mostLines = 40

// printedBefore are the lines of a run before its summary: one each for the runtime, building the checks and preparing the candidate, and six
// of the progress of a run that takes ten minutes.
const printedBefore = 9

// TestARunAsExpectedFitsOnOneScreen: the summary of results that are those of the baseline.
func TestARunAsExpectedFitsOnOneScreen(t *testing.T) {
	for _, candidate := range []string{"dendrite@0.13.8", "dendrite@0.15.2"} {
		expected, err := baseline.Load(filepath.Join("..", "baselines", candidate+".json"))
		require.NoError(t, err)
		results := asExpected(t, expected)
		assert.NotZero(t, results.Counts[verdict.Fail])
		comparison := baseline.Compare(expected, "the baseline", results)
		require.Empty(t, comparison.Differences, candidate)
		results.Baseline = &comparison
		var brief, verbose bytes.Buffer
		one := []report.Summarised{{Results: results, Folder: "results/" + candidate}}
		require.NoError(t, report.WriteSummary(&brief, report.Style{}, one, false))
		require.NoError(t, report.WriteSummary(&verbose, report.Style{}, one, true))
		lines := strings.Count(brief.String(), "\n")
		t.Logf("%s: %d lines", candidate, lines)
		assert.LessOrEqual(t, lines+printedBefore, mostLines, brief.String())
		for name, each := range expected.Checks {
			if each.Verdict == verdict.Fail {
				assert.Contains(t, verbose.String(), name, "verbose tells it")
			}
		}
	}
}

// asExpected returns the results of a run in which each check, monitor and open question comes to what the baseline expects.
func asExpected(t *testing.T, expected *baseline.Baseline) report.Results {
	t.Helper()
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	needed := report.Catalogue{Version: catalogue.Version}
	for _, one := range catalogue.All() {
		needed.Requirements = append(needed.Requirements, report.CatalogueEntry{
			ID: one.ID, Chapter: one.Chapter, Kind: string(one.Kind), Own: one.Own(), Since: one.Since, Consequence: one.Consequence,
		})
	}
	plan := verdict.Event{Kind: verdict.KindPlan, Candidate: &verdict.Candidate{Name: expected.Candidate, RoomVersion: "org.matrix.msc4014"}}
	var registered []selection.Check
	var events []verdict.Event
	for _, one := range check.Registered().All() {
		wanted, known := expected.Checks[one.Name]
		if !known {
			continue
		}
		plan.Checks = append(plan.Checks, one.Name)
		registered = append(registered, selection.Check{Name: one.Name, Requirements: one.Requires, Path: one.Path})
		result := verdict.CheckResult{
			Name: one.Name, Requirements: one.Requires, Verdict: wanted.Verdict, BlockedBy: wanted.BlockedBy, Died: wanted.Died, Differences: wanted.Differences,
			Reason: "as ever",
		}
		events = append(events, verdict.Event{Kind: verdict.KindCheckFinal, Check: one.Name, Result: &result})
	}
	for id := range expected.Monitors {
		events = append(events, verdict.Event{Kind: verdict.KindFinding, Finding: &verdict.Finding{Requirement: id, Check: registered[0].Name, Detail: "as ever"}})
	}
	for id, reading := range expected.Observations {
		for each := range strings.SplitSeq(reading, ", ") {
			events = append(events, verdict.Event{Kind: verdict.KindObservation, Check: registered[0].Name, Observation: &verdict.Observation{ID: id, Reading: each}})
		}
	}
	plan.Total = len(plan.Checks)
	events = append(append([]verdict.Event{plan}, events...), verdict.Event{Kind: verdict.KindEnd})
	return report.Assemble(report.Run{Started: time.Unix(1e9, 0), Duration: time.Minute, Registered: registered}, needed, events)
}
