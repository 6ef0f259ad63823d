package action

// A small runner of pipelines: it does what GitHub and GitLab do with the keys that docs/pipelines and action.yml use, with one folder as
// the workspace of each job and another for artifacts.

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// runner runs pipelines.
type runner struct {
	suite       string            // the folder of the suite
	checkout    map[string]string // files of the homeserver's repository, by path
	base        string            // has the workspace and the artifacts
	environment []string          // of all jobs
	pattern     string            // what runs of the action without a pattern run; "" for all
	said        strings.Builder
}

func (r *runner) workspace() string { return filepath.Join(r.base, "work") }

// begin makes a new workspace.
func (r *runner) begin(t *testing.T) {
	t.Helper()
	require.NoError(t, os.RemoveAll(r.workspace()))
	require.NoError(t, os.MkdirAll(r.workspace(), 0o755))
}

func (r *runner) checkOut(t *testing.T) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(r.checkout)) {
		to := filepath.Join(r.workspace(), filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		// Sources from the module cache are read-only.
		r.shell(t, nil, fmt.Sprintf("cp -R -T -- '%s' '%s' && chmod -R u+w -- '%[2]s'", r.checkout[path], to))
	}
}

// shell runs a script as runners do, in the workspace, and returns its exit status.
func (r *runner) shell(t *testing.T, environment []string, script string) int {
	t.Helper()
	command := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	command.Dir = r.workspace()
	command.Env = slices.Concat(os.Environ(), r.environment, environment)
	output, err := command.CombinedOutput()
	_, _ = fmt.Fprintf(&r.said, "$ %s\n%s", script, output)
	if command.ProcessState == nil {
		require.NoError(t, err)
	}
	return command.ProcessState.ExitCode()
}

// keep keeps a path of the workspace as an artifact, and fetch brings it to a path of the workspace.
func (r *runner) keep(t *testing.T, name, path string) {
	t.Helper()
	to := filepath.Join(r.base, "artifacts", name)
	require.NoError(t, os.MkdirAll(to, 0o755))
	r.shell(t, nil, fmt.Sprintf("[ ! -e '%[1]s' ] || cp -R -- '%[1]s/.' '%[2]s'", path, to))
}

func (r *runner) fetch(t *testing.T, name, path string) {
	t.Helper()
	require.Zero(t, r.shell(t, nil, fmt.Sprintf("mkdir -p '%s' && cp -R -- '%s/.' '%[1]s'", path, filepath.Join(r.base, "artifacts", name))), r.said.String())
}

// names are what expressions can name: "inputs.run", "steps.suite.outputs.image" ...
type names map[string]string

var expression = regexp.MustCompile(`\$\{\{ *([A-Za-z0-9_.-]+) *\}\}`)

// expand replaces the expressions in a text. An unknown name is an error of the pipeline, except in outputs of steps that set none.
func (n names) expand(t *testing.T, text string) string {
	t.Helper()
	expanded := expression.ReplaceAllStringFunc(text, func(found string) string {
		name := expression.FindStringSubmatch(found)[1]
		value, known := n[name]
		require.True(t, known || strings.HasPrefix(name, "steps."), "nothing is called %s", name)
		return value
	})
	require.NotContains(t, expanded, "${{", "this expression is not supported here")
	return expanded
}

// githubStep is a step of a job or of a composite action.
type githubStep struct {
	ID, Uses, Run, If, Shell, Name string
	With, Env                      map[string]string
}

// githubJob is a job of a workflow.
type githubJob struct {
	Needs    string
	If       string
	RunsOn   string `yaml:"runs-on"`
	Timeout  int    `yaml:"timeout-minutes"`
	Strategy struct {
		FailFast bool `yaml:"fail-fast"`
		Matrix   map[string][]string
	}
	Outputs map[string]string
	Steps   []githubStep
}

// read reads a YAML file, all of whose keys must be known.
func read(t *testing.T, path string, to any) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(to), path)
}

