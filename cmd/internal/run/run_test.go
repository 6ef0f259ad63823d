package run

// Whole runs, with the test binary in place of the suite's: see fake.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/baseline"
	"msc4014/runtime"
)

const fakeVariable = "MSC4014_TEST_FAKE_SUITE"

// script is what the fake suite does: its checks, their verdicts, and how it ends.
type script struct {
	Checks   []selection.Check
	Verdicts map[string]verdict.Verdict
	Lacks    bool // the candidate does not have the room version
	// Ending: "" well, or "killed", "panics", "cannot", "waits", "silent" once everything before it was said.
	Ending string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(fakeVariable); text != "" {
		var s script
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			panic(err)
		}
		os.Exit(fake(s))
	}
	os.Exit(m.Run())
}

// fake acts as the suite's binary.
func fake(s script) int {
	output := json.NewEncoder(os.Stdout)
	emit := func(event verdict.Event) { _ = output.Encode(event) }
	if len(os.Args) > 1 && os.Args[1] == "--list" {
		_ = output.Encode(s.Checks)
		return 0
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	var wanted plan.Plan
	if err := json.NewDecoder(os.Stdin).Decode(&wanted); err != nil || os.NewFile(3, "lock") == nil {
		return 9
	}
	switch s.Ending {
	case "cannot":
		emit(verdict.Event{Kind: verdict.KindCannot, Message: "dendrite@1 did not answer /versions within 30s"})
		return 2
	case "silent":
		return 0
	}
	var chosen []string
	for _, check := range s.Checks {
		if (wanted.Run == "" || strings.Contains(check.Name, wanted.Run)) && (wanted.Second == nil || check.Mixed) {
			chosen = append(chosen, check.Name)
		}
	}
	candidate := &verdict.Candidate{Name: wanted.Candidate().Name}
	if !s.Lacks {
		candidate.Dialect, candidate.RoomVersion = "dendrite", cmp.Or(wanted.RoomVersion, "org.matrix.msc4014")
	}
	emit(verdict.Event{Kind: verdict.KindPlan, Total: len(chosen), Checks: chosen, Candidate: candidate})
	for _, name := range chosen {
		result := &verdict.CheckResult{Name: name, Verdict: s.Verdicts[name]}
		if result.Verdict == "" {
			continue
		}
		if result.Verdict != verdict.Pass {
			result.Reason = "because of " + name
		}
		if result.Verdict != verdict.Pass || wanted.AllEvidence {
			result.Log = "checks/" + name + "/hs1.log"
			folder := filepath.Join(wanted.Results, "checks", name)
			_ = os.MkdirAll(folder, 0o755)
			_ = os.WriteFile(filepath.Join(folder, "hs1.log"), []byte("a log\n"), 0o644)
		}
		emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: name, Result: result})
	}
	switch s.Ending {
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "panics":
		panic("the suite has a bug")
	case "gives up":
		emit(verdict.Event{Kind: verdict.KindCannot, Message: "the engine is gone"})
		return 2
	case "waits":
		emit(verdict.Event{Kind: verdict.KindNote, Message: "waiting"})
		<-terminated
		emit(verdict.Event{Kind: verdict.KindCannot, Message: "context canceled"})
		return 2
	}
	emit(verdict.Event{Kind: verdict.KindEnd})
	return 0
}

// bench is a runner with its own project.
type bench struct {
	*Runner
	out bytes.Buffer
}

