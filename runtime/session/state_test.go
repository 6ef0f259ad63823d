package session

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/docker/engine/enginetest"
)

// write creates files, by their paths relative to a folder; a path that ends in / is a folder.
func write(t *testing.T, folder string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		full := filepath.Join(folder, path)
		if strings.HasSuffix(path, "/") {
			require.NoError(t, os.MkdirAll(full, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(path), 0o644))
	}
}

// tree returns everything below a folder, with modes, sizes and times.
func tree(t *testing.T, folder string) []string {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil {
			all = append(all, path+" "+fs.FormatFileInfo(info)+info.ModTime().Format(time.StampNano))
		}
		return err
	}))
	return all
}

// Everything that uses a state folder refuses a folder that is not the suite's, and leaves it unchanged.
func TestForeignFolderIsRefusedAndUnchanged(t *testing.T) {
	for name, paths := range map[string][]string{
		"runs and trash of something else":       {"runs/experiment1/model.txt", "trash/old/notes.txt"},
		"runs named by their time":               {"lock", "runs/1732890000/model.txt", "runs/1732890000/lock", "trash/"},
		"a file next to possible state folders":  {"runs/", "trash/", "thesis.tex"},
		"folders of the same names":              {"runs/", "trash/"},
		"a run with more than a run has":         {"lock", "runs/0123456789/processes/1", "trash/"},
		"a folder in the place of the marker":    {markerName + "/"},
		"something of the suite's in the trash":  {"lock", "runs/", "trash/0123456789/report.txt"},
		"a file that begins as the marker does ": {markerName + ".txt"},
	} {
		t.Run(name, func(t *testing.T) {
			state := isolate(t)
			write(t, state, paths...)
			if info, err := os.Stat(filepath.Join(state, lockName)); err == nil && info.Size() > 0 {
				require.NoError(t, os.Truncate(filepath.Join(state, lockName), 0))
			}
			before := tree(t, state)
			cache := os.Getenv("XDG_CACHE_HOME")
			said := func(line string) { t.Error("it did something: " + line) }

			_, stateErr := StateDir()
			_, openErr := Open()
			for what, err := range map[string]error{
				"StateDir": stateErr, "Open": openErr, "CleanDead": CleanDead(t.Context(), said),
				"AwaitOrphans": AwaitOrphans(t.Context(), said),
				"Clean":        Clean(t.Context(), CleanOptions{Builds: true, All: true}, said),
			} {
				require.ErrorContains(t, err, "cannot be the state folder", what)
				assert.ErrorContains(t, err, state, what)
				assert.ErrorContains(t, err, "set "+StateVariable, what)
				assert.NotContains(t, err.Error(), "\n", what)
			}
			assert.Equal(t, before, tree(t, state))
			assert.Len(t, tree(t, cache), 1, "nothing is created in the cache either")
		})
	}
}

func TestStateFolderIsMarkedAndPrivate(t *testing.T) {
	state := filepath.Join(isolate(t), "deep", "state")
	t.Setenv(StateVariable, state)
	for range 2 {
		found, err := StateDir()
		require.NoError(t, err)
		assert.Equal(t, state, found)
		info, err := os.Stat(state)
		require.NoError(t, err)
		assert.EqualValues(t, 0o700, info.Mode().Perm())
		assert.FileExists(t, filepath.Join(state, markerName))
	}
	// Foreign files that are added later are neither an error nor removed.
	write(t, state, "notes.txt", "runs/experiment1/model.txt", "trash/old/model.txt", "runs/1732890000/model.txt", "trash/1732890000/model.txt")
	require.NoError(t, os.Symlink(state, filepath.Join(state, "runs", "abcdefabcd")))
	clean(t)
	enginetest.Start(t)
	var said []string
	require.NoError(t, Clean(t.Context(), CleanOptions{}, func(line string) { said = append(said, line) }))
	for _, path := range []string{"notes.txt", "runs/experiment1", "trash/old", "runs/1732890000", "trash/1732890000", "runs/abcdefabcd"} {
		assert.Contains(t, strings.Join(said, "\n"), `left "`+filepath.Join(state, path)+`"`)
	}
	for _, path := range []string{"notes.txt", "runs/experiment1/model.txt", "trash/old/model.txt", "runs/1732890000/model.txt", "trash/1732890000/model.txt"} {
		assert.FileExists(t, filepath.Join(state, path))
	}
}