// github runs a workflow and returns the exit status of each job that ran, by name and value of the matrix.
func (r *runner) github(t *testing.T, path string) map[string]int {
	t.Helper()
	var workflow struct {
		Name        string
		On          map[string]any
		Permissions map[string]string
		Jobs        map[string]githubJob
	}
	read(t, path, &workflow)
	statuses, outputs, failed := map[string]int{}, names{}, map[string]bool{}
	for done := map[string]bool{}; len(done) < len(workflow.Jobs); {
		began := len(done)
		for _, name := range slices.Sorted(maps.Keys(workflow.Jobs)) {
			job := workflow.Jobs[name]
			if done[name] || job.Needs != "" && !done[job.Needs] {
				continue
			}
			done[name] = true
			require.NotZero(t, job.Timeout, "a job without a time limit")
			if failed[job.Needs] && job.If != "${{ !cancelled() }}" {
				failed[name] = true
				continue
			}
			values := []string{""}
			if job.Strategy.Matrix != nil {
				require.Len(t, job.Strategy.Matrix, 1)
				values = job.Strategy.Matrix["shard"]
			}
			for _, value := range values {
				known := maps.Clone(outputs)
				known["matrix.shard"], known["github.sha"] = value, "0123"
				r.begin(t)
				status := r.steps(t, job.Steps, known)
				statuses[strings.TrimSuffix(name+" "+value, " ")] = status
				failed[name] = failed[name] || status != 0
				for output, text := range job.Outputs {
					outputs["needs."+name+".outputs."+output] = known.expand(t, text)
				}
			}
		}
		require.Greater(t, len(done), began, "jobs need each other")
	}
	return statuses
}

// steps runs steps up to the first that fails, and then those that run always. It adds their outputs to known.
func (r *runner) steps(t *testing.T, steps []githubStep, known names) (status int) {
	t.Helper()
	for _, step := range steps {
		if status != 0 && !strings.HasPrefix(step.If, "always()") {
			continue
		}
		with := map[string]string{}
		for key, value := range step.With {
			with[key] = known.expand(t, value)
		}
		action, _, _ := strings.Cut(step.Uses, "@")
		did := 0
		switch action {
		case "":
			did = r.step(t, step, known)
		case "actions/checkout":
			r.checkOut(t)
		case "actions/upload-artifact":
			r.keep(t, with["name"], with["path"])
		case "actions/download-artifact":
			if with["pattern"] == "" {
				r.fetch(t, with["name"], with["path"])
				break
			}
			found, err := filepath.Glob(filepath.Join(r.base, "artifacts", with["pattern"]))
			require.NoError(t, err)
			for _, each := range found {
				r.fetch(t, filepath.Base(each), filepath.Join(with["path"], filepath.Base(each)))
			}
		case "actions/setup-go", "actions/cache":
		case "OWNER/msc4014":
			did = r.composite(t, step, with, known)
		default:
			t.Errorf("an unknown action: %s", step.Uses)
		}
		if status == 0 {
			status = did
		}
	}
	return status
}

// step runs the script of a step, and adds its outputs to known.
func (r *runner) step(t *testing.T, step githubStep, known names) int {
	t.Helper()
	files := t.TempDir()
	environment := []string{"GITHUB_ACTION_PATH=" + r.suite, "CI=true"}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV"} {
		environment = append(environment, name+"="+filepath.Join(files, name))
	}
	for key, value := range step.Env {
		environment = append(environment, key+"="+known.expand(t, value))
	}
	require.NotContains(t, step.Run, "${{", "a value of others could become a command; pass it by env")
	status := r.shell(t, environment, step.Run)
	written, _ := os.ReadFile(filepath.Join(files, "GITHUB_OUTPUT"))
	for line := range strings.Lines(string(written)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		known["steps."+step.ID+".outputs."+key] = value
	}
	return status
}

// composite runs action.yml.
func (r *runner) composite(t *testing.T, caller githubStep, with, known map[string]string) int {
	t.Helper()
	var action struct {
		Name, Description string
		Inputs            map[string]struct{ Description, Default string }
		Outputs           map[string]struct{ Description, Value string }
		Runs              struct {
			Using string
			Steps []githubStep
		}
	}
	read(t, filepath.Join(r.suite, "action.yml"), &action)
	require.Equal(t, "composite", action.Runs.Using)
	inside := names{"github.sha": known["github.sha"], "github.action_path": r.suite}
	for name, input := range action.Inputs {
		inside["inputs."+name] = input.Default
	}
	for name, value := range with {
		require.Contains(t, action.Inputs, name)
		inside["inputs."+name] = value
	}
	if inside["inputs.run"] == "" && inside["inputs.merge"] == "" {
		inside["inputs.run"] = r.pattern
	}
	steps := slices.DeleteFunc(slices.Clone(action.Runs.Steps), func(step githubStep) bool {
		return strings.Contains(step.If, "inputs.artifact != ''") && inside["inputs.artifact"] == ""
	})
	status := r.steps(t, steps, inside)
	for name, output := range action.Outputs {
		known["steps."+caller.ID+".outputs."+name] = inside.expand(t, output.Value)
	}
	return status
}