func newBench(t *testing.T, s script) *bench {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	t.Setenv(fakeVariable, string(text))
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the fake ends at once under the race detector, too
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock") // the cleanup must not look at this machine's
	root := t.TempDir()
	b := &bench{}
	b.Runner = &Runner{
		Root: root, Folder: root, Stdout: &b.out, Environment: func(string) string { return "" },
		Suite:  report.Suite{Version: "test"},
		Engine: func(context.Context) error { return errors.New("no engine answers") },
		Build:  func(context.Context, string) (string, error) { return os.Args[0], nil },
		Catalogue: func() (report.Catalogue, error) {
			return report.Catalogue{Version: 1, MSCNumber: 4014, Requirements: []report.CatalogueEntry{
				{ID: "mapping/a", Chapter: "mapping", Kind: "must"}, {ID: "mapping/b", Chapter: "mapping", Kind: "must"},
			}}, nil
		},
		Parse: func(typed string) (Candidate, error) {
			if image, is := strings.CutPrefix(typed, "image:"); is {
				return Candidate{
					Typed: typed, Name: typed, Folder: "image", File: "image", Image: strings.TrimSuffix(image, ":latest") + ":latest",
					Runtimes: []string{"docker"},
					Prepare: func(context.Context, string, func(string)) (runtime.Artifact, error) {
						return runtime.Artifact{Candidate: typed, Image: image}, nil
					},
				}, nil
			}
			if !strings.HasPrefix(typed, "dendrite") && typed != "synapse" {
				return Candidate{Name: typed, Folder: typed}, fmt.Errorf("unknown candidate %q", typed)
			}
			name := typed
			if typed == "dendrite" {
				name = "dendrite@1"
			}
			one := Candidate{Typed: typed, Name: name, Folder: typed, File: name, Runtimes: []string{"docker", "process"}}
			if typed == "synapse" {
				one.Runtimes = []string{"docker"}
			}
			one.Prepare = func(_ context.Context, runtimeName string, progress func(string)) (runtime.Artifact, error) {
				progress("building " + name)
				return runtime.Artifact{Candidate: typed, Version: "1"}, nil
			}
			return one, nil
		},
	}
	return b
}

// two are two checks, of one requirement each.
var two = []selection.Check{
	{Name: "check-a", Requirements: []string{"mapping/a"}}, {Name: "check-b", Requirements: []string{"mapping/b"}},
}

type verdicts = map[string]verdict.Verdict

func options(candidates ...string) Options {
	return Options{Candidates: candidates, Runtime: "auto"}
}

func (b *bench) baseline(t *testing.T, name string, expected verdicts) string {
	t.Helper()
	file := filepath.Join(b.Root, "baselines", name+".json")
	saved := &baseline.Baseline{Candidate: name, Catalogue: 1, Checks: map[string]baseline.Expectation{}}
	for check, v := range expected {
		saved.Checks[check] = baseline.Expectation{Verdict: v, Reason: "words"}
	}
	require.NoError(t, saved.Save(file))
	return file
}

// nothingLeft asserts that the run's session and unfinished results are gone.
func (b *bench) nothingLeft(t *testing.T) {
	t.Helper()
	runs, err := os.ReadDir(filepath.Join(os.Getenv("MSC4014_STATE_DIR"), "runs"))
	require.NoError(t, err)
	assert.Empty(t, runs)
	left, err := filepath.Glob(filepath.Join(b.Root, "results", "*", ".run-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// noVerdict asserts that no results have a verdict and that all of them say why.
func (b *bench) noVerdict(t *testing.T, why string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.Root, "results", "*", report.ResultsFile))
	require.NoError(t, err)
	for _, file := range found {
		results, err := report.Read(filepath.Dir(file))
		require.NoError(t, err)
		assert.Contains(t, results.Incomplete, why)
		assert.Empty(t, results.Checks)
		assert.NotEmpty(t, results.Candidate.Name)
	}
}

func TestRunWithoutABaseline(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "unsupported"}})
	status, err := b.Run(context.Background(), options("dendrite"))
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status)
	results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
	require.NoError(t, err)
	assert.Equal(t, verdict.Candidate{
		Name: "dendrite@1", Version: "1", Runtime: "process", Dialect: "dendrite", RoomVersion: "org.matrix.msc4014",
	}, results.Candidate, "results name the version, whatever was typed")
	assert.FileExists(t, filepath.Join(b.Root, "results", "dendrite", results.Checks[1].Log))
	assert.FileExists(t, filepath.Join(b.Root, "results", "dendrite", "junit.xml"))
	assert.Contains(t, b.out.String(), "servers run as plain processes: no engine answers")
	assert.Contains(t, b.out.String(), "preparing dendrite\n")
	assert.Contains(t, b.out.String(), "checks         1 pass, 1 unsupported")
	b.nothingLeft(t)
}

func TestAnotherRoomVersion(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	wanted := options("dendrite")
	wanted.RoomVersion = "org.example.msc4014.v2"
	_, err := b.Run(context.Background(), wanted)
	require.NoError(t, err)
	results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
	require.NoError(t, err)
	assert.Equal(t, "org.example.msc4014.v2", results.Candidate.RoomVersion)
	assert.Contains(t, b.out.String(), "room version org.example.msc4014.v2")
}

