package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

func TestCompareRuns(t *testing.T) {
	check := func(name string, v verdict.Verdict, reason string) verdict.CheckResult {
		return verdict.CheckResult{Name: name, Verdict: v, Reason: reason}
	}
	died := check("died", verdict.Fail, "no answer")
	died.Died = true
	before := Results{
		Checks: []verdict.CheckResult{
			check("same", verdict.Fail, "event $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA of hs1.d3.msc4014.test, 12 ms"), check("worse", verdict.Pass, ""),
			check("better", verdict.Fail, "x"), check("reason", verdict.Fail, "it was shown"), check("blocked", verdict.Inconclusive, ""),
			check("gone", verdict.Pass, ""), check("left out", verdict.Pass, ""), check("died", verdict.Fail, "403"), check("error", verdict.Pass, ""),
			check("no check", verdict.NotRun, ReasonNoCheckYet),
		},
		Requirements: []Requirement{
			{ID: "a/worse", Kind: "must", Verdict: verdict.Pass}, {ID: "a/open", Kind: KindOpen, Readings: []string{"one"}},
			{ID: "a/gone", Kind: "must", Verdict: verdict.Pass}, {ID: "a/silent", Kind: KindOpen, Readings: []string{"one"}},
		},
	}
	after := Results{
		Checks: []verdict.CheckResult{
			check("same", verdict.Fail, "event $BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB of hs1.d7.msc4014.test, 9 ms"), check("worse", verdict.Fail, "bob is\nthere"),
			check("better", verdict.Pass, ""), check("reason", verdict.Fail, "it was hidden"), check("blocked", verdict.Unsupported, ""), check("new", verdict.Fail, "y"),
			check("left out", verdict.NotRun, ReasonLeftOutByRun), died, check("error", verdict.Error, "no memory"), check("no check", verdict.NotRun, ReasonNoCheckYet),
		},
		Requirements: []Requirement{
			{ID: "a/worse", Kind: "must", Verdict: verdict.Fail, Reason: "bob"}, {ID: "a/open", Kind: KindOpen, Readings: []string{"two"}},
			{ID: "a/silent", Kind: KindOpen, Reason: "none could be seen"},
		},
	}
	var got []string
	changes := CompareRuns(before, after)
	for _, change := range changes {
		got = append(got, string(change.Kind)+": "+change.String())
	}
	assert.Equal(t, []string{
		"worse: requirement a/worse: pass -> fail",
		"gone: requirement a/gone: was pass",
		"worse: check worse: pass -> fail",
		"better: check better: fail -> pass",
		"another reason: check reason: it was shown -> it was hidden",
		"another verdict: check blocked: inconclusive -> unsupported",
		"new: check new: fail",
		"worse: check died: 403 -> no answer",
		"another verdict: check error: pass -> error",
		"gone: check gone: was pass",
		"another reading: observation a/open: one -> two",
		"gone: observation a/silent: was one",
	}, got)
	var text strings.Builder
	require.NoError(t, WriteChanges(&text, Style{}, changes))
	assert.Contains(t, text.String(), "worse           check worse: pass -> fail\n                  bob is there\n")
	assert.Contains(t, text.String(), "  3 worse, 1 better, 2 another verdict, 1 another reason, 1 another reading, 1 new, 3 gone\n")
	assert.Empty(t, CompareRuns(before, before))
}

func TestVisible(t *testing.T) {
	assert.Equal(t, "a\ufffd[31m\tb\nc\ufffd\ufffd\ufffd", Visible("a\x1b[31m\tb\nc\u202e\u2028\xff"))
	assert.Equal(t, "a ##\ufffd[error]b # ## [ #[", Visible("a ##[error]b # ## [ #["))
}

// TestTextThatIsNoCommandOfGitHub: as its runner reads lines, commands begin with "::" after white space, or are "##[" anywhere.
func TestTextThatIsNoCommandOfGitHub(t *testing.T) {
	assert.Equal(t, "\ufffd::error::a\n \t\u00a0\ufffd::stop-commands::b\nc ::error::d\n##\ufffd[add-path]e\n\n: :",
		ForConsole("::error::a\n \t\u00a0::stop-commands::b\nc ::error::d\n##[add-path]e\n\n: :"))
	assert.Equal(t, "\ufffd::error::a", oneLine("\n ::error::a"))
}

func TestReasonsThatDifferInWhatChangesFromRunToRun(t *testing.T) {
	for _, test := range []struct {
		before, after string
		same          bool
	}{
		{"key +Qpz4gz2UGQAkkOzk7b4NSODnzx2aSZJQJWXrTdn9yg, by /sync", "key nOpdOTNO3t/p3DsO83PduQSg2C9wzooO/Km9lV8HIvA, by /sync", true},
		{`seen by the monitors during "one check": 403`, `seen by the monitors during "another": 403`, true},
		{`seen by the monitors during "one check": 403`, `seen by the monitors during "one check": it was shown`, false},
		{"3 events are shown to @a:b.c and no other than th...", "3 events are shown to @longer:b.c and no other...", true},
		{"3 events are shown to @a:b.c and no other than th...", "3 events are hidden from @longer:b.c and no other...", false},
		{"it was shown to bob", "it was shown...", true},
		{"it was shown to bob", "it was shown", false},
		{"...", "...", true},
		{"...", "it was shown", false},
		{"the event $AbC...", "the event $Zyxw must be refused", true},
		{"GET /_matrix/federation/v1/get_missing_events/x: 404", "GET /_matrix/federation/v1/get_missing_eventsX/y: 404", false},
	} {
		assert.Equal(t, test.same, sameReason(test.before, test.after), "%s / %s", test.before, test.after)
		assert.Equal(t, test.same, sameReason(test.after, test.before), "%s / %s", test.after, test.before)
	}
}
