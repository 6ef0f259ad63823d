package run

// The meaning of each exit status, and that junit.xml agrees with it.

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/report/baseline"
)

func TestNothingJudged(t *testing.T) {
	none := verdicts{"check-a": "unsupported", "check-b": "unsupported"}
	ordinary := verdicts{"check-a": "unsupported", "check-b": "pass"}
	strict := func(o *Options) { o.Strict = true }
	required := func(o *Options) { o.RequireRoomVersion = true }
	update := func(o *Options) { o.UpdateBaseline = true }
	for _, test := range []struct {
		name     string
		got      verdicts
		has      bool // the candidate has the room version
		expected verdicts
		change   func(*Options)
		status   int
		says     string // in the error
	}{
		{name: "all unsupported", got: none, status: 2, says: "dendrite: nothing was judged: 2 unsupported; dendrite@1 does not have the room version: because of check-a"},
		{name: "what passes does not need the room version", got: ordinary, status: 2, says: "nothing was judged: 1 pass, 1 unsupported"},
		{name: "only that was asked for", got: ordinary, change: func(o *Options) { o.Run = "check-b" }},
		{name: "all inconclusive", got: verdicts{"check-a": "inconclusive", "check-b": "inconclusive"}, has: true, status: 2, says: "nothing was judged: 2 inconclusive"},
		{name: "not run", got: verdicts{"check-a": "not-run", "check-b": "not-run"}, has: true, status: 2, says: "nothing was judged: 2 not-run"},
		{name: "all errors", got: verdicts{"check-a": "error", "check-b": "error"}, has: true, expected: ordinary, status: 2, says: "nothing was judged: 2 error"},
		{name: "not run, whatever is expected", got: verdicts{"check-a": "not-run", "check-b": "not-run"}, has: true, expected: ordinary, status: 2, says: "nothing was judged"},
		{name: "inconclusive and a fail", got: verdicts{"check-a": "inconclusive", "check-b": "fail"}, has: true, status: 1},
		{name: "inconclusive and a pass", got: verdicts{"check-a": "inconclusive", "check-b": "pass"}, has: true},
		{name: "expected by its baseline", got: ordinary, expected: ordinary},
		{name: "a baseline that expects more", got: none, expected: ordinary, status: 1},
		{name: "becoming the baseline", got: ordinary, change: update},
		{name: "strict ignores the baseline", got: ordinary, expected: ordinary, change: strict, status: 2, says: "nothing was judged"},
		{name: "the room version is required", got: ordinary, expected: ordinary, change: required, status: 2,
			says: "--require-room-version: dendrite@1 does not have the room version: because of check-a"},
		{name: "the room version is required, and there", got: ordinary, has: true, expected: ordinary, change: required},
		{name: "required of what passes", got: verdicts{"check-a": "pass", "check-b": "pass"}, change: required, status: 2, says: "does not have the room version"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, script{Checks: two, Verdicts: test.got, Lacks: !test.has})
			if test.expected != nil {
				b.baseline(t, "dendrite@1", test.expected)
			}
			asked := options("dendrite")
			if test.change != nil {
				test.change(&asked)
			}
			status, err := b.Run(context.Background(), asked)
			assert.Equal(t, test.status, status, b.out.String())
			results, reading := report.Read(filepath.Join(b.Root, "results", "dendrite"))
			require.NoError(t, reading, "results are always kept")
			require.NotNil(t, results.Exit)
			assert.Equal(t, test.status, results.Exit.Status)
			assert.Equal(t, test.status == 0, len(results.Exit.Reasons) == 0, "%q", results.Exit.Reasons)
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.says)
			assert.Contains(t, b.out.String(), results.Exit.Reasons[0], "the summary says so too")
			junit, reading := os.ReadFile(filepath.Join(b.Root, "results", "dendrite", "junit.xml"))
			require.NoError(t, reading)
			assert.Contains(t, string(junit), `type="not-judged"`)
		})
	}
}

func TestNoBaselineOfACandidateWithoutTheRoomVersionThatIsRequired(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "unsupported", "check-b": "pass"}, Lacks: true})
	asked := options("dendrite")
	asked.RequireRoomVersion, asked.UpdateBaseline = true, true
	status, err := b.Run(context.Background(), asked)
	assert.Equal(t, StatusCannot, status)
	require.Error(t, err)
	assert.Contains(t, b.out.String(), "the baseline was not updated")
	assert.NoDirExists(t, filepath.Join(b.Root, "baselines"))
}