func TestAllEvidence(t *testing.T) {
	for _, which := range []string{"", "needed", report.EvidenceAll} {
		b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
		wanted := options("dendrite")
		wanted.Evidence = which
		_, err := b.Run(context.Background(), wanted)
		require.NoError(t, err)
		results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
		require.NoError(t, err)
		all := which == report.EvidenceAll
		assert.Equal(t, all, results.EvidenceKept == report.EvidenceAll, which)
		assert.Equal(t, all, len(results.Evidence) == 2, "%v", results.Evidence)
	}
}

func TestNoticesCannotBeMissed(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	b.Notices = []string{"the variable COMPLEMENT_DEBUGG is unknown"}
	_, err := b.Run(context.Background(), options("dendrite"))
	require.NoError(t, err)
	first, last := strings.Index(b.out.String(), b.Notices[0]), strings.LastIndex(b.out.String(), b.Notices[0])
	assert.Less(t, first, strings.Index(b.out.String(), "preparing dendrite"), "at the start")
	assert.Greater(t, last, strings.Index(b.out.String(), "checks         2 pass"), "after the summary")
	results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
	require.NoError(t, err)
	assert.Equal(t, b.Notices, results.Notes)
}

func TestExitStatusOfAWholeRun(t *testing.T) {
	for _, test := range []struct {
		name     string
		got      verdicts
		expected verdicts // nil: no baseline
		change   func(*Options)
		status   int
		says     string
	}{
		{name: "no fail, no baseline", got: verdicts{"check-a": "pass", "check-b": "inconclusive"}},
		{name: "fail without a baseline", got: verdicts{"check-a": "fail", "check-b": "pass"}, status: 1, says: "no baseline expects them"},
		{name: "as expected", got: verdicts{"check-a": "fail", "check-b": "pass"}, expected: verdicts{"check-a": "fail", "check-b": "pass"}, says: "as expected"},
		{name: "worse", got: verdicts{"check-a": "fail", "check-b": "fail"}, expected: verdicts{"check-a": "fail", "check-b": "pass"}, status: 1, says: "check-b: expected pass, got fail"},
		{name: "better", got: verdicts{"check-a": "pass", "check-b": "pass"}, expected: verdicts{"check-a": "fail", "check-b": "pass"}, status: 1, says: "out of date"},
		{name: "new", got: verdicts{"check-a": "fail", "check-b": "pass"}, expected: verdicts{"check-b": "pass"}, says: "as expected, 1 new"},
		{
			name: "strict", got: verdicts{"check-a": "fail", "check-b": "pass"}, expected: verdicts{"check-a": "fail", "check-b": "pass"},
			change: func(o *Options) { o.Strict = true }, status: 1, says: "--strict",
		},
		{name: "strict about a pass", got: verdicts{"check-a": "pass", "check-b": "pass"}, change: func(o *Options) { o.Strict = true }},
		{name: "error", got: verdicts{"check-a": "error", "check-b": "pass"}, expected: verdicts{"check-a": "pass", "check-b": "pass"}, status: 1, says: "the suite or the machine failed"},
		{
			name: "part", got: verdicts{"check-a": "pass", "check-b": "fail"}, expected: verdicts{"check-a": "pass", "check-b": "pass"},
			change: func(o *Options) { o.Run = "check-a" }, says: "as expected",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, script{Checks: two, Verdicts: test.got})
			if test.expected != nil {
				b.baseline(t, "dendrite@1", test.expected)
			}
			asked := options("dendrite")
			if test.change != nil {
				test.change(&asked)
			}
			status, err := b.Run(context.Background(), asked)
			require.NoError(t, err)
			assert.Equal(t, test.status, status, b.out.String())
			assert.Contains(t, b.out.String(), test.says)
			b.nothingLeft(t)
		})
	}
}

