package report

import (
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

func TestFolderOfTwoRunsAtOnce(t *testing.T) {
	path := t.TempDir()
	first, err := OpenFolder(path)
	require.NoError(t, err)
	second, err := OpenFolder(path)
	require.NoError(t, err)
	assert.DirExists(t, first.Staging(), "the second run sees that the first is alive")
	write(t, "1", first.Staging(), ChecksFolder, "first")
	write(t, "2", second.Staging(), ChecksFolder, "second")
	require.NoError(t, second.Keep(sample()))
	require.NoError(t, second.Close())
	require.NoError(t, first.Keep(sample()))
	require.NoError(t, first.Close())
	assert.Equal(t, []string{"first"}, entries(t, filepath.Join(path, ChecksFolder)), "the last one's, unmixed")
}

func TestFolderOfAKilledRun(t *testing.T) {
	path := t.TempDir()
	killed, err := OpenFolder(path)
	require.NoError(t, err)
	require.NoError(t, killed.lock.Close()) // as the kernel does
	next, err := OpenFolder(path)
	require.NoError(t, err)
	assert.NoDirExists(t, killed.Staging())
	require.NoError(t, next.Close())
	assert.Empty(t, entries(t, path), "a run that kept nothing leaves nothing")
}

func TestFolderRefusesWhatNoRunWrote(t *testing.T) {
	for _, name := range []string{"checks/mine.go", "junit.xml", "results.json"} {
		path := t.TempDir()
		write(t, "mine", path, name)
		_, err := OpenFolder(path)
		assert.ErrorContains(t, err, "name another folder with --results", name)
		assert.FileExists(t, filepath.Join(path, name))
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, "", file)
	_, err := OpenFolder(file)
	assert.Error(t, err)
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{":             "is no results file",
		`{"schema": 2}`: "schema 2",
		`{"schema": 1}`: "names no candidate",
	} {
		path := t.TempDir()
		write(t, text, path, ResultsFile)
		_, err := Read(path)
		assert.ErrorContains(t, err, want)
	}
	_, err := Read(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}
