package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

func entries(t *testing.T, folder string) []string {
	t.Helper()
	list, err := os.ReadDir(folder)
	require.NoError(t, err)
	names := []string{}
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

func TestFolderReplacesEarlierResults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results", "dendrite")
	first, err := OpenFolder(path)
	require.NoError(t, err)
	write(t, "old", first.Staging(), ChecksFolder, "a", "hs1.log")
	write(t, "old", first.Staging(), ConfigurationFolder, "server.yaml")
	require.NoError(t, first.Keep(sample()))
	require.NoError(t, first.Close())
	write(t, "mine", path, "notes.txt")
	assert.Equal(t, []string{"checks", "configuration", "junit.xml", "notes.txt", "results.json"}, entries(t, path))

	second, err := OpenFolder(path)
	require.NoError(t, err)
	write(t, "new", second.Staging(), ChecksFolder, "b", "hs1.log")
	assert.FileExists(t, filepath.Join(path, ChecksFolder, "a", "hs1.log"), "until the run is over")
	require.NoError(t, second.Keep(sample()))
	require.NoError(t, second.Close())
	assert.Equal(t, []string{"b"}, entries(t, filepath.Join(path, ChecksFolder)))
	assert.FileExists(t, filepath.Join(path, "notes.txt"))

	third, err := OpenFolder(path)
	require.NoError(t, err)
	require.NoError(t, third.Keep(sample()))
	require.NoError(t, third.Close())
	assert.Equal(t, []string{"junit.xml", "notes.txt", "results.json"}, entries(t, path), "no logs and no configuration: no old ones")

	read, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, sample(), read)
}

func TestFolderOfALivingRunIsRefused(t *testing.T) {
	path := t.TempDir()
	first, err := OpenFolder(path)
	require.NoError(t, err)
	write(t, "1", first.Staging(), ChecksFolder, "first")
	_, err = OpenFolder(path)
	assert.EqualError(t, err, fmt.Sprintf("another run (process %d) is using the results folder %s; wait until it has ended, "+
		"or name another folder with --results", os.Getpid(), path))
	require.NoError(t, first.Keep(sample()))
	require.NoError(t, first.Close())
	assert.Equal(t, []string{"first"}, entries(t, filepath.Join(path, ChecksFolder)), "untouched by the second")

	second, err := OpenFolder(path)
	require.NoError(t, err, "the first has ended")
	require.NoError(t, second.Close())
}

// TestFolderTellsOfTheRunThatBeganLast: an earlier run's results neither look new nor get lost.
func TestFolderTellsOfTheRunThatBeganLast(t *testing.T) {
	path := t.TempDir()
	run := func(results ...Results) {
		folder, err := OpenFolder(path)
		require.NoError(t, err)
		for _, each := range results {
			require.NoError(t, folder.Keep(each))
		}
		require.NoError(t, folder.Close())
	}
	first, err := OpenFolder(path)
	require.NoError(t, err)
	write(t, "old", first.Staging(), ChecksFolder, "a.log")
	require.NoError(t, first.Keep(sample()))
	require.NoError(t, first.Close())
	write(t, "signed", path, SignatureFile)

	begun := Unmade(testRun(), testCatalogue, "the run has not ended (process 7)")
	cannot := Unmade(testRun(), testCatalogue, "the engine is gone")
	for range 2 { // what cannot be made twice does not push them out either
		run(begun, cannot)
		assert.Equal(t, []string{EarlierFolder, JUnitFile, ResultsFile}, entries(t, path))
		read, err := Read(path)
		require.NoError(t, err)
		assert.Equal(t, "the engine is gone", read.Incomplete)
		assert.Empty(t, read.Checks)
		assert.Equal(t, StatusCannot, read.Exit.Status)
		junit, err := os.ReadFile(filepath.Join(path, JUnitFile))
		require.NoError(t, err)
		assert.Contains(t, string(junit), `errors="1"`)
		assert.Contains(t, string(junit), "the engine is gone")
		earlier, err := Read(filepath.Join(path, EarlierFolder))
		require.NoError(t, err)
		require.Len(t, earlier.Evidence, 1)
		earlier.Evidence = nil
		assert.Equal(t, sample(), earlier)
		assert.Equal(t, []string{ChecksFolder, ResultsFile, SignatureFile}, entries(t, filepath.Join(path, EarlierFolder)), "no junit.xml for collectors")
		assert.Equal(t, []string{"a.log"}, entries(t, filepath.Join(path, EarlierFolder, ChecksFolder)))
	}
	run(begun, sample())
	assert.Equal(t, []string{JUnitFile, ResultsFile}, entries(t, path), "the run has verdicts")
}

func TestFolderOfAKilledRun(t *testing.T) {
	path := t.TempDir()
	killed, err := OpenFolder(path)
	require.NoError(t, err)
	require.NoError(t, killed.lock.Close()) // as the kernel does
	require.NoError(t, os.Mkdir(filepath.Join(path, ".run-without-a-lock"), 0o755), "of a run that was killed as it started")
	next, err := OpenFolder(path)
	require.NoError(t, err)
	assert.NoDirExists(t, killed.Staging())
	require.NoError(t, next.Close())
	assert.Empty(t, entries(t, path), "a run that kept nothing leaves nothing")
}