func TestUpdateBaseline(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "fail", "check-b": "pass"}})
	asked := options("dendrite")
	asked.UpdateBaseline = true
	status, err := b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, b.out.String())
	file := filepath.Join(b.Root, "baselines", "dendrite@1.json")
	made, err := baseline.Load(file)
	require.NoError(t, err)
	assert.Equal(t, "TODO: because of check-a", made.Checks["check-a"].Reason)
	assert.Contains(t, b.out.String(), `that begin with "TODO:": 1`)

	status, err = b.Run(context.Background(), options("dendrite"))
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, "the next run meets it")

	asked.Run = "check-b"
	b.baseline(t, "dendrite@1", verdicts{"check-a": "blocked", "check-b": "fail"})
	status, err = b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status)
	made, err = baseline.Load(file)
	require.NoError(t, err)
	assert.Equal(t, verdict.Blocked, made.Checks["check-a"].Verdict, "a partial run updates only what it judged")
	assert.Equal(t, verdict.Pass, made.Checks["check-b"].Verdict)
}

func TestUpdateBaselineRefusesErrors(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "error", "check-b": "pass"}})
	asked := options("dendrite")
	asked.UpdateBaseline, asked.Baseline = true, filepath.Join(b.Root, "mine.json")
	status, err := b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusWorse, status)
	assert.Contains(t, b.out.String(), `the baseline was not updated: check "check-a" ended as an error`)
	assert.NoFileExists(t, asked.Baseline)
}

func TestBadInput(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte("{"), 0o644))
	for says, change := range map[string]func(*Options){
		`unknown candidate "nosuch"`: func(o *Options) { o.Candidates = []string{"dendrite", "nosuch"} },
		"dendrite and dendrite@1 are the same candidate, dendrite@1; name it once": func(o *Options) { o.Candidates = []string{"dendrite", "dendrite@1"} },
		"dendrite is named twice":                                func(o *Options) { o.Candidates = []string{"dendrite", "dendrite"} },
		`--run "zzz" matches no check`:                           func(o *Options) { o.Run = "zzz" },
		"cannot read the baseline":                               func(o *Options) { o.Baseline = "/nonexistent/b.json" },
		"does not parse":                                         func(o *Options) { o.Baseline = broken },
		"one of auto, docker, process":                           func(o *Options) { o.Runtime = "podman" },
		"--runtime docker: no engine answers":                    func(o *Options) { o.Runtime = "docker" },
		"synapse cannot be started with":                         func(o *Options) { o.Candidates, o.Runtime = []string{"synapse"}, "process" },
		"synapse runs in containers only: no engine":             func(o *Options) { o.Candidates = []string{"synapse"} },
		`--shard "0/2"`:                                          func(o *Options) { o.Shard = "0/2" },
		`--shard "x"`:                                            func(o *Options) { o.Shard = "x" },
		"--parallel 65: must be a number of checks from 1 to 64": func(o *Options) { o.Parallel = 65 },
		`--evidence "some": must be one of needed, all`:          func(o *Options) { o.Evidence = "some" },
		"--parallel -1":                                          func(o *Options) { o.Parallel = -1 },
		"--baseline names the file of one candidate;":            func(o *Options) { o.Candidates, o.Baseline = []string{"dendrite", "dendrite@2"}, broken },
		"cannot use /dev/null/results":                           func(o *Options) { o.Results = "/dev/null/results" },
		"cannot use " + broken + " for results: it is a file":    func(o *Options) { o.Results = broken },
		"is not a valid regular expression":                      func(o *Options) { o.Run = "(" },
		"--shard 3/500 has no check: 2 selected":                 func(o *Options) { o.Shard = "3/500" },
		"--shard 2/2 has no check: 1 selected":                   func(o *Options) { o.Run, o.Shard = "check-a", "2/2" },
	} {
		t.Run(says, func(t *testing.T) {
			b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
			asked := options("dendrite")
			change(&asked)
			refused := func() {
				t.Helper()
				status, err := b.Run(context.Background(), asked)
				assert.Equal(t, StatusCannot, status)
				require.ErrorContains(t, err, says)
				assert.NotContains(t, err.Error(), "\n", "one line")
				b.noVerdict(t, says)
			}
			refused()
			if asked.Results == "" {
				folders := b.judged(t, asked.Candidates...)
				refused()
				for _, folder := range folders {
					b.unmade(t, folder)
				}
				assert.NoFileExists(t, filepath.Join(b.Root, "results", report.HTMLFile))
			}
			if _, err := os.Stat(filepath.Join(os.Getenv("MSC4014_STATE_DIR"), "runs")); err == nil {
				b.nothingLeft(t)
			}
		})
	}
}

