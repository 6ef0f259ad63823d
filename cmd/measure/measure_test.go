package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimes(t *testing.T) {
	earlier, err := parseTimes("cpu  100 10 50 1000 40 5 5 20 30 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	require.NoError(t, err)
	assert.Equal(t, times{busy: 1700 * time.Millisecond, idle: 10400 * time.Millisecond, steal: 200 * time.Millisecond}, earlier,
		"user time includes guest time")
	later, err := parseTimes("cpu  200 10 50 1080 40 5 5 40 30 0\n")
	require.NoError(t, err)
	spent := later.since(earlier)
	assert.Equal(t, times{busy: time.Second, idle: 800 * time.Millisecond, steal: 200 * time.Millisecond}, spent)
	assert.InDelta(t, 40, spent.part(spent.idle), 0.01)
	assert.InDelta(t, 10, spent.part(spent.steal), 0.01)
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8 9", "cpu 1 2 3 4 5 6 7 x 9"} {
		_, err := parseTimes(bad)
		assert.Error(t, err, bad)
	}
}

func TestBadInput(t *testing.T) {
	for line, says := range map[string]string{
		"":                          "name two commits",
		"a":                         "name two commits",
		"a b c":                     `unexpected "c"`,
		"-n 0 a b":                  "-n 0: must be from 1 to 100",
		"-n 101 a b":                "-n 101",
		"-n many a b":               "invalid value",
		"-limit 0s a b":             "-limit 0s",
		"-candidate= a b":           "is not a candidate",
		"-nosuch a b":               "not defined: -nosuch",
		"a b -- --results x":        "--results cannot be used here",
		"a b -- --pair=x,y":         "--pair=x,y cannot be used here",
		"a b -- --update-baseline":  "cannot be used here",
		"nosuchcommit HEAD":         `"nosuchcommit" is not a commit of`,
		"--end-of-options nosuch x": "not defined",
	} {
		t.Run(line, func(t *testing.T) {
			newRepository(t)
			err := run(t.Context(), strings.Fields(line), io.Discard, io.Discard)
			assert.ErrorContains(t, err, says)
		})
	}
	t.Chdir(t.TempDir())
	assert.ErrorContains(t, run(t.Context(), []string{"a", "b"}, io.Discard, io.Discard), "not a git repository")
}

func TestSpread(t *testing.T) {
	wall := func(run measured) float64 { return run.wall.Seconds() }
	runs := []measured{{wall: 4 * time.Second}, {wall: time.Second}, {wall: 3 * time.Second}}
	least, median, greatest := spread(runs, wall)
	assert.Equal(t, []float64{1, 3, 4}, []float64{least, median, greatest})
	_, median, _ = spread(runs[:2], wall)
	assert.InDelta(t, 2.5, median, 0.001)
}

// fakeRun is a run.sh that judges those of its checks that match --run.
const fakeRun = `#!/bin/sh
pattern=.
while [ $# -gt 0 ]; do
	case $1 in
	--results) results=$2 ;;
	--run) pattern=$2 ;;
	esac
	shift
done
mkdir -p "$results"
checks=
for name in CHECKS; do
	verdict=not-run
	if echo "$name" | grep -Eq "$(echo "$pattern" | sed 's/?://')"; then verdict=pass; fi
	checks="$checks,{\"name\":\"$name\",\"verdict\":\"$verdict\"}"
done
echo "{\"schema\":1,\"candidate\":{\"name\":\"fake\"},\"checks\":[${checks#,}]}" >"$results/results.json"
`

// newRepository makes a repository with two commits of a suite, "old" and HEAD, that have different checks, and changes
// into it.
func newRepository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	t.Chdir(folder)
	t.Setenv("TMPDIR", t.TempDir())
	git := func(arguments ...string) {
		output, err := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@x.example"}, arguments...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	git("init", "--quiet")
	for commit, checks := range []string{"a b", "b c d"} {
		require.NoError(t, os.WriteFile("run.sh", []byte(strings.ReplaceAll(fakeRun, "CHECKS", checks)), 0o755))
		git("add", "run.sh")
		git("commit", "--quiet", "-m", checks)
		if commit == 0 {
			git("tag", "old")
		}
	}
	return folder
}

// nothingLeft asserts that the comparison removed what it created.
func nothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	assert.Empty(t, left)
	worktrees, err := exec.Command("git", "worktree", "list").Output()
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(worktrees), "\n"))
}

