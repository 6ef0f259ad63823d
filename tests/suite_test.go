package main

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/suite"
	"msc4014/report/baseline"
	"msc4014/runtime/candidate"
	"msc4014/runtime/complement"
	"msc4014/runtime/session"
)

// usualCandidate is judged where no other is named, in plain processes, so that `go test ./tests/...` needs Go alone.
const usualCandidate = "reference"

// TestSuite runs the whole suite against one candidate, with a subtest a check: each must come to what the candidate's
// baseline expects, and none fails where there is no baseline; the reference passes all that its runtime can do. The
// candidate is the image that Complement's variables name (in containers) if they do.
func TestSuite(t *testing.T) {
	results := judgeUsual(t, plan.Plan{Results: t.TempDir()})
	expected, err := baseline.Load(filepath.Join("..", "baselines", results.candidate+".json"))
	if results.image || errors.Is(err, os.ErrNotExist) {
		expected, err = &baseline.Baseline{}, nil
	}
	require.NoError(t, err)
	for _, one := range check.Registered().All() {
		t.Run(one.Name, func(t *testing.T) {
			got, judged := results.final[one.Name]
			require.True(t, judged, "the check was not judged")
			if got.Reason == verdict.WithoutClients {
				t.Skip(got.Reason)
			}
			wanted, known := expected.Checks[one.Name]
			switch {
			case known:
				assert.Equal(t, wanted.Verdict, got.Verdict, "%s", got.Reason)
			case results.image:
				assert.NotContains(t, []verdict.Verdict{verdict.Fail, verdict.Error, verdict.NotRun}, got.Verdict, "%s", got.Reason)
			case len(expected.Checks) == 0:
				assert.Contains(t, []verdict.Verdict{verdict.Pass, verdict.NotRun}, got.Verdict, "%s", got.Reason)
			default:
				t.Errorf("the baseline does not have this check, which came to %s (%s); ./run.sh %s --update-baseline adds it",
					got.Verdict, got.Reason, results.candidate)
			}
		})
	}
}

// judgement is what a run came to.
type judgement struct {
	candidate string
	image     bool
	final     map[string]verdict.CheckResult
	events    []verdict.Event
}

// judgeUsual runs a plan with the usual candidate.
func judgeUsual(t *testing.T, wanted plan.Plan) judgement {
	t.Helper()
	name, runtimeName := usualCandidate, "process"
	settings, err := complement.FromEnvironment(os.Environ())
	require.NoError(t, err)
	image, _ := settings.Candidate()
	if image != "" {
		name, runtimeName = "image:"+image, "docker"
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	parsed, err := candidate.Parse(root, name)
	require.NoError(t, err)
	artifact, err := candidate.Prepare(ctx, root, parsed, runtimeName, func(line string) { t.Log(line) })
	require.NoError(t, err)
	opened, err := session.Open()
	require.NoError(t, err)
	defer func() { assert.NoError(t, opened.Close()) }()

	result := judgement{candidate: parsed.Name, image: image != "", final: map[string]verdict.CheckResult{}}
	var mu sync.Mutex
	wanted.Artifact, wanted.Runtime, wanted.Session = artifact, runtimeName, opened.Dir
	err = suite.Judge(ctx, wanted, opened, func(event verdict.Event) {
		mu.Lock()
		defer mu.Unlock()
		result.events = append(result.events, event)
		switch event.Kind {
		case verdict.KindCheckFinal:
			result.final[event.Check] = *event.Result
		case verdict.KindNote, verdict.KindServerDied:
			t.Log(event.Message)
		}
	})
	require.NoError(t, err)
	return result
}