func TestCandidateThatDoesNotStart(t *testing.T) {
	b := newBench(t, script{Checks: two, Ending: "cannot"})
	status, err := b.Run(context.Background(), options("dendrite"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "dendrite: dendrite@1 did not answer /versions within 30s")
	assert.FileExists(t, filepath.Join(b.Root, "results", "dendrite", "junit.xml"))
	b.noVerdict(t, "did not answer /versions within 30s")
	b.nothingLeft(t)
}

func TestCandidateThatCannotBePrepared(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	parse := b.Parse
	b.Parse = func(typed string) (Candidate, error) {
		one, err := parse(typed)
		if typed == "dendrite" {
			one.Prepare = func(context.Context, string, func(string)) (runtime.Artifact, error) {
				return runtime.Artifact{}, errors.New("its image cannot be built")
			}
		}
		return one, err
	}
	status, err := b.Run(context.Background(), options("dendrite", "dendrite@2"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "dendrite: its image cannot be built")
	assert.FileExists(t, filepath.Join(b.Root, "results", "dendrite@2", "results.json"), "the other one is judged")
	b.nothingLeft(t)
}

// TestResultsFolderInUse: the second run fails before anything is built or started, and changes nothing.
func TestResultsFolderInUse(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	path := filepath.Join(b.Root, "results", "dendrite@2")
	first, err := report.OpenFolder(path)
	require.NoError(t, err)
	require.NoError(t, first.Keep(report.Unmade(report.Run{Candidate: verdict.Candidate{Name: "the first"}}, report.Catalogue{}, "it goes on")))
	b.Build = func(context.Context, string) (string, error) {
		assert.Fail(t, "something is built")
		return "", errors.New("no")
	}
	status, err := b.Run(context.Background(), options("dendrite", "dendrite@2"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, fmt.Sprintf("another run (process %d) is using the results folder %s; wait until it has ended, or name "+
		"another folder with --results", os.Getpid(), path))
	results, err := report.Read(path)
	require.NoError(t, err)
	assert.Equal(t, "it goes on", results.Incomplete)
	assert.NoDirExists(t, filepath.Join(b.Root, "results", "dendrite"), "it does not start the other candidate either")
	require.NoError(t, first.Close())
}

// TestNoStaleResults: during a run, and after one that could not be made, nothing in the folder is from an earlier run.
func TestNoStaleResults(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	_, err := b.Run(context.Background(), options("dendrite"))
	require.NoError(t, err)
	b.Build = func(context.Context, string) (string, error) {
		b.noVerdict(t, fmt.Sprintf("the run has not ended (process %d)", os.Getpid()))
		return "", errors.New("it does not compile")
	}
	status, err := b.Run(context.Background(), options("dendrite"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "it does not compile")
	b.noVerdict(t, "it does not compile")
	earlier, err := report.Read(filepath.Join(b.Root, "results", "dendrite", report.EarlierFolder))
	require.NoError(t, err)
	assert.Equal(t, 2, earlier.Counts[verdict.Pass])
}

func TestSuiteThatDies(t *testing.T) {
	for ending, says := range map[string]string{
		"killed": "dendrite: the suite's binary ended (signal: killed); this is the fault of the suite or the machine",
		"panics": "panic: the suite has a bug",
	} {
		t.Run(ending, func(t *testing.T) {
			b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass"}, Ending: ending})
			status, err := b.Run(context.Background(), options("dendrite"))
			assert.Equal(t, StatusCannot, status)
			require.ErrorContains(t, err, says)
			assert.NotContains(t, err.Error(), "goroutine", "no stack trace")
			results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
			require.NoError(t, err)
			assert.Contains(t, results.Incomplete, "the suite's binary ended")
			assert.Equal(t, verdict.Pass, results.Checks[0].Verdict)
			assert.Equal(t, verdict.NotRun, results.Checks[1].Verdict)
			assert.Contains(t, results.Checks[1].Reason, "the run ended before this check began")
			if ending == "panics" {
				trace, err := os.ReadFile(filepath.Join(b.Root, "results", "dendrite", report.CrashFile))
				require.NoError(t, err)
				assert.Contains(t, string(trace), "goroutine")
			}
			b.nothingLeft(t)
		})
	}
	t.Run("gives up", func(t *testing.T) {
		b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass"}, Ending: "gives up"})
		status, err := b.Run(context.Background(), options("dendrite"))
		assert.Equal(t, StatusCannot, status)
		assert.EqualError(t, err, "dendrite: the engine is gone")
		results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
		require.NoError(t, err)
		assert.Equal(t, "the engine is gone", results.Incomplete)
	})
	t.Run("silent", func(t *testing.T) {
		b := newBench(t, script{Checks: two, Ending: "silent"})
		status, err := b.Run(context.Background(), options("dendrite"))
		assert.Equal(t, StatusCannot, status)
		assert.ErrorContains(t, err, "exited without completing its results")
		b.nothingLeft(t)
	})
}

// interruptOn cancels a context when text is written.
type interruptOn struct {
	io.Writer
	text   string
	cancel context.CancelCauseFunc
}

func (w interruptOn) Write(data []byte) (int, error) {
	if bytes.Contains(data, []byte(w.text)) {
		w.cancel(errors.New("interrupted by SIGINT"))
	}
	return w.Writer.Write(data)
}

func TestInterruptedRunKeepsWhatItKnows(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "fail"}, Ending: "waits"})
	file := b.baseline(t, "dendrite@1", verdicts{"check-a": "pass"})
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(context.Background())
	b.Stdout = interruptOn{Writer: &b.out, text: "waiting", cancel: cancel}
	asked := options("dendrite", "dendrite@2")
	asked.Verbose = true
	asked.UpdateBaseline = true
	status, err := b.Run(ctx, asked)
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "interrupted by SIGINT")
	results, err := report.Read(filepath.Join(b.Root, "results", "dendrite"))
	require.NoError(t, err)
	assert.Equal(t, "interrupted by SIGINT", results.Incomplete)
	assert.Equal(t, verdict.Fail, results.Checks[0].Verdict)
	assert.Equal(t, verdict.NotRun, results.Checks[1].Verdict)
	assert.Equal(t, "the run ended before this check began: interrupted by SIGINT", results.Checks[1].Reason)
	assert.Contains(t, b.out.String(), "verdicts kept: 1 of 2; the other checks are not-run")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after), "an incomplete run creates no baseline")
	next, err := report.Read(filepath.Join(b.Root, "results", "dendrite@2"))
	require.NoError(t, err)
	assert.Equal(t, "interrupted by SIGINT", next.Incomplete, "the next one does not start")
	assert.Empty(t, next.Checks)
	b.nothingLeft(t)
}