// gitlabJob is a job of a pipeline, or a template of one.
type gitlabJob struct {
	Extends      string
	Image        gitlabImage
	Stage        string
	Timeout      string
	When         string
	Parallel     int
	Needs        []string
	Tags         []string
	Rules        []map[string]string
	Variables    map[string]string
	Cache        map[string]any
	BeforeScript []string `yaml:"before_script"`
	Script       []string
	Artifacts    struct {
		When    string
		Paths   []string
		Reports map[string]string
	}
}

// gitlabImage is the image of a job. GitLab starts a shell in it by its entrypoint, unless the job has another.
type gitlabImage struct {
	Name       string
	Entrypoint []string
}

// UnmarshalYAML takes the name alone, too.
func (i *gitlabImage) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&i.Name)
	}
	type plain gitlabImage
	return node.Decode((*plain)(i))
}

// gitlab runs a pipeline in the order of its jobs' stages, and returns the exit status of each job by name and number. variables take the
// place of those in the pipeline.
func (r *runner) gitlab(t *testing.T, path string, variables []string) map[string]int {
	t.Helper()
	document := map[string]yaml.Node{}
	read(t, path, &document)
	jobs := map[string]gitlabJob{}
	for name, node := range document {
		if name == "variables" {
			continue
		}
		encoded, err := yaml.Marshal(&node)
		require.NoError(t, err)
		decoder := yaml.NewDecoder(strings.NewReader(string(encoded)))
		decoder.KnownFields(true)
		var job gitlabJob
		require.NoError(t, decoder.Decode(&job), name)
		jobs[name] = job
	}
	statuses := map[string]int{}
	for _, stage := range []string{"build", "test", ".post"} {
		for _, name := range slices.Sorted(maps.Keys(jobs)) {
			job := jobs[name]
			if job.Stage != stage {
				continue
			}
			require.NotEmpty(t, job.Timeout, "a job without a time limit")
			image := job.Image
			if image.Name == "" {
				image = jobs[job.Extends].Image
			}
			require.NotEmpty(t, image.Name, "a job without an image")
			if strings.Contains(image.Name, "msc4014-suite") {
				require.Equal(t, []string{""}, image.Entrypoint, "%s: the image's own entrypoint is run.sh", name)
			}
			script := slices.Concat(jobs[job.Extends].BeforeScript, job.BeforeScript, job.Script)
			for number := 1; number <= max(job.Parallel, 1); number++ {
				r.begin(t)
				r.checkOut(t)
				for _, needed := range job.Needs {
					if _, err := os.Stat(filepath.Join(r.base, "artifacts", needed)); err == nil {
						r.fetch(t, needed, ".")
					}
				}
				builds := t.TempDir()
				environment := slices.Concat([]string{
					"CI=true", "CI_JOB_IMAGE=" + image.Name, "CI_PROJECT_DIR=" + r.workspace(), "CI_BUILDS_DIR=" + builds, "CI_PIPELINE_ID=7",
					fmt.Sprintf("CI_NODE_INDEX=%d", number), fmt.Sprintf("CI_NODE_TOTAL=%d", max(job.Parallel, 1)),
				}, variables)
				status := r.shell(t, environment, strings.Join(script, "\n"))
				statuses[strings.TrimSuffix(fmt.Sprintf("%s %d", name, number), " 1")] = status
				for _, path := range job.Artifacts.Paths {
					kept := filepath.Join(name, path)
					r.keep(t, kept, path)
				}
				for _, report := range job.Artifacts.Reports {
					require.FileExists(t, filepath.Join(r.workspace(), report))
				}
			}
		}
	}
	return statuses
}
