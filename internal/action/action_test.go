// Package action tests the GitHub action (action.yml, .ci/action), and the pipelines in docs/pipelines by running their steps here.
package action

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// suite is a copy of the action's script beside a run.sh that only records how it was called.
type suite struct{ folder string }

// fakeRun records its arguments, one a line, leaves results as the folder "results" beside it says, and ends with the status that a file
// there has.
const fakeRun = `#!/bin/sh
here=$(dirname "$0")
printf '%s\n' "$@" >>"$here/called"
echo . >>"$here/called"
to=
while [ $# -gt 0 ]; do
	case $1 in --results | --to) to=$2 ;; esac
	shift
done
if [ -d "$here/results" ]; then
	mkdir -p "$to"
	cp "$here/results/"* "$to"
fi
exit "$(cat "$here/status" 2>/dev/null || echo 0)"
`

// fakeDocker records how it was called, and saves images as text.
const fakeDocker = `#!/bin/sh
echo docker "$@" >>"$(dirname "$0")/../called"
case $1 in
save) echo image >"$3" ;;
load) grep -q image "$3" ;;
esac
`

func newSuite(t *testing.T) *suite {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the action needs bash")
	}
	s := &suite{folder: filepath.Join(t.TempDir(), "the suite")}
	for path, text := range map[string]string{
		"run.sh": fakeRun, "bin/docker": fakeDocker, "go.mod": "module msc4014\n", "go.sum": "", "dockerfiles/x/Dockerfile": "FROM scratch\n",
	} {
		s.write(t, path, text)
	}
	for _, path := range []string{".ci/action", "action.yml"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		s.write(t, path, string(text))
	}
	return s
}

func (s *suite) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(s.folder, filepath.FromSlash(path))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
}

// called returns how run.sh and docker were called since the last time.
func (s *suite) called(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(s.folder, "called")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// step is what one step of a job left in the files of GitHub.
type step struct {
	status           int
	said             string
	outputs          map[string]string
	summary, written string // GITHUB_STEP_SUMMARY, and the other files together
}

// call calls the script in the folder work with more variables.
func (s *suite) call(t *testing.T, work, command string, variables ...string) step {
	t.Helper()
	files := t.TempDir()
	environment := []string{"PATH=" + filepath.Join(s.folder, "bin") + ":" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	names := []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"}
	for _, name := range names {
		path := filepath.Join(files, name)
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		environment = append(environment, name+"="+path)
	}
	action := exec.CommandContext(t.Context(), filepath.Join(s.folder, ".ci", "action"), command)
	action.Dir, action.Env = work, append(environment, variables...)
	output, err := action.CombinedOutput()
	var ended *exec.ExitError
	require.True(t, err == nil || errors.As(err, &ended), "%v", err)
	did := step{status: action.ProcessState.ExitCode(), said: string(output), outputs: map[string]string{}}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(files, name))
		require.NoError(t, err)
		switch name {
		case "GITHUB_OUTPUT":
			for line := range strings.Lines(string(text)) {
				key, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
				require.True(t, found, line)
				did.outputs[key] = value
			}
		case "GITHUB_STEP_SUMMARY":
			did.summary = string(text)
		default:
			did.written += string(text)
		}
	}
	assert.Empty(t, did.written, "the action sets no variables for later steps")
	left, err := filepath.Glob(filepath.Join(work, "*"))
	require.NoError(t, err)
	for _, path := range left {
		assert.NotContains(t, path, "tmp.")
	}
	return did
}

// results are what a run in containers leaves.
func (s *suite) results(t *testing.T, report string) {
	t.Helper()
	s.write(t, "results/report.md", report)
	s.write(t, "results/results.json", "{\n  \"schema\": 2,\n  \"candidate\": {\n    \"name\": \"dendrite:/work\",\n    \"image\": \"msc4014/dendrite:abc\",\n"+
		"    \"servers\": [\n      {\n        \"image\": \"other\"\n      }\n    ]\n  },\n  \"x\": {\n    \"image\": \"evil\"\n  }\n}\n")
}

