package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// failed is a results folder with a check that failed, as its log and its transcript say, too.
type failed struct {
	t       *testing.T
	path    string
	results report.Results
}

const requirement = "signing/rejects-unsigned"

func newFailed(t *testing.T) *failed {
	t.Helper()
	mallory := pseudoid.GenerateKeyPair()
	unsigned, err := sjson.DeleteBytes(signed(t, "!a:hs1", mallory, "x"), "signatures")
	require.NoError(t, err)
	id, err := pseudoid.EventID(unsigned, format)
	require.NoError(t, err)
	check := verdict.CheckResult{Name: "a check", Requirements: []string{requirement}, Verdict: verdict.Fail, Reason: "the event " + id + " must be refused and is in /messages"}
	view := asks("GET", "rooms/!a:hs1/messages", "", `{"chunk":[`+seenAs(t, unsigned, "@mallory:p1")+`]}`)
	view.Notes = []string{transcript.NoteFailed}
	path, results := folder(t, check, brings(unsigned), view)
	results.Checks[0].Log = "checks/a.log"
	results.Requirements = []report.Requirement{{ID: requirement, Kind: "must", Verdict: verdict.Fail, Checks: []string{"a check"}}}
	results.RequirementCounts = report.Counts{verdict.Fail: 1}
	results.Baseline = &report.Comparison{Expected: []report.Expected{{What: report.WhatCheck, Name: "a check", Verdict: verdict.Fail}}}
	f := &failed{t, path, results}
	f.write("checks/a.log", []byte("check: a check\nverdict: fail\nreason: it is\n\n==== the end of the log\nverdict: pass\n"))
	f.har(func(har []byte) []byte { return set(t, har, "log.comment", "fail: "+check.Reason) })
	return f
}

func set(t *testing.T, json []byte, path string, value any) []byte {
	t.Helper()
	changed, err := sjson.SetBytes(json, path, value)
	require.NoError(t, err)
	return changed
}

// write writes a file of evidence, with its digest in the results.
func (f *failed) write(file string, data []byte) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(filepath.Join(f.path, file), data, 0o644))
	sum := sha256.Sum256(data)
	made := report.EvidenceFile{Path: file, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data))}
	for i, each := range f.results.Evidence {
		if each.Path == file {
			f.results.Evidence[i] = made
			return
		}
	}
	f.results.Evidence = append(f.results.Evidence, made)
}

func (f *failed) har(change func([]byte) []byte) {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.path, "checks", "a.har"))
	require.NoError(f.t, err)
	f.write("checks/a.har", change(data))
}

// contradictions are what is found, with digests that are right.
func (f *failed) contradictions() string {
	f.t.Helper()
	require.NoError(f.t, report.CheckEvidence(f.path, f.results))
	outcome, err := Evidence(f.path, f.results)
	require.NoError(f.t, err)
	return strings.Join(outcome.Contradictions, "\n")
}

// TestAForgedPass: who makes a fail a pass, and the digests anew, must change one place after the other, and in the end the transcript still
// shows it.
func TestAForgedPass(t *testing.T) {
	f := newFailed(t)
	require.Empty(t, f.contradictions())
	for _, step := range []struct {
		words string // what is found after the change
		forge func()
	}{
		{requirement + " is recorded as pass, but its checks and findings make it another verdict", func() { f.results.Requirements[0].Verdict = verdict.Pass }},
		{"requirement_counts has 1 fail, and the requirements have 0", func() { f.results.Checks[0].Verdict, f.results.Checks[0].Reason = verdict.Pass, "" }},
		{`the check "a check" is recorded as pass, but its comparison with the baseline`, func() { f.results.RequirementCounts = report.Counts{verdict.Pass: 1} }},
		{`the check "a check" is recorded as pass, but checks/a.log says "fail"`, func() { f.results.Baseline = nil }},
		{`the check "a check" is recorded as pass, but checks/a.har says "fail"`, func() { f.write("checks/a.log", []byte("check: a check\nverdict: pass\n")) }},
		{"its transcript marks the exchange with which it had failed", func() { f.har(func(har []byte) []byte { return set(t, har, "log.comment", "pass") }) }},
		{requirement + ` is recorded as pass, but in the transcript of "a check" the event $`, func() {
			f.har(func(har []byte) []byte { return bytes.ReplaceAll(har, []byte(transcript.NoteFailed), nil) })
		}},
	} {
		step.forge()
		assert.Contains(t, f.contradictions(), step.words)
	}
	f.write("checks/a.difference-1.har", []byte(`{"log":{"entries":[],"comment":"fail: attached"}}`))
	assert.NotContains(t, f.contradictions(), "difference", "it is attached")
	f.results.Checks[0].Transcript, f.results.Checks[0].Log = "", ""
	assert.Contains(t, f.contradictions(), "checks/a.har is evidence of no check")
	f.results.Evidence = nil
	require.NoError(t, os.RemoveAll(filepath.Join(f.path, "checks")))
	assert.Empty(t, f.contradictions(), "nothing is left to judge by; --require-signature finds that")
	f.results.EvidenceKept = report.EvidenceAll
	assert.Contains(t, f.contradictions(), `all evidence was kept, but the check "a check" has no transcript`)
}

