package baseline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// results makes the results of a whole run from "check: verdict" pairs.
func results(verdicts map[string]verdict.Verdict) report.Results {
	r := report.Results{
		Schema: report.Schema, MSC: report.MSC{Catalogue: 2}, Candidate: verdict.Candidate{Name: "dendrite@1"},
		Counts: report.Counts{},
		Requirements: []report.Requirement{
			{ID: "mapping/old", Kind: "must", Since: 1}, {ID: "mapping/new", Kind: "must", Since: 2},
			{ID: "mapping/open", Kind: "open", Since: 1},
		},
	}
	for _, name := range sortedKeys(verdicts) {
		check := verdict.CheckResult{Name: name, Verdict: verdicts[name], Reason: "because of " + name}
		if check.Verdict == verdict.Pass {
			check.Reason = ""
		}
		r.Checks = append(r.Checks, check)
		r.Counts[check.Verdict]++
	}
	return r
}

func expecting(verdicts map[string]verdict.Verdict) *Baseline {
	b := &Baseline{Candidate: "dendrite@1", Catalogue: 1, Checks: map[string]Expectation{}}
	for name, v := range verdicts {
		b.Checks[name] = Expectation{Verdict: v, Reason: "somebody's words"}
	}
	return b
}

func lines(differences []report.Difference) []string {
	told := []string{}
	for _, difference := range differences {
		told = append(told, string(difference.Kind)+" "+difference.String())
	}
	return told
}

type verdicts = map[string]verdict.Verdict

func TestCompareChecks(t *testing.T) {
	for _, test := range []struct {
		name          string
		expected, got verdicts
		part          bool
		closing       bool // the checks are closing ones
		differences   []string
		new           []string
	}{
		{name: "as expected", expected: verdicts{"a": "pass", "b": "fail"}, got: verdicts{"a": "pass", "b": "fail"}},
		{
			name: "worse", expected: verdicts{"a": "pass"}, got: verdicts{"a": "fail"},
			differences: []string{"worse a: expected pass, got fail"},
		},
		{
			name: "no longer a pass", expected: verdicts{"a": "pass"}, got: verdicts{"a": "blocked"},
			differences: []string{"worse a: expected pass, got blocked"},
		},
		{
			name: "a new fail that was blocked before", expected: verdicts{"a": "blocked"}, got: verdicts{"a": "fail"},
			differences: []string{"worse a: expected blocked, got fail"},
		},
		{
			name: "better", expected: verdicts{"a": "fail"}, got: verdicts{"a": "pass"},
			differences: []string{"better a: expected fail, got pass"},
		},
		{
			name: "changed", expected: verdicts{"a": "fail"}, got: verdicts{"a": "unsupported"},
			differences: []string{"changed a: expected fail, got unsupported"},
		},
		{
			name: "new checks turn nothing red, failing or not", expected: verdicts{"a": "pass"},
			got: verdicts{"a": "pass", "b": "fail", "c": "pass"},
			new: []string{"new b: fail", "new c: pass"},
		},
		{
			name: "gone", expected: verdicts{"a": "pass", "b": "pass"}, got: verdicts{"a": "pass"},
			differences: []string{"gone b: the suite no longer has it"},
		},
		{
			name: "what a partial run left out is not gone", part: true,
			expected: verdicts{"a": "pass", "b": "pass", "c": "pass"}, got: verdicts{"a": "pass", "b": "not-run"},
		},
		{
			name: "a server that a partial run did not crash is not better", part: true, closing: true,
			expected: verdicts{"a": "fail"}, got: verdicts{"a": "pass"},
		},
		{
			name: "a server that a partial run crashed is worse", part: true, closing: true,
			expected: verdicts{"a": "pass"}, got: verdicts{"a": "fail"},
			differences: []string{"worse a: expected pass, got fail"},
		},
		{
			name: "a server that a whole run did not crash is better", closing: true, expected: verdicts{"a": "fail"}, got: verdicts{"a": "pass"},
			differences: []string{"better a: expected fail, got pass"},
		},
		{name: "not judged here", expected: verdicts{"a": "pass", "b": "fail"}, got: verdicts{"a": "not-run", "b": "error"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := results(test.got)
			for i := range r.Checks {
				r.Checks[i].Closing = test.closing
			}
			if test.part {
				r.Selection = &report.Selection{Run: "a"}
			}
			comparison := Compare(expecting(test.expected), "file", r)
			assert.Equal(t, append([]string{}, test.differences...), lines(comparison.Differences))
			assert.Equal(t, append([]string{}, test.new...), lines(comparison.New))
		})
	}
}