// TestCleaningSparesARunThatIsBeginning: between the creation and the lock of its folder, a run looks dead.
func TestCleaningSparesARunThatIsBeginning(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "dendrite")
	staging := filepath.Join(path, ".run-1")
	write(t, "", staging, lockName)
	unlock, err := lockBriefly(t.Context(), path)
	require.NoError(t, err)
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt() // else it would wait
	assert.ErrorIs(t, RemoveDead(interrupted, root), context.Canceled)
	assert.DirExists(t, staging)

	unlock()
	require.NoError(t, RemoveDead(t.Context(), root))
	assert.NoDirExists(t, staging)
}

func TestFolderRefusesWhatNoRunWrote(t *testing.T) {
	for _, name := range []string{"checks/mine.go", "junit.xml", "results.json", "earlier/mine"} {
		path := t.TempDir()
		write(t, "mine", path, name)
		_, err := OpenFolder(path)
		assert.ErrorContains(t, err, "name another folder with --results", name)
		assert.FileExists(t, filepath.Join(path, name))
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, "", file)
	_, err := OpenFolder(file)
	assert.EqualError(t, err, "cannot use "+file+" for results: it is a file; name a folder with --results")
}

// TestEvidenceHasDigests: whoever has results.json can tell whether the files beside it are those of the run.
func TestEvidenceHasDigests(t *testing.T) {
	folder, err := OpenFolder(t.TempDir())
	require.NoError(t, err)
	write(t, "abc", folder.Staging(), ChecksFolder, "a.log")
	write(t, "", folder.Staging(), ChecksFolder, "a.har")
	write(t, "port: 1\n", folder.Staging(), ConfigurationFolder, "hs1-server.yaml")
	require.NoError(t, folder.Keep(sample()))
	require.NoError(t, folder.Close())
	read, err := Read(folder.Path())
	require.NoError(t, err)
	assert.Equal(t, []EvidenceFile{
		{Path: "checks/a.har", SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{Path: "checks/a.log", SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Bytes: 3},
		{Path: "configuration/hs1-server.yaml", SHA256: "854e00f83420ae39530b0f44de6273fa6d71a00796233a6181de22daa3eacf4a", Bytes: 8},
	}, read.Evidence)
}

// TestResultsOfEarlierAndNewerSchemas: a folder with results of schema 1 is read and replaced; a newer suite's is left alone.
func TestResultsOfEarlierAndNewerSchemas(t *testing.T) {
	path := t.TempDir()
	write(t, `{"schema": 1, "candidate": {"name": "dendrite"}, "checks": [{"name": "a", "requirements": [], "verdict": "pass", "duration_ms": 1}]}`, path, ResultsFile)
	write(t, "old", path, ChecksFolder, "a.log")
	earlier, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, "dendrite", earlier.Candidate.Name)
	folder, err := OpenFolder(path)
	require.NoError(t, err)
	require.NoError(t, folder.Keep(Unmade(testRun(), testCatalogue, "the engine is gone")))
	require.NoError(t, folder.Close())
	earlier, err = Read(filepath.Join(path, EarlierFolder))
	require.NoError(t, err)
	assert.Equal(t, 1, earlier.Schema)

	newer := t.TempDir()
	write(t, `{"schema": 3, "candidate": {"name": "dendrite"}}`, newer, ResultsFile)
	_, err = OpenFolder(newer)
	assert.ErrorIs(t, err, ErrNewer)
	assert.ErrorContains(t, err, "or name another folder with --results")
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{":             "is not a results file",
		`{}`:            "has no schema",
		`{"schema": 3}`: "has schema 3, and this suite reads up to 2: a newer version of this suite wrote it: use that version, or run the candidate again",
		`{"schema": 2}`: "names no candidate",
	} {
		path := t.TempDir()
		write(t, text, path, ResultsFile)
		_, err := Read(path)
		assert.ErrorContains(t, err, want)
	}
	_, err := Read(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestFormsAreOfTheLatestRun: neither a report nor a signature of earlier results stays.
func TestFormsAreOfTheLatestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results")
	keep := func(forms func(string, Results) error) {
		folder, err := OpenFolder(path)
		require.NoError(t, err)
		folder.Forms = forms
		require.NoError(t, folder.Keep(sample()))
		require.NoError(t, folder.Close())
	}
	keep(func(folder string, _ Results) error {
		return os.WriteFile(filepath.Join(folder, HTMLFile), []byte("a report"), 0o644)
	})
	assert.FileExists(t, filepath.Join(path, HTMLFile))
	require.NoError(t, os.WriteFile(filepath.Join(path, SignatureFile), nil, 0o644))
	keep(nil)
	assert.NoFileExists(t, filepath.Join(path, HTMLFile))
	assert.NoFileExists(t, filepath.Join(path, SignatureFile))
}
