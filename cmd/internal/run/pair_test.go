package run

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/baseline"
	"msc4014/runtime/complement"
)

// oneAndTwo are a check that uses one server and one that uses two.
var oneAndTwo = []selection.Check{
	{Name: "check-a", Requirements: []string{"mapping/a"}}, {Name: "check-b", Requirements: []string{"mapping/b"}, Mixed: true},
}

func pairOf(names string) Options { return Options{Pair: names, Runtime: "auto"} }

func TestPairBothWaysRound(t *testing.T) {
	b := newBench(t, script{Checks: oneAndTwo, Verdicts: verdicts{"check-a": "fail", "check-b": "pass"}})
	status, err := b.Run(context.Background(), pairOf("dendrite,dendrite@2"))
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, b.out.String())
	for folder, name := range map[string]string{
		"dendrite+dendrite@2": "dendrite@1,dendrite@2", "dendrite@2+dendrite": "dendrite@2,dendrite@1",
	} {
		results, err := report.Read(filepath.Join(b.Root, "results", folder))
		require.NoError(t, err)
		assert.Equal(t, verdict.Candidate{
			Name: name, Runtime: "process", Dialect: "dendrite", RoomVersion: "org.matrix.msc4014",
		}, results.Candidate)
		assert.Equal(t, &report.Selection{Pair: true}, results.Selection)
		assert.Equal(t, verdict.NotRun, results.Checks[0].Verdict)
		assert.Equal(t, report.ReasonLeftOutByPair, results.Checks[0].Reason)
		assert.Equal(t, verdict.Pass, results.Checks[1].Verdict)
	}
	assert.Equal(t, 1, strings.Count(b.out.String(), "requirements, by chapter"), "one summary")
	assert.Equal(t, 2, strings.Count(b.out.String(), "checks         1 pass; 1 left out"))
	b.nothingLeft(t)
}

func TestPairAndBaselines(t *testing.T) {
	failing := script{Checks: oneAndTwo, Verdicts: verdicts{"check-b": "fail"}}
	b := newBench(t, failing)
	b.baseline(t, "dendrite@1", verdicts{"check-b": "fail"})
	status, err := b.Run(context.Background(), pairOf("dendrite,dendrite@2"))
	require.NoError(t, err)
	assert.Equal(t, StatusWorse, status, "what is expected of one of them is not expected of the pair")

	asked := pairOf("dendrite,dendrite@2")
	asked.Baseline = b.baseline(t, "mine", verdicts{"check-a": "pass", "check-b": "fail"})
	status, err = b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, b.out.String())

	asked.Baseline, asked.UpdateBaseline = "", true
	status, err = b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status)
	for _, file := range []string{"dendrite@1+dendrite@2.json", "dendrite@2+dendrite@1.json"} {
		made, err := baseline.Load(filepath.Join(b.Root, "baselines", file))
		require.NoError(t, err)
		assert.Equal(t, verdict.Fail, made.Checks["check-b"].Verdict)
	}
	status, err = b.Run(context.Background(), pairOf("dendrite,dendrite@2"))
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, "the next run meets them")
}

func TestPairWithResultsAndRun(t *testing.T) {
	b := newBench(t, script{Checks: oneAndTwo, Verdicts: verdicts{"check-b": "pass"}})
	asked := pairOf("dendrite@2,dendrite")
	asked.Results, asked.Run = filepath.Join(b.Root, "out"), "check-b"
	status, err := b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status)
	results, err := report.Read(filepath.Join(asked.Results, "dendrite@2+dendrite"))
	require.NoError(t, err)
	assert.Equal(t, report.ReasonLeftOutByRun, results.Checks[0].Reason)
	assert.FileExists(t, filepath.Join(asked.Results, "dendrite+dendrite@2", "results.json"))
}

func TestBadPairs(t *testing.T) {
	for says, change := range map[string]func(*Options){
		`--pair "dendrite": must be A,B`:             func(o *Options) { o.Pair = "dendrite" },
		`--pair "a,b,c": must be A,B`:                func(o *Options) { o.Pair = "a,b,c" },
		`--pair "dendrite,": must be A,B`:            func(o *Options) { o.Pair = "dendrite," },
		`--pair ",": must be A,B`:                    func(o *Options) { o.Pair = "," },
		`unknown candidate " dendrite"`:              func(o *Options) { o.Pair = "dendrite@2, dendrite" },
		`unknown candidate "nosuch"`:                 func(o *Options) { o.Pair = "dendrite,nosuch" },
		"both are dendrite@1":                        func(o *Options) { o.Pair = "dendrite,dendrite@1" },
		"omit dendrite@3":                            func(o *Options) { o.Candidates = []string{"dendrite@3"} },
		"writes one baseline for each direction":     func(o *Options) { o.Baseline, o.UpdateBaseline = "x.json", true },
		"cannot read the baseline":                   func(o *Options) { o.Baseline = "/nonexistent/b.json" },
		"none of the checks that use two servers":    func(o *Options) { o.Run = "check-a" },
		"synapse cannot be started with":             func(o *Options) { o.Pair, o.Runtime = "dendrite,synapse", "process" },
		"synapse runs in containers only: no engine": func(o *Options) { o.Pair = "dendrite,synapse" },
	} {
		t.Run(says, func(t *testing.T) {
			b := newBench(t, script{Checks: oneAndTwo, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
			asked := pairOf("dendrite,dendrite@2")
			change(&asked)
			status, err := b.Run(context.Background(), asked)
			assert.Equal(t, StatusCannot, status)
			require.ErrorContains(t, err, says)
			assert.NotContains(t, err.Error(), "\n", "one line")
			b.noVerdict(t, says)
		})
	}
}

func TestAPairIsNotToldTwiceWhatAServerIs(t *testing.T) {
	b := newBench(t, script{Checks: oneAndTwo})
	b.Images = []complement.ServerImage{{Host: "hs2", Image: "x:latest", Variable: "COMPLEMENT_BASE_IMAGE_HS2"}}
	status, err := b.Run(context.Background(), pairOf("dendrite,dendrite@2"))
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "--pair dendrite,dendrite@2 and COMPLEMENT_BASE_IMAGE_HS2 both select a server's image")
}

func TestPairOfWhichOneDoesNotStart(t *testing.T) {
	b := newBench(t, script{Checks: oneAndTwo, Ending: "cannot"})
	status, err := b.Run(context.Background(), pairOf("dendrite,dendrite@2"))
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "dendrite,dendrite@2: dendrite@1 did not answer")
	assert.ErrorContains(t, err, "dendrite@2,dendrite: dendrite@1 did not answer")
	b.noVerdict(t, "dendrite@1 did not answer")
}