// TestAFindingThatIsGone: the comparison with the baseline still has it.
func TestAFindingThatIsGone(t *testing.T) {
	path, results := folder(t, verdict.CheckResult{Verdict: verdict.Pass})
	results.Requirements[1].Verdict, results.RequirementCounts = verdict.Fail, report.Counts{verdict.Pass: 2, verdict.Fail: 1}
	results.Findings = []verdict.Finding{{Requirement: everyEvent, Check: "a check", Step: true}}
	results.Baseline = &report.Comparison{Expected: []report.Expected{{What: report.WhatMonitor, Name: everyEvent}}}
	outcome, err := Evidence(path, results)
	require.NoError(t, err)
	assert.Empty(t, outcome.Contradictions)
	results.Findings = nil
	outcome, err = Evidence(path, results)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(outcome.Contradictions, "\n"), "no finding against "+everyEvent)
}

// TestWhatATranscriptRestsOn: the exchanges that another check prepared tell whose key it is.
func TestWhatATranscriptRestsOn(t *testing.T) {
	w := newWorld(t)
	message := w.made(w.alice, "m.room.message", 3, `{"body":"hello"}`, nil)
	f := &failed{t: t}
	f.path, f.results = folder(t, verdict.CheckResult{Verdict: verdict.Pass}, shows(seenAs(t, message, "@alice:hs1", "unsigned.prev", string(w.alice.Public))))
	f.results.Requirements = []report.Requirement{{ID: "client-view/unsigned", Verdict: verdict.Pass, Checks: []string{"a check"}}}
	f.results.RequirementCounts = report.Counts{verdict.Pass: 1}
	assert.Empty(t, f.contradictions(), "nothing shows that it is a sender key")
	var shared bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&shared, transcript.Creator{}, transcript.About{}, []transcript.Exchange{sends(message)}, 0))
	f.write("checks/shared-room.har", shared.Bytes())
	f.har(func(har []byte) []byte { return set(t, har, "log.comment", "pass; it rests on checks/shared-room.har") })
	assert.Contains(t, f.contradictions(), `client-view/unsigned is recorded as pass, but in the transcript of "a check"`)
}

// TestAHostileTranscript: what a server or somebody else wrote into a folder neither ends verify nor makes it read other files.
func TestAHostileTranscript(t *testing.T) {
	deep := strings.Repeat("[", 1<<21)
	for _, body := range []string{deep, strings.Repeat(`{"a":`, 1<<20), "\xff", `{"type":"m.x","content":{},"event_id":1,"sender":2}`, `{"rooms":[null,1,"x",{"type":{}}]}`, ""} {
		view := asks("GET", "rooms/%zz/messages", body, body)
		keys := transcript.Exchange{Direction: transcript.ServerRequest, Actor: "\x1b", URL: "/_matrix/key/v2/server", Status: 200, ResponseBody: []byte(body)}
		pushed := sends([]byte(`{"type":1,"hashes":{},"prev_events":0,"auth_events":{},"sender_key":[]}`))
		bare := asks("GET", "", body, body)
		bare.URL = "http://hs1/_matrix/client/"
		f := &failed{t: t}
		f.path, f.results = folder(t, verdict.CheckResult{Verdict: verdict.Pass}, view, keys, pushed, bare, brings([]byte(body)))
		assert.Empty(t, f.contradictions())
	}
	for file, words := range map[string]string{"checks/shared-none.har": "cannot read the evidence", "checks/shared-../../x.har": "", "../x.har": ""} {
		f := &failed{t: t}
		f.path, f.results = folder(t, verdict.CheckResult{Verdict: verdict.Pass})
		f.har(func(har []byte) []byte { return set(t, har, "log.comment", "pass; it rests on "+file) })
		_, err := Evidence(f.path, f.results)
		if words == "" {
			assert.NoError(t, err, "no other files are read")
			continue
		}
		assert.ErrorContains(t, err, words)
	}
}