func TestStrictAllowsNothingButPass(t *testing.T) {
	for _, v := range verdict.All {
		if v == verdict.Blocked {
			continue // never alone: its root fails
		}
		b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": v, "check-b": "pass"}})
		if v != verdict.Error {
			b.baseline(t, "dendrite@1", verdicts{"check-a": v, "check-b": "pass"})
		}
		asked := options("dendrite")
		asked.Strict = true
		status, err := b.Run(context.Background(), asked)
		require.NoError(t, err)
		if v == verdict.Pass {
			assert.Equal(t, StatusExpected, status, b.out.String())
			continue
		}
		assert.Equal(t, StatusWorse, status, "%s: %s", v, b.out.String())
		if v != verdict.Error {
			assert.Contains(t, b.out.String(), "dendrite@1: --strict requires every check to pass: 1 "+string(v))
		}
		asked.Run = "check-b"
		status, err = b.Run(context.Background(), asked)
		require.NoError(t, err)
		assert.Equal(t, StatusExpected, status, "what is left out does not count: %s", b.out.String())
	}
}

// combination is one possible outcome of a run.
type combination struct {
	expected          verdict.Verdict // of the check; "" without a baseline, "absent" where the baseline does not have it
	got               verdict.Verdict // "left-out": by --run
	monitor           string          // "", or how a finding compares: "expected", "unexpected", "new", "missing"
	observation       string          // "", "same", "other", "new"
	other, part       bool            // another check passes, as expected; only a part was asked for
	strict, require   bool
	lacks, incomplete bool
}

// results are those of the run, and the baseline that it has.
func (c combination) results() (report.Results, *baseline.Baseline) {
	got, reason := c.got, "a reason"
	if got == "left-out" {
		got, reason = verdict.NotRun, report.ReasonLeftOutByRun
	}
	r := report.Results{
		Schema: report.Schema, MSC: report.MSC{Catalogue: 2}, Candidate: verdict.Candidate{Name: "dendrite@1", RoomVersion: "a version"},
		Counts: report.Counts{got: 1}, Checks: []verdict.CheckResult{{Name: "a", Requirements: []string{"mapping/a"}, Verdict: got, Reason: reason}},
		Requirements: []report.Requirement{
			{ID: "mapping/a", Kind: "must", Since: 1}, {ID: "mapping/new", Kind: "must", Since: 2}, {ID: "mapping/open", Kind: report.KindOpen, Since: 1},
		},
	}
	expected := &baseline.Baseline{Candidate: "dendrite@1", Catalogue: 1, Checks: map[string]baseline.Expectation{},
		Monitors: map[string]baseline.Expectation{}, Observations: map[string]string{}}
	if c.expected != "absent" {
		expected.Checks["a"] = baseline.Expectation{Verdict: c.expected, Reason: "words"}
	}
	if c.other {
		r.Checks = append(r.Checks, verdict.CheckResult{Name: "b", Requirements: []string{"mapping/a"}, Verdict: verdict.Pass})
		r.Counts[verdict.Pass]++
		expected.Checks["b"] = baseline.Expectation{Verdict: verdict.Pass}
	}
	if c.monitor == "expected" || c.monitor == "missing" {
		expected.Monitors["mapping/a"] = baseline.Expectation{Verdict: verdict.Fail, Reason: "words"}
	}
	switch c.monitor {
	case "expected", "unexpected":
		r.Findings = []verdict.Finding{{Requirement: "mapping/a", Check: "a", Detail: "$x"}}
	case "new":
		r.Findings = []verdict.Finding{{Requirement: "mapping/new", Check: "a", Detail: "$x"}}
	}
	if c.observation != "" {
		r.Observations = []verdict.Observation{{ID: "mapping/open", Reading: "seen"}}
		if c.observation != "new" {
			expected.Observations["mapping/open"] = map[string]string{"same": "seen", "other": "another"}[c.observation]
		}
	}
	if c.part {
		r.Selection = &report.Selection{Run: "a"}
	}
	if c.incomplete {
		r.Incomplete = "interrupted"
	}
	if c.lacks {
		r.Candidate.RoomVersion = ""
	}
	if c.expected == "" {
		return r, nil
	}
	return r, expected
}

