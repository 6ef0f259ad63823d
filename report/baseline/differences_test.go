package baseline

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

func TestDifferencesOfOneCheck(t *testing.T) {
	expected := &Baseline{Candidate: "c", Catalogue: 1, Format: withManner, Checks: map[string]Expectation{
		"twins": {Verdict: verdict.Fail, Reason: "known", Differences: []string{"one", "two"}},
	}}
	assert.Equal(t, map[string][]string{"twins": {"one", "two"}}, expected.Differences())
	assert.Empty(t, (*Baseline)(nil).Differences())

	found := results(verdicts{"twins": "fail"})
	found.Checks[0].Differences = []string{"two"}
	assert.Empty(t, Compare(expected, "file", found).Differences, "what is not found is not a difference")

	found.Checks[0].Differences = []string{"one", "three"}
	compared := Compare(expected, "file", found).Differences
	require.Len(t, compared, 1)
	assert.Equal(t, report.Worse, compared[0].Kind)
	assert.Equal(t, "fail, with new differences: three", compared[0].Got)

	updated, err := Update(expected, found)
	require.NoError(t, err)
	assert.Equal(t, Expectation{Verdict: verdict.Fail, Reason: "known", Differences: []string{"one", "three", "two"}}, updated.Checks["twins"])
}

func TestWhatACheckDoesNotJudge(t *testing.T) {
	expected := &Baseline{Candidate: "c", Catalogue: 1, Format: withManner, Checks: map[string]Expectation{
		"features": {Verdict: verdict.Pass, NotJudged: []string{"search", "threads"}},
	}}
	run := results(verdicts{"features": "pass"})
	run.Checks[0].NotJudged = []string{"threads"}
	assert.Empty(t, Compare(expected, "file", run).Differences, "more may be judged than is expected")
	assert.True(t, expected.Expects(run.Checks[0], true))

	run.Checks[0].NotJudged = []string{"hierarchy", "threads"}
	compared := Compare(expected, "file", run).Differences
	require.Len(t, compared, 1)
	assert.Equal(t, report.Worse, compared[0].Kind)
	assert.Equal(t, "pass, without judging: hierarchy", compared[0].Got)
	assert.False(t, expected.Expects(run.Checks[0], true))
	assert.Empty(t, Compare(nil, "", run).Differences, "without a baseline, nothing is known of it")

	updated, err := Update(expected, run)
	require.NoError(t, err)
	assert.Equal(t, Expectation{Verdict: verdict.Pass, NotJudged: []string{"hierarchy", "search", "threads"}}, updated.Checks["features"])

	verdictsAlone := &Baseline{Candidate: "c", Catalogue: 1, Checks: map[string]Expectation{"features": {Verdict: verdict.Pass}}}
	assert.Empty(t, Compare(verdictsAlone, "file", run).Differences, "a baseline without a format tells verdicts alone")
	assert.True(t, verdictsAlone.Expects(run.Checks[0], true))
}