func TestCommitsAreComparedByWhatBothHave(t *testing.T) {
	newRepository(t)
	var out, progress bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-n", "2", "-candidate", "fake", "old", "HEAD"}, &out, &progress))
	assert.Contains(t, progress.String(), "before judges 2 checks and after 3; both run the 1 in common")
	assert.Contains(t, out.String(), "fake: checks 1, runs of each 2")
	lines := strings.Split(out.String(), "\n")
	for _, line := range []string{"  1  before ", "  1  after ", "  2  before ", "  2  after ", "wall, s          before ", "CPU a check, ms  after "} {
		assert.Condition(t, func() bool {
			for _, each := range lines {
				if strings.HasPrefix(each, line) {
					return true
				}
			}
			return false
		}, "%q in\n%s", line, out.String())
	}
	assert.NotContains(t, out.String(), "drawn in")
	assert.NotContains(t, out.String(), "drew")
	first, second := strings.Index(progress.String(), "2 of 2, after"), strings.Index(progress.String(), "2 of 2, before")
	assert.True(t, first > 0 && first < second, "the order alternates: %s", progress.String())
	nothingLeft(t)
}

// TestChecksThatAreDrawnInAreTold: a step that fails draws checks into a run of others (helpers/check), at a cost.
func TestChecksThatAreDrawnInAreTold(t *testing.T) {
	newRepository(t)
	replaceRun(t, strings.NewReplacer("CHECKS", "b c d", "verdict=not-run\n",
		"verdict=not-run\n\tif [ $name = d ] && [ $pattern != . ]; then verdict=pass; fi\n").Replace(fakeRun))
	var out, progress bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-n", "2", "-candidate", "fake", "old", "HEAD"}, &out, &progress))
	assert.Contains(t, out.String(), "fake: checks 1, runs of each 2")
	assert.Regexp(t, `checks drawn in +before +0\.0 +0\.0 +0\.0\nchecks drawn in +after +1\.0 +1\.0 +1\.0\n`, out.String())
	assert.Contains(t, out.String(), "The figures are not over the same checks: steps that failed drew further ones in, which count.\nafter: d\n")
	assert.NotContains(t, out.String(), "before: ")
	assert.Regexp(t, `1 of 2, before .* steal\n`, progress.String())
	assert.Regexp(t, `1 of 2, after .* steal  1 drawn in\n`, progress.String())
}

func TestChangesAreRefused(t *testing.T) {
	folder := newRepository(t)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "run.sh"), []byte("#!/bin/sh\n"), 0o755))
	err := run(t.Context(), []string{"old", "HEAD"}, io.Discard, io.Discard)
	assert.ErrorContains(t, err, "has uncommitted changes, which would not be measured")
}

// replaceRun commits another run.sh.
func replaceRun(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile("run.sh", []byte(text), 0o755))
	output, err := exec.Command("git", "-c", "user.name=x", "-c", "user.email=x@x.example", "commit", "--quiet", "--all", "-m", "x").CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestRunThatCannotBeMade(t *testing.T) {
	newRepository(t)
	replaceRun(t, "#!/bin/sh\necho the engine is gone >&2\nexit 2\n")
	err := run(t.Context(), []string{"old", "HEAD"}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "after (")
	require.ErrorContains(t, err, "the engine is gone")
	nothingLeft(t)
}

// whenSaid cancels a context when a text is written.
type whenSaid struct {
	text   string
	cancel context.CancelFunc
}

func (w whenSaid) Write(data []byte) (int, error) {
	if strings.Contains(string(data), w.text) {
		w.cancel()
	}
	return len(data), nil
}

func TestInterruptionAndLimitEndTheRunInOrder(t *testing.T) {
	const waits = "#!/bin/sh\ntrap 'exit 2' TERM\nsleep 1000 &\nwait\n"
	t.Run("interruption", func(t *testing.T) {
		newRepository(t)
		replaceRun(t, waits)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := run(ctx, []string{"old", "HEAD"}, io.Discard, whenSaid{"after (", cancel})
		require.ErrorIs(t, err, context.Canceled)
		nothingLeft(t)
	})
	t.Run("limit", func(t *testing.T) {
		newRepository(t)
		replaceRun(t, waits)
		err := run(t.Context(), []string{"-limit", "1s", "HEAD", "HEAD"}, io.Discard, io.Discard)
		require.ErrorContains(t, err, "it took longer than -limit 1s")
		nothingLeft(t)
	})
}
