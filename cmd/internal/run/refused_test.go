package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/report/page"
)

// judged makes a run in the folder of each candidate, and a report of all if there are several, and returns the folders.
func (b *bench) judged(t *testing.T, candidates ...string) (folders []string) {
	t.Helper()
	for _, candidate := range slices.Compact(slices.Sorted(slices.Values(candidates))) {
		asked := options("dendrite")
		asked.Results = filepath.Join(b.Root, "results", candidate)
		folders = append(folders, asked.Results)
		status, err := b.Run(context.Background(), asked)
		require.NoError(t, err)
		require.Equal(t, StatusExpected, status)
	}
	if len(candidates) > 1 {
		require.NoError(t, page.Write(filepath.Join(b.Root, "results"), folders, false))
	}
	return folders
}

// unmade asserts that nothing in a results folder can pass for the results of the latest run, which was not made, and that those of
// the run before are kept.
func (b *bench) unmade(t *testing.T, folder string) {
	t.Helper()
	results, err := report.Read(folder)
	require.NoError(t, err)
	assert.Empty(t, results.Checks)
	junit, err := os.ReadFile(filepath.Join(folder, report.JUnitFile))
	require.NoError(t, err)
	red, err := redCases(junit)
	require.NoError(t, err)
	assert.Equal(t, 1, red, string(junit))
	text, err := os.ReadFile(filepath.Join(folder, report.MarkdownFile))
	require.NoError(t, err)
	assert.Contains(t, string(text), "**Incomplete**")
	earlier, err := report.Read(filepath.Join(folder, report.EarlierFolder))
	require.NoError(t, err)
	assert.Equal(t, 2, earlier.Counts[verdict.Pass])
}

// TestRefusedRunLeavesNoStaleResults, whatever refuses it, apart from what a live run is using and what no run wrote.
func TestRefusedRunLeavesNoStaleResults(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	ofAll := filepath.Join(b.Root, "results", report.HTMLFile)
	refused := func(t *testing.T, asked Options, says string) {
		t.Helper()
		status, err := b.Run(context.Background(), asked)
		assert.Equal(t, StatusCannot, status)
		require.ErrorContains(t, err, says)
	}
	t.Run("state folder", func(t *testing.T) {
		folders := b.judged(t, "dendrite")
		state := filepath.Join(t.TempDir(), "mine")
		require.NoError(t, os.MkdirAll(filepath.Join(state, "foreign"), 0o755))
		t.Setenv("MSC4014_STATE_DIR", state)
		refused(t, options("dendrite"), state)
		b.unmade(t, folders[0])
	})
	t.Run("catalogue", func(t *testing.T) {
		folders := b.judged(t, "dendrite")
		catalogue := b.Catalogue
		defer func() { b.Catalogue = catalogue }()
		b.Catalogue = func() (report.Catalogue, error) { return report.Catalogue{}, errors.New("no catalogue") }
		refused(t, options("dendrite"), "no catalogue")
		b.unmade(t, folders[0])
	})
	t.Run("pair", func(t *testing.T) {
		folders := b.judged(t, "dendrite+nosuch", "nosuch+dendrite")
		refused(t, Options{Runtime: "auto", Pair: "dendrite,nosuch"}, "unknown candidate")
		b.unmade(t, folders[0])
		b.unmade(t, folders[1])
		assert.NoFileExists(t, ofAll)
	})
	t.Run("one of two is in use", func(t *testing.T) {
		folders := b.judged(t, "dendrite", "dendrite@2")
		live, err := report.OpenFolder(folders[1])
		require.NoError(t, err)
		refused(t, options("dendrite", "dendrite@2"), "is using the results folder")
		b.unmade(t, folders[0])
		results, err := report.Read(folders[1])
		require.NoError(t, err)
		assert.Equal(t, 2, results.Counts[verdict.Pass], "the live run's")
		assert.FileExists(t, ofAll, "the live run may have written it")
		require.NoError(t, live.Close())
	})
	t.Run("a run that begins and cannot be made", func(t *testing.T) {
		folders := b.judged(t, "dendrite", "dendrite@2")
		asked := options("dendrite", "dendrite@2")
		asked.Run = "zzz"
		refused(t, asked, "matches no check")
		b.unmade(t, folders[0])
		assert.NoFileExists(t, ofAll)
	})
	t.Run("a folder of all that has a run's own results", func(t *testing.T) {
		folder := b.judged(t, "dendrite")[0]
		asked := options("dendrite", "nosuch")
		asked.Results = folder
		refused(t, asked, "unknown candidate")
		assert.FileExists(t, filepath.Join(folder, report.HTMLFile), "it belongs to these results")
	})
	t.Run("foreign files", func(t *testing.T) {
		folder := t.TempDir()
		for _, name := range []string{report.JUnitFile, report.HTMLFile} {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("mine"), 0o644))
		}
		for _, asked := range []Options{options("nosuch"), options("dendrite", "nosuch")} {
			asked.Results = folder
			refused(t, asked, "unknown candidate")
			for _, name := range []string{report.JUnitFile, report.HTMLFile} {
				text, err := os.ReadFile(filepath.Join(folder, name))
				require.NoError(t, err)
				assert.Equal(t, "mine", string(text))
			}
			left, err := os.ReadDir(folder)
			require.NoError(t, err)
			assert.Len(t, left, 2, "nothing is added")
		}
	})
	t.Run("no folder", func(t *testing.T) {
		asked := options("nosuch")
		asked.Results = filepath.Join(t.TempDir(), "new")
		refused(t, asked, "unknown candidate")
		assert.NoDirExists(t, asked.Results)
	})
}