func TestCompareWithoutABaselineExpectsNoFail(t *testing.T) {
	r := results(verdicts{"a": "pass", "b": "unsupported", "c": "inconclusive", "d": "not-run"})
	r.Observations = []verdict.Observation{{ID: "mapping/open", Reading: "refused"}}
	comparison := Compare(nil, "", r)
	assert.Empty(t, comparison.Differences)
	assert.Empty(t, comparison.New)
	r = results(verdicts{"a": "fail"})
	r.Findings = []verdict.Finding{{Requirement: "mapping/old", Check: "a", Detail: "$x"}}
	assert.Equal(t, []string{
		"worse a: expected pass, got fail",
		"worse monitor mapping/old: expected pass, got fail",
	}, lines(Compare(nil, "", r).Differences))
}

func TestCompareMonitorsAndObservations(t *testing.T) {
	b := expecting(verdicts{"a": "pass"})
	b.Observations = map[string]string{"mapping/open": "refused", "mapping/other": "x"}
	r := results(verdicts{"a": "pass"})
	r.Observations = []verdict.Observation{
		{ID: "mapping/open", Reading: "refused"}, {ID: "mapping/open", Reading: "dropped", Detail: "by /send"},
		{ID: "mapping/later", Reading: "y"},
	}
	r.Findings = []verdict.Finding{
		{Requirement: "mapping/new", Check: "a", Detail: "$n"}, {Requirement: "mapping/open", Check: "a", Detail: "$o"},
		{Requirement: "mapping/old", Check: "a", Detail: "$x"},
	}
	comparison := Compare(b, "file", r)
	assert.Equal(t, []string{
		"worse monitor mapping/old: expected pass, got fail",
		"changed observation mapping/open: expected refused, got dropped + refused",
	}, lines(comparison.Differences))
	assert.Equal(t, []string{
		"new monitor mapping/new: fail", "new observation mapping/later: y",
	}, lines(comparison.New))

	b.Monitors = map[string]Expectation{"mapping/old": {Verdict: "fail", Reason: "known"}}
	b.Observations["mapping/open"] = "dropped + refused"
	assert.Empty(t, Compare(b, "file", r).Differences)
	r.Findings = nil
	assert.Equal(t, []string{"better monitor mapping/old: expected fail, got pass"}, lines(Compare(b, "file", r).Differences))
	r.Selection = &report.Selection{Run: "a"}
	assert.Empty(t, Compare(b, "file", r).Differences, "a partial run may not have triggered it")
}

// TestComparePassesOnReasonsOfBaseline: results include the baseline's reason for each entry.
func TestComparePassesOnReasonsOfBaseline(t *testing.T) {
	b := expecting(verdicts{"as expected": "fail", "better": "blocked", "pass": "pass", "gone": "fail"})
	b.Monitors = map[string]Expectation{
		"mapping/old": {Verdict: "fail", Reason: "it asks everybody"}, "mapping/new": {Verdict: "pass"},
	}
	r := results(verdicts{"as expected": "fail", "better": "pass", "pass": "pass"})
	r.Findings = []verdict.Finding{{Requirement: "mapping/old", Check: "pass", Detail: "$a"}, {Requirement: "mapping/new", Check: "pass", Detail: "$b"}}
	comparison := Compare(b, "file", r)
	assert.Equal(t, []report.Expected{
		{What: "check", Name: "as expected", Verdict: "fail", Reason: "somebody's words"},
		{What: "monitor", Name: "mapping/old", Verdict: "fail", Reason: "it asks everybody"},
	}, comparison.Expected)
	assert.Equal(t, []string{"better better: expected blocked, got pass", "gone gone: the suite no longer has it"}, lines(comparison.Differences))
	for _, difference := range comparison.Differences {
		assert.Equal(t, "somebody's words", difference.ExpectedReason)
	}
	assert.Equal(t, []string{"new monitor mapping/new: fail"}, lines(comparison.New), "a pass that is expected excuses no finding")
	assert.Empty(t, Compare(nil, "", r).Expected, "nothing is expected without a baseline")
}

