package action

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/report"
)

// realVariable makes tests run that take minutes: pipelines with the suite itself.
const realVariable = "MSC4014_TEST_PIPELINES"

func pipeline(name string) string { return filepath.Join(root, "docs", "pipelines", name) }

// repository returns files of a homeserver's repository.
func repository(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	folder, paths := t.TempDir(), map[string]string{}
	for path, text := range files {
		at := filepath.Join(folder, strings.ReplaceAll(path, "/", "-"))
		require.NoError(t, os.WriteFile(at, []byte(text), 0o755))
		paths[path] = at
	}
	return paths
}

func (s *suite) runner(t *testing.T, checkout map[string]string) *runner {
	t.Helper()
	return &runner{
		suite: s.folder, checkout: checkout, base: t.TempDir(),
		environment: []string{"PATH=" + filepath.Join(s.folder, "bin") + ":" + os.Getenv("PATH")},
	}
}

// calls joins the words of each call.
func calls(called []string) []string {
	var all, line []string
	for _, each := range called {
		switch {
		case each == ".":
			all, line = append(all, strings.Join(line, " ")), nil
		case strings.HasPrefix(each, "docker "), strings.HasPrefix(each, "apk "):
			all = append(all, each)
		default:
			line = append(line, each)
		}
	}
	return all
}

func TestGitHubPipelineForDendrite(t *testing.T) {
	s := newSuite(t)
	s.results(t, "# report\n")
	r := s.runner(t, repository(t, map[string]string{".github/msc4014.json": "{}"}))
	statuses := r.github(t, pipeline("github-dendrite.yml"))
	assert.Equal(t, map[string]int{"build": 0, "shards 1": 0, "shards 2": 0, "shards 3": 0, "merge": 0}, statuses, r.said.String())
	results := filepath.Join(r.workspace(), "msc4014-results")
	shard := func(number string) string {
		return "run --results " + results + " --runtime auto --shard " + number + "/3 --baseline .github/msc4014.json -- image:msc4014/dendrite:abc"
	}
	const load = "docker load --input image/dendrite.tar"
	assert.Equal(t, []string{
		"run --results " + results + " --runtime docker --run ^room-version/advertised$ --baseline .github/msc4014.json -- dendrite:.",
		"docker save --output image/dendrite.tar msc4014/dendrite:abc",
		load, shard("1"), load, shard("2"), load, shard("3"),
		"report --merge --to " + results + " -- shards/msc4014-shard-1 shards/msc4014-shard-2 shards/msc4014-shard-3",
	}, calls(s.called(t)))
	assert.FileExists(t, filepath.Join(r.base, "artifacts", "msc4014-results", "results.json"))

	s.write(t, "status", "1")
	r = s.runner(t, r.checkout)
	statuses = r.github(t, pipeline("github-dendrite.yml"))
	assert.Equal(t, map[string]int{"build": 1, "merge": 2}, statuses, "there is nothing to merge")
}

func TestGitHubPipelineForSynapse(t *testing.T) {
	s := newSuite(t)
	s.results(t, "# report\n")
	r := s.runner(t, repository(t, map[string]string{
		".ci/msc4014.json": "{}", "scripts-dev/complement.sh": "#!/bin/sh\n[ \"$*\" = --build-only ]\n",
	}))
	statuses := r.github(t, pipeline("github-synapse.yml"))
	assert.Equal(t, map[string]int{"build": 0, "shards 1": 0, "shards 2": 0, "shards 3": 0, "merge": 0}, statuses, r.said.String())
	did := calls(s.called(t))
	require.Len(t, did, 8)
	assert.Equal(t, "docker save --output image/synapse.tar complement-synapse", did[0])
	assert.Contains(t, did[2], "--shard 1/3 --baseline .ci/msc4014.json -- image:complement-synapse")
	assert.Contains(t, did[7], "report --merge")
}

