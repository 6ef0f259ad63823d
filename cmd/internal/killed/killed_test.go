// Package killed tests that a killed run leaves nothing behind, whichever of its processes was killed and whatever it was
// doing, and that a concurrent run is not affected. It takes minutes, so it runs only with MSC4014_TEST_KILL=1:
//
//	MSC4014_TEST_KILL=1 go test -v -timeout 30m ./cmd/internal/killed
package killed

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

const enableVariable = "MSC4014_TEST_KILL"

// victim is a run to be killed.
type victim struct {
	phase       string
	kills       string // "run.sh" is the process that the user started, which becomes the command line
	runtime     string
	direct      bool     // without run.sh
	environment []string // for the run, and for the clean-up after it
	goCache     bool     // use an empty cache of the go command, so that there is something to compile
	when        func(*testing.T, *process)
	status      []int // the exit statuses that the run may have if another process is killed
}

func TestAKilledRunLeavesNothing(t *testing.T) {
	if os.Getenv(enableVariable) == "" {
		t.Skipf("takes minutes; set %s=1 to run it", enableVariable)
	}
	if goruntime.GOOS != "linux" {
		t.Skip("needs /proc to find processes")
	}
	p := newProject(t)
	runtimes := []string{"process"}
	if p.engine != nil {
		runtimes = append(runtimes, "docker")
	}
	for _, runtimeName := range runtimes {
		t.Run(runtimeName, func(t *testing.T) {
			neighbour := p.settle(t, runtimeName)
			defer neighbour.stop(t)
			victims := p.runs(runtimeName)
			if runtimeName == "process" {
				victims = append(p.builds(t), victims...)
			}
			for number, each := range victims {
				t.Run(each.phase+", "+each.kills, func(t *testing.T) {
					p.kill(t, each, fmt.Sprintf("%s-%d", runtimeName, number), number%2 == 0)
				})
			}
		})
	}
	t.Run("build of an image", p.killImageBuild)
}

// builds returns the victims that are killed while something is built.
func (p *project) builds(t *testing.T) []victim {
	compiling := func(t *testing.T, v *process) {
		v.await(t, "compiler", func() bool { return v.one("compiler") != 0 })
	}
	var victims []victim
	for _, kills := range []string{"run.sh", "go command", "compiler"} {
		victims = append(victims,
			victim{phase: "build of the command line", kills: kills, goCache: true, when: compiling, status: []int{2}},
			victim{phase: "build of the checks", kills: kills, goCache: true, direct: true, when: compiling, status: []int{2}},
			victim{phase: "build of the candidate", kills: kills, status: []int{2},
				environment: []string{"XDG_CACHE_HOME=" + t.TempDir()}, when: func(t *testing.T, v *process) {
					v.await(t, "build of the candidate", func() bool { return strings.Contains(v.said(), "building "+judged) })
					compiling(t, v)
				}})
	}
	for i := range victims {
		victims[i].runtime = "process"
	}
	return victims
}

// aVerdict matches the line of a check that has a verdict.
var aVerdict = regexp.MustCompile(`(?m)^(pass|fail|blocked) `)

// runs returns the victims that are killed while servers start, and while checks run.
func (p *project) runs(runtimeName string) []victim {
	starting := func(t *testing.T, v *process) {
		v.await(t, "server", func() bool { return p.server(t, v, runtimeName) != "" })
	}
	judging := func(t *testing.T, v *process) {
		v.await(t, "verdict", func() bool { return aVerdict.MatchString(v.said()) })
	}
	var victims []victim
	for _, kills := range []string{"run.sh", "suite", "server"} {
		start := victim{phase: "start", kills: kills, runtime: runtimeName, when: starting, status: []int{2}}
		checks := victim{phase: "checks", kills: kills, runtime: runtimeName, when: judging, status: []int{2}}
		if kills == "server" {
			checks.status = []int{1} // it continues to the end, and reports that a server was killed
		}
		victims = append(victims, start, checks)
	}
	return victims
}

// server returns the process or container of one server of a run, or "" if it has none.
func (p *project) server(t *testing.T, v *process, runtimeName string) string {
	if runtimeName == "process" {
		if pid := v.one("server"); pid != 0 {
			return fmt.Sprint(pid)
		}
		return ""
	}
	id := p.runOf(v)
	if id == "" {
		return ""
	}
	running, err := p.engine.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", session.LabelRun+"="+id))})
	require.NoError(t, err)
	if len(running) == 0 {
		return ""
	}
	return running[0].ID
}

// runOf returns the ID of the run that a process opened.
func (p *project) runOf(v *process) string {
	owners, _ := filepath.Glob(filepath.Join(p.state, "runs", "*", "owner.json"))
	for _, path := range owners {
		var owner struct {
			PID int `json:"pid"`
		}
		if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &owner) == nil && owner.PID == v.pid() {
			return filepath.Base(filepath.Dir(path))
		}
	}
	return ""
}