// status is the exit status by the rules of docs/reading-a-report.md.
func (c combination) status() int {
	hasBaseline, found := c.expected != "", c.monitor != "" && c.monitor != "missing"
	selected := c.got != "left-out"
	judged := selected && c.got != verdict.NotRun && c.got != verdict.Error
	known := hasBaseline && c.expected != "absent" && c.expected != verdict.NotRun
	missing := hasBaseline && c.monitor == "missing" && !c.part && !c.incomplete && c.got != verdict.Error
	compared := hasBaseline && (c.other || known && judged || c.monitor == "expected" || c.monitor == "unexpected" || missing ||
		c.observation == "same" || c.observation == "other")
	passes := (c.other || c.got == verdict.Pass) && (!c.lacks || c.got != verdict.Unsupported)
	switch {
	case c.incomplete, c.require && c.lacks:
		return StatusCannot
	case !passes && c.got != verdict.Fail && !found && (c.strict || !compared):
		return StatusCannot
	case c.got == verdict.Error,
		known && judged && c.got != c.expected,
		!hasBaseline && (c.got == verdict.Fail || found),
		hasBaseline && (c.monitor == "unexpected" || c.observation == "other") || missing,
		c.strict && (selected && c.got != verdict.Pass || found):
		return StatusWorse
	}
	return StatusExpected
}

// combinations are all of them, except that options about the whole run are not combined with every monitor and observation.
func combinations() []combination {
	var all []combination
	add := func(monitors, observations []string, flags int) {
		for _, expected := range append([]verdict.Verdict{"", "absent"}, verdict.All[:6]...) {
			for _, got := range append([]verdict.Verdict{"left-out"}, verdict.All...) {
				for _, monitor := range monitors {
					for _, observation := range observations {
						for bits := range 1 << flags {
							bit := func(n int) bool { return bits>>n&1 == 1 }
							all = append(all, combination{
								expected: expected, got: got, monitor: monitor, observation: observation,
								strict: bit(0), part: bit(1), other: bit(2), require: bit(3), lacks: bit(4), incomplete: bit(5),
							})
						}
					}
				}
			}
		}
	}
	add([]string{"", "expected", "unexpected", "new", "missing"}, []string{"", "same", "other", "new"}, 3)
	add([]string{""}, []string{""}, 6)
	return all
}

func TestJUnitIsRedIfAndOnlyIfTheExitStatusIsNotZero(t *testing.T) {
	r := &Runner{Root: "/project", Folder: "/project"}
	statuses := map[int]int{}
	for _, c := range combinations() {
		results, expected := c.results()
		made := &made{validated: &validated{Options: Options{Strict: c.strict, RequireRoomVersion: c.require}}}
		outcome, err := r.decide(made, task{expected: expected, baselineFile: "/project/baselines/dendrite@1.json"}, results)
		require.NoError(t, err)
		if !assert.Equal(t, c.status(), outcome.status, "%+v: %q", c, outcome.summarised.Results.Exit.Reasons) {
			return
		}
		statuses[outcome.status]++
		var text bytes.Buffer
		require.NoError(t, report.WriteJUnit(&text, outcome.summarised.Results))
		red, err := redCases(text.Bytes())
		require.NoError(t, err)
		if !assert.Equal(t, outcome.status != StatusExpected, red > 0, "%+v\n%s", c, text.String()) {
			return
		}
	}
	assert.Len(t, statuses, 3, "each status occurred: %v", statuses)
}

// redCases counts the cases of a junit.xml with a failure or an error; the totals in its root element must match.
func redCases(text []byte) (int, error) {
	var document struct {
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Cases    []struct {
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal(text, &document); err != nil {
		return 0, err
	}
	red := 0
	for _, one := range document.Cases {
		if one.Failure != nil || one.Error != nil {
			red++
		}
	}
	if red != document.Failures+document.Errors {
		return 0, fmt.Errorf("%d cases are red, and the head counts %d failures and %d errors", red, document.Failures, document.Errors)
	}
	return red, nil
}
