package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/requirements"
)

// TestResultsOfARun makes a run with a few checks, and compares its results.json with the schema and with the files beside it.
func TestResultsOfARun(t *testing.T) {
	folder, err := report.OpenFolder(t.TempDir())
	require.NoError(t, err)
	selected, err := selection.New("^room-version/(identifier|advertised)$", "", false)
	require.NoError(t, err)
	started := time.Now()
	made := judgeUsual(t, plan.Plan{Results: folder.Staging(), Run: selected.Pattern.String(), Shuffle: 3})
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	needed := report.Catalogue{Version: catalogue.Version}
	for _, one := range catalogue.All() {
		needed.Requirements = append(needed.Requirements, report.CatalogueEntry{
			ID: one.ID, Chapter: one.Chapter, Kind: string(one.Kind), Since: one.Since, Demand: one.Demand, Source: one.Source,
		})
	}
	require.NoError(t, folder.Keep(report.Assemble(report.Run{
		Started: started, Duration: time.Since(started), Selection: selected,
		Candidate: verdict.Candidate{Name: made.candidate},
	}, needed, append(made.events, verdict.Event{Kind: verdict.KindEnd}))))
	require.NoError(t, folder.Close())

	data, err := os.ReadFile(filepath.Join(folder.Path(), report.ResultsFile))
	require.NoError(t, err)
	var schema jsonschema.Schema
	text, err := os.ReadFile(filepath.Join("..", "report", "results.schema.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &schema))
	resolved, err := schema.Resolve(nil)
	require.NoError(t, err)
	var instance any
	require.NoError(t, json.Unmarshal(data, &instance))
	require.NoError(t, resolved.Validate(instance))

	results, err := report.Read(folder.Path())
	require.NoError(t, err)
	require.NotNil(t, results.Environment)
	assert.Equal(t, runtime.Version(), results.Environment.Go)
	assert.Equal(t, int64(3), results.Environment.Shuffle)
	assert.NotZero(t, results.Environment.Parallel)
	ran := 0
	for _, check := range results.Checks {
		if check.Closing {
			continue
		}
		ran++
		assert.WithinRange(t, check.Started, results.Started.Truncate(time.Millisecond), time.Now(), check.Name)
		assert.Greater(t, check.EndMS, check.StartMS, check.Name)
		assert.LessOrEqual(t, check.EndMS, results.DurationMS, check.Name)
	}
	assert.NotZero(t, ran)
	paths := map[string]bool{}
	for _, file := range results.Evidence {
		assert.FileExists(t, filepath.Join(folder.Path(), filepath.FromSlash(file.Path)))
		paths[file.Path] = true
	}
	require.NotEmpty(t, results.Observations)
	for _, observed := range results.Observations {
		assert.True(t, paths[observed.Log] && paths[observed.Transcript], "the evidence of %s is kept: %q", observed.ID, observed.Log)
	}
}