func TestUpdate(t *testing.T) {
	b := expecting(verdicts{"kept": "fail", "changed": "fail", "better": "fail", "gone": "pass", "here": "fail"})
	b.Checks["todo"] = Expectation{Verdict: "fail", Reason: Todo + "an older reason"}
	b.Observations = map[string]string{"mapping/open": "refused", "mapping/gone": "x"}
	r := results(verdicts{
		"kept": "fail", "changed": "blocked", "better": "pass", "todo": "fail", "new": "fail", "here": "not-run",
		"cannot": "not-run",
	})
	r.Findings = []verdict.Finding{{Requirement: "mapping/old", Check: "kept", Detail: "$x"}}
	updated, err := Update(b, r)
	require.NoError(t, err)
	assert.Equal(t, map[string]Expectation{
		"kept":    {Verdict: "fail", Reason: "somebody's words"},
		"changed": {Verdict: "blocked", Reason: "TODO: because of changed"},
		"better":  {Verdict: "pass"},
		"todo":    {Verdict: "fail", Reason: "TODO: because of todo"},
		"new":     {Verdict: "fail", Reason: "TODO: because of new"},
		"here":    {Verdict: "fail", Reason: "somebody's words"},
	}, updated.Checks)
	assert.Equal(t, 2, updated.Catalogue)
	assert.Equal(t, map[string]string{"mapping/open": "refused"}, updated.Observations)
	assert.Contains(t, updated.Monitors["mapping/old"].Reason, "TODO: seen by the monitors")
	assert.Equal(t, 4, updated.Unreviewed())
	assert.Empty(t, Compare(updated, "file", r).Differences, "a run meets the baseline made from it")
	assert.Empty(t, Compare(updated, "file", r).New)

	again, err := Update(updated, r)
	require.NoError(t, err)
	assert.Equal(t, updated, again)
}

func TestUpdateFromAPartRun(t *testing.T) {
	b := expecting(verdicts{"a": "pass", "other": "fail"})
	b.Monitors = map[string]Expectation{"mapping/old": {Verdict: "fail", Reason: "words"}}
	r := results(verdicts{"a": "fail"})
	r.Selection = &report.Selection{Run: "^a$"}
	updated, err := Update(b, r)
	require.NoError(t, err)
	assert.Equal(t, verdict.Fail, updated.Checks["a"].Verdict)
	assert.Equal(t, "somebody's words", updated.Checks["other"].Reason)
	assert.Contains(t, updated.Monitors, "mapping/old")
	assert.Equal(t, 1, updated.Catalogue, "what the newer catalogue added was not judged")
}

func TestUpdateRefuses(t *testing.T) {
	_, err := Update(nil, results(verdicts{"a": "error"}))
	assert.ErrorContains(t, err, `check "a" ended as an error`)
	r := results(verdicts{"a": "pass"})
	r.Incomplete = "interrupted by SIGINT"
	_, err = Update(nil, r)
	assert.ErrorContains(t, err, "interrupted by SIGINT")
}

func TestSaveAndLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "dendrite@1.json")
	b, err := Update(nil, results(verdicts{"b <x>": "fail", "a": "pass"}))
	require.NoError(t, err)
	require.NoError(t, b.Save(file))
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, `{
  "candidate": "dendrite@1",
  "catalogue": 2,
  "format": 2,
  "checks": {
    "a": {
      "verdict": "pass"
    },
    "b <x>": {
      "verdict": "fail",
      "reason": "TODO: because of b <x>"
    }
  }
}
`, string(data))
	loaded, err := Load(file)
	require.NoError(t, err)
	assert.Equal(t, b.Checks, loaded.Checks)
	list, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	assert.Len(t, list, 1, "no temporary file is left")
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:  "does not parse",
		`[`: "does not parse",
		`{"candidate":"x","catalogue":1,"checks":{}} {}`:                       "text follows",
		`{"candidate":"x","catalogue":1,"chekcs":{}}`:                          "chekcs",
		`{"catalogue":1,"checks":{}}`:                                          "candidate",
		`{"candidate":"x","checks":{}}`:                                        "catalogue",
		`{"candidate":"x","catalogue":1}`:                                      "checks",
		`{"candidate":"x","catalogue":1,"checks":{"a":{"verdict":"passed"}}}`:  `"passed", which is not a verdict`,
		`{"candidate":"x","catalogue":1,"checks":{"a":{"verdict":"error"}}}`:   "never expected",
		`{"candidate":"x","catalogue":"1","checks":{"a":{"verdict":"error"}}}`: "does not parse",
	} {
		file := filepath.Join(t.TempDir(), "b.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		_, err := Load(file)
		require.ErrorContains(t, err, want, text)
		assert.Contains(t, err.Error(), file)
		assert.NotContains(t, strings.TrimSpace(err.Error()), "\n")
	}
	_, err := Load(filepath.Join(t.TempDir(), "none.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// The same verdict by another root, or by a death in place of a wrong answer, is a difference; the texts of servers are none.
func TestCompareTheMannerOfAVerdict(t *testing.T) {
	blocked := func(by string) Expectation { return Expectation{Verdict: verdict.Blocked, BlockedBy: by} }
	wrong, death := Expectation{Verdict: verdict.Fail}, Expectation{Verdict: verdict.Fail, Died: true}
	for _, test := range []struct {
		name          string
		format        int
		expected, got Expectation
		difference    string
	}{
		{"another root", withManner, blocked("mapping/one"), blocked("mapping/two"), "changed a: expected blocked by mapping/one, got blocked by mapping/two"},
		{"the same root", withManner, blocked("mapping/one"), blocked("mapping/one"), ""},
		{"a death in place of a wrong answer", withManner, wrong, death, "worse a: expected fail, got fail, a server died"},
		{"a wrong answer in place of a death", withManner, death, wrong, "better a: expected fail, a server died, got fail"},
		{"a death again", withManner, death, death, ""},
		{"a baseline of verdicts alone, another root", 0, blocked(""), blocked("mapping/two"), ""},
		{"a baseline of verdicts alone, a death", 0, wrong, death, ""},
		{"another verdict", withManner, blocked("mapping/one"), death, "worse a: expected blocked, got fail"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := results(verdicts{"a": test.got.Verdict})
			r.Checks[0].BlockedBy, r.Checks[0].Died, r.Checks[0].Reason = test.got.BlockedBy, test.got.Died, "$event answered 500"
			test.expected.Reason = "$another answered 500"
			b := &Baseline{Candidate: "dendrite@1", Catalogue: 1, Format: test.format, Checks: map[string]Expectation{"a": test.expected}}
			told := lines(Compare(b, "b.json", r).Differences)
			if test.difference == "" {
				assert.Empty(t, told)
			} else {
				assert.Equal(t, []string{test.difference}, told)
			}
		})
	}
}

func TestUpdateTheMannerOfAVerdict(t *testing.T) {
	r := results(verdicts{"a": "blocked", "b": "fail", "c": "fail"})
	r.Checks[0].BlockedBy, r.Checks[1].Died = "mapping/one", true
	b := expecting(verdicts{"a": "blocked", "b": "fail", "c": "fail"})

	// Verdicts alone: a run that does not judge all that the baseline has leaves it so; any other adds the rest.
	part := r
	part.Checks, part.Selection = r.Checks[:2], &report.Selection{Run: "a|b"} // c is left out
	updated, err := Update(b, part)
	require.NoError(t, err)
	assert.Zero(t, updated.Format)
	assert.Equal(t, b.Checks, updated.Checks)
	other := expecting(verdicts{"a": "fail", "b": "fail", "c": "fail"})
	updated, err = Update(other, part)
	require.NoError(t, err)
	assert.Equal(t, Expectation{Verdict: verdict.Blocked, Reason: "TODO: blocked by mapping/one: because of a"}, updated.Checks["a"])
	pair := r
	pair.Selection = &report.Selection{Pair: true}
	updated, err = Update(b, pair)
	require.NoError(t, err)
	assert.Equal(t, withManner, updated.Format, "it judged all that the baseline has")
	passing := expecting(verdicts{"a": "blocked", "b": "fail", "c": "pass"})
	updated, err = Update(passing, part)
	require.NoError(t, err)
	assert.Equal(t, withManner, updated.Format, "what passes passes in one way")
	updated, err = Update(b, r)
	require.NoError(t, err)
	assert.Equal(t, withManner, updated.Format)
	assert.Equal(t, map[string]Expectation{
		"a": {Verdict: verdict.Blocked, BlockedBy: "mapping/one", Reason: "somebody's words"},
		"b": {Verdict: verdict.Fail, Died: true, Reason: "somebody's words"},
		"c": {Verdict: verdict.Fail, Reason: "somebody's words"},
	}, updated.Checks)

	// Then another root or another manner needs another reason.
	r.Checks[0].BlockedBy, r.Checks[1].Died = "mapping/two", false
	again, err := Update(updated, r)
	require.NoError(t, err)
	assert.Equal(t, Expectation{Verdict: verdict.Blocked, BlockedBy: "mapping/two", Reason: "TODO: blocked by mapping/two: because of a"}, again.Checks["a"])
	assert.Equal(t, Expectation{Verdict: verdict.Fail, Reason: "TODO: because of b"}, again.Checks["b"])
	assert.Equal(t, "somebody's words", again.Checks["c"].Reason)
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	b := expecting(verdicts{"a": "pass"})
	b.Format = 3
	file := filepath.Join(t.TempDir(), "b.json")
	require.NoError(t, b.Save(file))
	_, err := Load(file)
	assert.ErrorContains(t, err, "has format 3, and this suite reads only 2 and none; use a newer suite")

	// Also if it has fields that this suite does not know.
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "{", `{"more": 1,`, 1)), 0o644))
	_, err = Load(file)
	assert.ErrorContains(t, err, "has format 3")

	b.Format, b.Checks["a"] = 0, Expectation{Verdict: verdict.Fail, Died: true}
	require.NoError(t, b.Save(file))
	_, err = Load(file)
	assert.ErrorContains(t, err, `check "a": has "blocked_by", "died", "either" or "until", which only entries of format 2 have`)
}