func TestRun(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	s.results(t, "# report\n")
	did := s.call(t, work, "suite", "INPUT_CANDIDATE=dendrite:my tree\n\nimage:x:y\r\n", "INPUT_RUN=^a b$", "INPUT_SHARD=2/3", "INPUT_RUNTIME=docker",
		"INPUT_BASELINE=.github/msc 4014.json", "INPUT_ARGUMENTS=--strict\n--seed=2\n", "INPUT_RESULTS=")
	assert.Zero(t, did.status, did.said)
	results := filepath.Join(work, "msc4014-results")
	assert.Equal(t, []string{
		"run", "--results", results, "--runtime", "docker", "--strict", "--seed=2", "--run", "^a b$", "--shard", "2/3",
		"--baseline", ".github/msc 4014.json", "--", "dendrite:my tree", "image:x:y", ".",
	}, s.called(t))
	assert.Equal(t, map[string]string{"status": "0", "results": results, "image": "msc4014/dendrite:abc"}, did.outputs)
	assert.Equal(t, "# report\n", did.summary)

	s.write(t, "status", "1")
	did = s.call(t, work, "suite", "INPUT_RESULTS=/"+results)
	assert.Equal(t, 1, did.status, "the step ends as the run did")
	assert.Equal(t, []string{"run", "--results", "/" + results, "--runtime", "auto", "--", "."}, s.called(t))
	assert.Equal(t, "1", did.outputs["status"])
	assert.Equal(t, "# report\n", did.summary)
}

// TestResultsAmongTheArguments: the outputs would name another folder.
func TestResultsAmongTheArguments(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	for _, arguments := range []string{"--strict\n--results=other", "--results\nother\n"} {
		did := s.call(t, work, "suite", "INPUT_ARGUMENTS="+arguments)
		assert.Equal(t, 2, did.status)
		assert.Contains(t, did.said, "the input results names the folder")
		assert.Empty(t, did.outputs)
		assert.Empty(t, s.called(t))
	}
}

func TestRunThatCouldNotBeMade(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	old := filepath.Join(work, "r")
	require.NoError(t, os.Mkdir(old, 0o755))
	report := filepath.Join(old, "report.md")
	require.NoError(t, os.WriteFile(report, []byte("of an earlier run"), 0o644))
	hourAgo := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(report, hourAgo, hourAgo))
	s.write(t, "status", "2")
	did := s.call(t, work, "suite", "INPUT_RESULTS=r", "INPUT_IMAGE_FILE=image.tar")
	assert.Equal(t, 2, did.status)
	assert.Equal(t, map[string]string{"status": "2", "results": old, "image": ""}, did.outputs)
	assert.Empty(t, did.summary)
	assert.NoFileExists(t, filepath.Join(work, "image.tar"))
}

func TestImageIsSavedOnceAndLoadedAfterwards(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	s.results(t, "")
	file := filepath.Join(work, "image", "server.tar")
	for _, want := range []string{"docker save --output image/server.tar msc4014/dendrite:abc", "docker load --input image/server.tar"} {
		did := s.call(t, work, "suite", "INPUT_IMAGE_FILE=image/server.tar")
		assert.Zero(t, did.status, did.said)
		assert.Contains(t, s.called(t), want)
		assert.FileExists(t, file)
	}
	require.NoError(t, os.WriteFile(file, []byte("half"), 0o644))
	did := s.call(t, work, "suite", "INPUT_IMAGE_FILE=image/server.tar")
	assert.Equal(t, 2, did.status)
	assert.Contains(t, did.said, "cannot load image/server.tar into the engine: is it made by docker save?")
	assert.NotContains(t, s.called(t), "run")
}