func TestGitLabPipelines(t *testing.T) {
	s := newSuite(t)
	s.results(t, "# report\n")
	s.write(t, "results/junit.xml", "<testsuites/>")
	for _, arguments := range [][]string{{"init", "--quiet"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "x"}} {
		output, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", s.folder}, arguments...)...).CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	r := s.runner(t, repository(t, map[string]string{".gitlab/msc4014.json": "{}"}))
	statuses := r.gitlab(t, pipeline("gitlab-dendrite.yml"), []string{"SUITE=" + s.folder, "SUITE_COMMIT=HEAD"})
	assert.Equal(t, map[string]int{"msc4014": 0, "msc4014 2": 0, "msc4014 3": 0, "msc4014-merge": 0}, statuses, r.said.String())
	assert.FileExists(t, filepath.Join(r.base, "artifacts", "msc4014", "shards", "3", "results.json"))
	assert.FileExists(t, filepath.Join(r.base, "artifacts", "msc4014-merge", "msc4014-results", "results.json"))
}

// TestPipelinesNameDocumentsThatExist: of the suite, below docs/.
func TestPipelinesNameDocumentsThatExist(t *testing.T) {
	files, err := filepath.Glob(pipeline("*.yml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	named := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, path := range regexp.MustCompile(`\bdocs/[\w./-]*\w`).FindAllString(string(text), -1) {
			assert.FileExists(t, filepath.Join(root, filepath.FromSlash(path)), "named in %s", file)
			named++
		}
	}
	assert.NotZero(t, named)
}

func TestGitLabPipelineForSynapse(t *testing.T) {
	s := newSuite(t)
	s.results(t, "# report\n")
	s.write(t, "results/junit.xml", "<testsuites/>")
	s.write(t, "bin/apk", "#!/bin/sh\necho apk \"$@\" >>\"$(dirname \"$0\")/../called\"\n")
	r := s.runner(t, repository(t, map[string]string{
		".ci/msc4014.json": "{}", "scripts-dev/complement.sh": "#!/bin/sh\n[ \"$* $CI_JOB_IMAGE\" = '--build-only docker:cli' ]\n",
	}))
	text, err := os.ReadFile(pipeline("gitlab-synapse.yml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "/suite/run.sh", "where the image has it")
	here := filepath.Join(t.TempDir(), "pipeline.yml")
	require.NoError(t, os.WriteFile(here, []byte(strings.ReplaceAll(string(text), "/suite/run.sh", `env "$SUITE/run.sh"`)), 0o644))
	statuses := r.gitlab(t, here, []string{"SUITE=" + s.folder})
	assert.Equal(t, map[string]int{"msc4014-build": 0, "msc4014": 0, "msc4014 2": 0, "msc4014 3": 0, "msc4014-merge": 0}, statuses, r.said.String())
	assert.Equal(t, []string{
		"apk add --no-cache bash wget",
		"docker tag complement-synapse complement-synapse:7",
		"image:complement-synapse:7 --baseline .ci/msc4014.json --shard 1/3 --results shards/1",
		"image:complement-synapse:7 --baseline .ci/msc4014.json --shard 2/3 --results shards/2",
		"image:complement-synapse:7 --baseline .ci/msc4014.json --shard 3/3 --results shards/3",
		"report --merge --to msc4014-results shards/1 shards/2 shards/3",
	}, calls(s.called(t)))
}

// TestGitHubPipelineForDendriteWithTheSuite judges a few requirements of the sources of a pinned Dendrite, in containers.
func TestGitHubPipelineForDendriteWithTheSuite(t *testing.T) {
	if os.Getenv(realVariable) == "" {
		t.Skip("set " + realVariable + "=1 to run the steps of the pipeline with the suite, in containers: it takes minutes")
	}
	suite, err := filepath.Abs(root)
	require.NoError(t, err)
	sources := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "github.com/element-hq/dendrite@v0.15.2")
	sources.Dir = filepath.Join(suite, "dockerfiles", "dendrite", "0.15.2")
	output, err := sources.Output()
	require.NoError(t, err)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(output, &module))
	r := &runner{suite: suite, base: t.TempDir(), pattern: "^room-version/", checkout: map[string]string{
		".": module.Dir, ".github/msc4014.json": filepath.Join(suite, "baselines", "dendrite@0.15.2.json"),
	}}
	statuses := r.github(t, pipeline("github-dendrite.yml"))
	t.Log(r.said.String())
	assert.Equal(t, map[string]int{"build": 0, "shards 1": 0, "shards 2": 0, "shards 3": 0, "merge": 0}, statuses)
	results, err := report.Read(filepath.Join(r.workspace(), "msc4014-results"))
	require.NoError(t, err)
	assert.NotZero(t, results.Counts["pass"])
	assert.Empty(t, results.Selection.Shard)
	image, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "--format", "{{.Id}}", results.Candidate.Image).Output()
	require.NoError(t, err)
	assert.Equal(t, results.Candidate.Digest, strings.TrimSpace(string(image)))
}