// An unsteady candidate may come to several results, until a day; on the day after, the entry is out of date, and any other result is a
// difference at all times.
func TestEitherOfSeveralResults(t *testing.T) {
	unsteady := Expectation{
		Verdict: verdict.Fail, Died: true, Either: []Expectation{{Verdict: verdict.Fail}}, Until: "2026-12-31", Reason: "a race of the server's",
	}
	before, after := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name       string
		at         time.Time
		got        Expectation
		difference string
		updated    Expectation
	}{
		{"the one", before, Expectation{Verdict: verdict.Fail, Died: true}, "", unsteady},
		{"the other", before, Expectation{Verdict: verdict.Fail}, "", unsteady},
		{"neither", before, Expectation{Verdict: verdict.Pass}, "better a: expected fail, got pass", Expectation{Verdict: verdict.Pass}},
		{"too late", after, Expectation{Verdict: verdict.Fail},
			"changed a: expected fail, a server died, or fail (until 2026-12-31), got fail after that day",
			Expectation{Verdict: verdict.Fail, Reason: "TODO: $event answered 500"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := results(verdicts{"a": test.got.Verdict})
			r.Started, r.Checks[0].Died, r.Checks[0].Reason = test.at, test.got.Died, "$event answered 500"
			b := &Baseline{Candidate: "dendrite@1", Catalogue: 1, Format: withManner, Checks: map[string]Expectation{"a": unsteady}}
			compared := Compare(b, "b.json", r)
			if test.difference == "" {
				assert.Empty(t, compared.Differences)
				assert.Equal(t, []report.Expected{{What: report.WhatCheck, Name: "a", Verdict: verdict.Fail, Reason: unsteady.Reason}}, compared.Expected)
			} else {
				assert.Equal(t, []string{test.difference}, lines(compared.Differences))
			}
			updated, err := Update(b, r)
			require.NoError(t, err)
			assert.Equal(t, test.updated, updated.Checks["a"])
		})
	}
}

