package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/report"
)

func TestMergedResultsAreComparedWithTheBaselineOfTheShards(t *testing.T) {
	project, work := t.TempDir(), t.TempDir()
	t.Setenv(rootVariable, project)
	t.Chdir(work)
	require.NoError(t, os.WriteFile(filepath.Join(project, "go.mod"), []byte("module msc4014\n"), 0o644))
	baseline := []byte(`{"candidate": "x", "catalogue": 1, "checks": {}}`)
	for _, path := range []string{filepath.Join(work, ".github", "x.json"), filepath.Join(project, "baselines", "y.json")} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, baseline, 0o644))
	}
	for _, file := range []string{".github/x.json", filepath.Join(work, ".github/x.json"), "baselines/y.json"} {
		var merged report.Results
		require.NoError(t, compareMerged(&merged, report.Results{Baseline: &report.Comparison{File: file}}), file)
		assert.Equal(t, file, merged.Baseline.File)
	}
	var merged report.Results
	err := compareMerged(&merged, report.Results{Baseline: &report.Comparison{File: ".github/missing.json"}})
	assert.ErrorContains(t, err, "cannot merge: the baseline of the shards")
}