func TestMerge(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	for _, folder := range []string{"shards/shard-1", "shards/shard 2"} {
		require.NoError(t, os.MkdirAll(filepath.Join(work, folder), 0o755))
	}
	did := s.call(t, work, "suite", "INPUT_MERGE=shards", "INPUT_RESULTS=merged")
	assert.Zero(t, did.status, did.said)
	assert.Equal(t, []string{"report", "--merge", "--to", filepath.Join(work, "merged"), "--", "shards/shard 2", "shards/shard-1", "."}, s.called(t))
	for missing, says := range map[string]string{"nosuch": "there is no folder nosuch", "shards/shard-1": "has no folders"} {
		did := s.call(t, work, "suite", "INPUT_MERGE="+missing)
		assert.Equal(t, 2, did.status)
		assert.Contains(t, did.said, "action: merge: ")
		assert.Contains(t, did.said, says)
		assert.Empty(t, s.called(t))
	}
	for given, name := range map[string]string{
		"INPUT_ARGUMENTS=--strict": "arguments", "INPUT_CANDIDATE=dendrite:.": "candidate", "INPUT_RUN=mapping/": "run", "INPUT_SHARD=1/2": "shard", "INPUT_RUNTIME=process": "runtime",
		"INPUT_BASELINE=b.json": "baseline", "INPUT_IMAGE_FILE=a.tar": "image-file",
	} {
		did := s.call(t, work, "suite", "INPUT_MERGE=shards", given)
		assert.Equal(t, 2, did.status, given)
		assert.Contains(t, did.said, "action: merge: leave out the input "+name+"; give it to the jobs of the shards")
		assert.Empty(t, s.called(t), given)
	}
}

func TestAValueCannotWriteAnotherOutput(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	did := s.call(t, work, "suite", "INPUT_RESULTS=r\nstatus=0")
	assert.Equal(t, 2, did.status)
	assert.Contains(t, did.said, "the output results has a line break")
	assert.Empty(t, did.outputs)
	assert.Empty(t, s.called(t))

	s.write(t, "results/results.json", "{\n  \"candidate\": {\n    \"image\": \"x\\nstatus=0 $(touch harm)\",\n    \"room_version\": \"1\"\n  }\n}\n")
	did = s.call(t, work, "suite")
	assert.Zero(t, did.status)
	assert.Empty(t, did.outputs["image"])
	assert.NoFileExists(t, filepath.Join(work, "harm"))
}

func TestLongReportIsCutBetweenLines(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	s.results(t, strings.Repeat("| a row of ä table |\n", 60_000))
	did := s.call(t, work, "suite")
	assert.Zero(t, did.status)
	assert.Less(t, len(did.summary), 1<<20)
	rows, rest, found := strings.Cut(did.summary, "\n\nThe report is too long for this page")
	require.True(t, found)
	assert.Contains(t, rest, "report.html")
	assert.Empty(t, strings.ReplaceAll(rows, "| a row of ä table |\n", ""))
	assert.Greater(t, len(rows), 400<<10)
}

func TestKeyChangesWithWhatTheSuiteBuilds(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	key := func() string {
		did := s.call(t, work, "key")
		require.Zero(t, did.status, did.said)
		assert.Regexp(t, `^msc4014-[A-Za-z]+-[a-z0-9_]+-[0-9a-f]{16}$`, did.outputs["key"])
		return did.outputs["key"]
	}
	first := key()
	assert.Equal(t, first, key())
	s.write(t, "dockerfiles/x/Dockerfile", "FROM debian\n")
	assert.NotEqual(t, first, key())
}

func TestScriptWithoutGitHub(t *testing.T) {
	s, work := newSuite(t), t.TempDir()
	s.results(t, "# report\n")
	did := s.call(t, work, "suite", "GITHUB_OUTPUT=", "GITHUB_STEP_SUMMARY=")
	assert.Zero(t, did.status, did.said)
	did = s.call(t, work, "nosuch")
	assert.Equal(t, 2, did.status)
	assert.Equal(t, "action: usage: action key|suite\n", did.said)
}