// What a monitor finds may depend on a race of the server's, too: on whether it still answers before it exits, for one.
func TestEitherOfAMonitor(t *testing.T) {
	unsteady := Expectation{Verdict: verdict.Fail, Either: []Expectation{{Verdict: verdict.Pass}}, Until: "2026-12-31", Reason: "a race of the server's"}
	for _, test := range []struct {
		name       string
		at         time.Time
		found      bool
		difference []string
		updated    Expectation
	}{
		{"found", time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), true, nil, unsteady},
		{"not found", time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), false, nil, unsteady},
		{"found too late", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), true,
			[]string{"changed monitor mapping/old: expected fail, or pass (until 2026-12-31), got fail after that day"},
			Expectation{Verdict: verdict.Fail, Reason: unsteady.Reason}},
		{"not found, too late", time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), false,
			[]string{"changed monitor mapping/old: expected fail, or pass (until 2026-12-31), got pass after that day"}, Expectation{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := expecting(verdicts{"a": "pass"})
			b.Format, b.Monitors = withManner, map[string]Expectation{"mapping/old": unsteady}
			r := results(verdicts{"a": "pass"})
			r.Started = test.at
			if test.found {
				r.Findings = []verdict.Finding{{Requirement: "mapping/old", Check: "a", Detail: "$x"}}
			}
			assert.ElementsMatch(t, test.difference, lines(Compare(b, "file", r).Differences))
			updated, err := Update(b, r)
			require.NoError(t, err)
			assert.Equal(t, test.updated, updated.Monitors["mapping/old"])
		})
	}
	// What is found in few runs only is mended by an update, too, once its day is over.
	rare := Expectation{Verdict: verdict.Pass, Either: []Expectation{{Verdict: verdict.Fail}}, Until: "2026-12-31", Reason: "a race of the server's"}
	b := expecting(verdicts{"a": "pass"})
	b.Format, b.Monitors = withManner, map[string]Expectation{"mapping/old": rare}
	r := results(verdicts{"a": "pass"})
	r.Started = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	assert.Len(t, Compare(b, "file", r).Differences, 1)
	updated, err := Update(b, r)
	require.NoError(t, err)
	assert.Empty(t, updated.Monitors)
	assert.Empty(t, Compare(updated, "file", r).Differences)

	b.Monitors = map[string]Expectation{"mapping/old": {Verdict: verdict.Fail, Died: true}}
	file := filepath.Join(t.TempDir(), "b.json")
	require.NoError(t, b.Save(file))
	_, err = Load(file)
	assert.ErrorContains(t, err, `monitor "mapping/old": has "blocked_by" or "died", which only checks have`)
}

func TestEitherIsValidated(t *testing.T) {
	either := []Expectation{{Verdict: verdict.Pass}}
	for want, expected := range map[string]Expectation{
		`needs both "either" and "until"`:  {Either: either, Reason: "why"},
		`or none`:                          {Until: "2026-12-31", Reason: "why"},
		`"either" without a reason`:        {Either: either, Until: "2026-12-31"},
		`which is not a date such as`:      {Either: either, Until: "soon", Reason: "why"},
		`more in "either" than "verdict"`:  {Either: []Expectation{{Verdict: verdict.Pass, Reason: "r"}}, Until: "2026-12-31", Reason: "why"},
		`in "either": the verdict is "so"`: {Either: []Expectation{{Verdict: "so"}}, Until: "2026-12-31", Reason: "why"},
	} {
		expected.Verdict = verdict.Fail
		b := &Baseline{Candidate: "dendrite@1", Catalogue: 1, Format: withManner, Checks: map[string]Expectation{"a": expected}}
		file := filepath.Join(t.TempDir(), "b.json")
		require.NoError(t, b.Save(file))
		_, err := Load(file)
		assert.ErrorContains(t, err, want)
	}
}

// TestExpects: what progress tells of a check while a run goes.
func TestExpects(t *testing.T) {
	b := &Baseline{Format: 2, Checks: map[string]Expectation{
		"dies": {Verdict: verdict.Fail, Died: true}, "differs": {Verdict: verdict.Fail, Differences: []string{"known"}}, "passes": {Verdict: verdict.Pass},
	}}
	result := func(name string, v verdict.Verdict, differences ...string) verdict.CheckResult {
		return verdict.CheckResult{Name: name, Verdict: v, Differences: differences}
	}
	for _, one := range []struct {
		result          verdict.CheckResult
		provisional, at bool // expected, while it is not final and when it is
	}{
		{result("dies", verdict.Blocked), true, false},
		{result("differs", verdict.Fail, "known"), true, true},
		{result("differs", verdict.Fail, "known", "other"), false, false},
		{result("passes", verdict.Pass), true, true},
		{result("passes", verdict.Fail), false, false},
		{result("passes", verdict.NotRun), true, true},
		{result(verdict.Repeat("differs", 2, 2), verdict.Fail, "known"), true, true},
		{verdict.CheckResult{Name: "dies", Verdict: verdict.Pass, Closing: true}, true, true},
		{result("new", verdict.Fail), false, false},
		{result("new", verdict.Pass), true, true},
	} {
		assert.Equal(t, one.provisional, b.Expects(one.result, false), "%v, provisional", one.result)
		assert.Equal(t, one.at, b.Expects(one.result, true), "%v, final", one.result)
	}
}