// kill starts a run, kills one of its processes, cleans up, with the command clean or by the next run, and checks what is
// left.
func (p *project) kill(t *testing.T, each victim, mark string, byCommand bool) {
	environment := each.environment
	if each.goCache {
		environment = append(environment, "GOCACHE="+t.TempDir())
	}
	v := p.start(t, mark, each.direct, environment, judged, "--verbose", "--runtime", each.runtime,
		"--run", "^(membership/(join|leave|remote).*|resilience/stays-up)$", "--results", t.TempDir())
	each.when(t, v)
	run := p.runOf(v)
	switch each.kills {
	case "run.sh":
		kill(t, v.pid())
		<-v.ended
	case "server":
		p.killServer(t, v, each.runtime)
	case "compiler":
		v.killCompilers(t)
	default:
		kill(t, v.one(each.kills))
	}
	began := time.Now()
	if status := v.status(t); each.kills != "run.sh" {
		assert.Contains(t, each.status, status, "exit status of the run:\n%s", v.said())
		t.Logf("the run ended with status %d after %.1f s", status, time.Since(began).Seconds())
	}

	began = time.Now()
	arguments := []string{"clean"}
	if !byCommand && each.environment == nil {
		arguments = []string{judged, "--runtime", each.runtime, "--run", "^room-version/advertised$", "--results", t.TempDir()}
	}
	cleaner := p.start(t, mark+"-cleaner", false, each.environment, arguments...)
	assert.Zero(t, cleaner.status(t), "%s:\n%s", arguments, cleaner.said())
	t.Logf("%s took %.1f s", arguments[0], time.Since(began).Seconds())
	p.assertNothingLeft(t, v, run, each.environment)
	if t.Failed() {
		t.Logf("output of the run:\n%s\noutput of the cleaner:\n%s", v.said(), cleaner.said())
	}
}

func (p *project) killServer(t *testing.T, v *process, runtimeName string) {
	if runtimeName == "process" {
		kill(t, v.one("server"))
		return
	}
	require.NoError(t, p.engine.ContainerKill(t.Context(), p.server(t, v, runtimeName), "KILL"))
}

// assertNothingLeft asserts that no processes, containers, networks, volumes or files of a run are left.
func (p *project) assertNothingLeft(t *testing.T, v *process, run string, environment []string) {
	t.Helper()
	assert.Empty(t, marked(v.mark), "processes")
	if run != "" {
		assert.NoDirExists(t, filepath.Join(p.state, "runs", run))
		if p.engine != nil {
			left, err := engine.List(t.Context(), p.engine, session.LabelRun+"="+run)
			require.NoError(t, err)
			assert.Empty(t, left, "in the engine")
		}
	}
	files, err := filepath.Glob(filepath.Join(p.root, "bin", fmt.Sprintf("*-%d", v.pid())))
	require.NoError(t, err)
	assert.Empty(t, files, "unfinished programs")
	for _, variable := range environment {
		if cache, is := strings.CutPrefix(variable, "XDG_CACHE_HOME="); is {
			files, err := filepath.Glob(filepath.Join(cache, "msc4014", "programs", ".building-*"))
			require.NoError(t, err)
			assert.Empty(t, files, "unfinished programs of the candidate")
		}
	}
}

// killImageBuild kills the command line while the engine runs a step of an image's build.
func (p *project) killImageBuild(t *testing.T) {
	if p.engine == nil {
		t.Skip("needs a container engine")
	}
	const name, mark = "sleeper", "image-build"
	folder := filepath.Join(p.root, "dockerfiles", name)
	require.NoError(t, os.Mkdir(folder, 0o755))
	buildSleeper(t, filepath.Join(folder, name))
	dockerfile := fmt.Sprintf("FROM scratch\nARG CANDIDATE\nLABEL %s=${CANDIDATE}\nENV %s=%s\nCOPY %s /\nRUN [\"/%s\"]\n",
		candidate.Label, markVariable, mark, name, name)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Dockerfile"), []byte(dockerfile), 0o644))
	label := candidate.Label + "=" + name
	defer p.pruneImages(t, label)

	v := p.start(t, mark, false, nil, name, "--verbose", "--runtime", "docker", "--results", t.TempDir())
	steps := func() []container.Summary {
		running, err := p.engine.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
		require.NoError(t, err)
		return running
	}
	v.await(t, "step of the build", func() bool { return len(steps()) > 0 })
	kill(t, v.pid())
	<-v.ended
	cleaner := p.start(t, mark+"-cleaner", false, nil, "clean")
	assert.Zero(t, cleaner.status(t), cleaner.said())
	assert.Empty(t, steps(), "containers")
	p.assertNothingLeft(t, v, "", nil)
}