func TestEmptyFolderIsTaken(t *testing.T) {
	state := isolate(t)
	require.NoError(t, os.Chmod(state, 0o775)) // as a umask of 002 makes it
	_, err := StateDir()
	require.NoError(t, err)
	info, err := os.Stat(state)
	require.NoError(t, err)
	assert.EqualValues(t, 0o700, info.Mode().Perm())
}

func TestFolderOfAnOlderVersionIsTaken(t *testing.T) {
	for name, usual := range map[string]bool{"named": false, "usual": true} {
		t.Run(name, func(t *testing.T) {
			state := isolate(t)
			if usual {
				t.Setenv("TMPDIR", state)
				t.Setenv(StateVariable, "")
				made, err := StateDir()
				require.NoError(t, err)
				state = made
			}
			dead, making := killedRun(t, state), filepath.Join(state, "runs", "0123456789", processFolder)
			t.Setenv(StateVariable, state)
			if usual {
				t.Setenv(StateVariable, "")
			}
			require.NoError(t, os.MkdirAll(making, 0o700))
			require.NoError(t, os.Remove(filepath.Join(state, markerName)))
			clean(t)
			assert.FileExists(t, filepath.Join(state, markerName))
			assert.NoDirExists(t, dead)
			assert.NoDirExists(t, making, "the folder of a run that was killed before it had a lock")

			// Without a lock, as doctor creates it, only the default folder is accepted.
			require.NoError(t, os.Remove(filepath.Join(state, markerName)))
			require.NoError(t, os.Remove(filepath.Join(state, lockName)))
			_, err := StateDir()
			assert.Equal(t, usual, err == nil)
		})
	}
}

func TestDefaultFolderOfAnotherUserIsRefused(t *testing.T) {
	isolate(t)
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Setenv(StateVariable, "")
	usual := func() string {
		made, err := StateDir()
		require.NoError(t, err)
		return made
	}()
	for name, test := range map[string]struct {
		prepare func() error
		says    string
	}{
		"open to others":  {func() error { return os.Chmod(usual, 0o722) }, "others can write to it"},
		"empty and open":  {func() error { return os.Chmod(usual, 0o777) }, "others can write to it"},
		"a symbolic link": {func() error { return os.Symlink(t.TempDir(), usual) }, "symbolic link"},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "open to others" {
				require.NoError(t, os.RemoveAll(usual))
			}
			if name == "empty and open" {
				require.NoError(t, os.Mkdir(usual, 0o700))
			}
			require.NoError(t, test.prepare())
			before := tree(t, folder)
			_, err := StateDir()
			require.ErrorContains(t, err, test.says)
			assert.Equal(t, before, tree(t, folder))
			require.NoError(t, os.RemoveAll(usual))
			require.NoError(t, os.Mkdir(usual, 0o700))
		})
	}
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(usual, 12345, 12345))
		_, err := StateDir()
		require.ErrorContains(t, err, "it belongs to user 12345")
	}
}

func TestStateFolderCreatedConcurrently(t *testing.T) {
	state := filepath.Join(isolate(t), "state")
	t.Setenv(StateVariable, state)
	problems := make(chan error, 16)
	for range cap(problems) {
		go func() {
			_, err := StateDir()
			problems <- err
		}()
	}
	for range cap(problems) {
		assert.NoError(t, <-problems)
	}
}

// The next cleaner recognizes what an interrupted removal leaves.
func TestInterruptedRemovalIsFinished(t *testing.T) {
	state := isolate(t)
	dir := killedRun(t, state)
	cut := filepath.Join(state, "trash", filepath.Base(dir))
	require.NoError(t, os.Rename(dir, cut))
	require.NoError(t, os.Remove(filepath.Join(cut, lockName)))
	write(t, cut, "servers/hs1/hs1.log")
	clean(t)
	assert.NoDirExists(t, cut)
}

// A record of a process survives a reboot, after which another process may have the same ID and start time.
func TestProcessOfAnEarlierBootIsNotEnded(t *testing.T) {
	if bootID() == "" {
		t.Skip("this system has no boot ID")
	}
	started, err := startTime(os.Getpid())
	require.NoError(t, err)
	recorded := process{PID: os.Getpid(), Started: started, Boot: bootID()}
	assert.True(t, isRunning(recorded))
	recorded.Boot = "another"
	assert.False(t, isRunning(recorded))
	recorded.Boot = ""
	assert.True(t, isRunning(recorded), "a record of an older version")
}