func TestInterruptedWhilePreparing(t *testing.T) {
	b := newBench(t, script{Checks: two})
	ctx, cancel := context.WithCancelCause(context.Background())
	b.Stdout = interruptOn{Writer: &b.out, text: "preparing dendrite", cancel: cancel}
	status, err := b.Run(ctx, options("dendrite"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "interrupted by SIGINT")
	b.nothingLeft(t)
}

func TestSeveralCandidatesHaveOneSummary(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "fail", "check-b": "pass"}})
	b.baseline(t, "dendrite@1", verdicts{"check-a": "fail", "check-b": "pass"})
	asked := options("dendrite", "dendrite@2")
	asked.Verbose = true
	asked.Results = filepath.Join(b.Root, "out")
	status, err := b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusWorse, status, "the second has no baseline")
	assert.FileExists(t, filepath.Join(b.Root, "out", "dendrite", "results.json"))
	assert.FileExists(t, filepath.Join(b.Root, "out", "dendrite@2", "results.json"))
	assert.Equal(t, 1, strings.Count(b.out.String(), "requirements, by chapter"))
}

func TestKeep(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	asked := options("dendrite")
	asked.Keep = true
	status, err := b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status)
	runs, err := os.ReadDir(filepath.Join(os.Getenv("MSC4014_STATE_DIR"), "runs"))
	require.NoError(t, err)
	require.Len(t, runs, 1)
	assert.Contains(t, b.out.String(), filepath.Join("runs", runs[0].Name(), "servers"), "plain processes")
}
