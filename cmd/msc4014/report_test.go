package main

// report: what it writes, and what it refuses.

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/cmd/internal/run"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// folderOf returns a results folder with a result for each check, in their order.
func folderOf(t *testing.T, candidate string, change func(*report.Results)) string {
	t.Helper()
	catalogue, err := loadCatalogue()
	require.NoError(t, err)
	results := report.Unmade(report.Run{Candidate: verdict.Candidate{Name: candidate, RoomVersion: "org.matrix.msc4014"}, Started: time.Unix(1e9, 0)}, catalogue, "")
	results.Incomplete, results.Exit = "", &report.Exit{}
	results.Checks = []verdict.CheckResult{
		{Name: "a first check", Requirements: []string{"mapping/no-hijack"}, Verdict: verdict.Pass},
		{Name: "a second check", Requirements: []string{"mapping/in-creator-join"}, Verdict: verdict.Fail, Reason: "there is none"},
	}
	results.RequirementCounts = report.Counts{verdict.Pass: 1, verdict.Fail: 1}
	results.Requirements = []report.Requirement{
		{ID: "mapping/no-hijack", Chapter: "mapping", Kind: "must", Demand: "a", Source: "MSC4014, Proposal 4", Verdict: verdict.Pass, Checks: []string{"a first check"}, Since: 1},
		{ID: "mapping/in-creator-join", Chapter: "mapping", Kind: "must", Demand: "b", Source: "MSC4014, Proposal 4", Verdict: verdict.Fail, Checks: []string{"a second check"}, Reason: "there is none", Since: 1},
	}
	if change != nil {
		change(&results)
	}
	folder := t.TempDir()
	data, err := json.Marshal(results)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, report.ResultsFile), data, 0o644))
	return folder
}

// broken returns folders that no command can read, with words of what it must say.
func broken(t *testing.T) map[string]string {
	t.Helper()
	empty := t.TempDir()
	truncated := folderOf(t, "dendrite", nil)
	file := filepath.Join(truncated, report.ResultsFile)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data[:len(data)/2], 0o644))
	return map[string]string{
		filepath.Join(t.TempDir(), "missing"): "there is no results folder",
		empty:                                 "has no results.json: no run has written its results there",
		file:                                  "is a file; name the results folder",
		truncated:                             "is not a results file",
		folderOf(t, "dendrite", func(r *report.Results) { r.Schema = report.Schema + 1 }): "a newer version of this suite wrote it",
		folderOf(t, "", nil): "names no candidate",
		"image:never-judged": "there are no results of image:never-judged", // a candidate that nobody has judged here
		"dendrite@9.9.9":     "there is no results folder dendrite@9.9.9",
	}
}

// call runs a command line and returns its status and what it wrote to both streams.
func call(t *testing.T, arguments ...string) (status int, output string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = file, file
	status = execute(t.Context(), nil, arguments)
	os.Stdout, os.Stderr = stdout, stderr
	require.NoError(t, file.Close())
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return status, string(text)
}

func TestReport(t *testing.T) {
	one, two := folderOf(t, "dendrite@0.13.8", nil), folderOf(t, "dendrite@0.15.2", nil)
	status, output := call(t, "report", one)
	require.Equal(t, run.StatusExpected, status, output)
	assert.Contains(t, output, filepath.Join(one, report.HTMLFile))
	for _, name := range report.FormFiles {
		assert.FileExists(t, filepath.Join(one, name))
	}
	to := filepath.Join(t.TempDir(), "new")
	for range 2 { // its own files may be overwritten
		status, output = call(t, "report", one, two, "--to", to)
		require.Equal(t, run.StatusExpected, status, output)
	}
	page, err := os.ReadFile(filepath.Join(to, report.HTMLFile))
	require.NoError(t, err)
	for _, words := range []string{"dendrite@0.13.8", "dendrite@0.15.2", "mapping/no-hijack", "there is none"} {
		assert.True(t, strings.Contains(string(page), words), words)
	}
}

func TestReportRefuses(t *testing.T) {
	for folder, words := range broken(t) {
		status, output := call(t, "report", folder)
		assert.Equal(t, run.StatusCannot, status, folder)
		assert.Contains(t, output, words, folder)
	}
	good := folderOf(t, "dendrite", nil)
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, report.HTMLFile), []byte("my own"), 0o644))
	file := filepath.Join(foreign, report.HTMLFile)
	for words, arguments := range map[string][]string{
		"is not a report of this suite":           {good, "--to", foreign},
		"cannot make the folder":                  {good, "--to", filepath.Join(file, "below")},
		"is named twice":                          {good, good},
		"name the results folders, or candidates": {},
		"cannot write the report":                 {good, "--to", unwritable(t)},
		"report --help shows the flags":           {good, "--unknown"},
		"there is no results folder nowhere":      {good, "nowhere"},
	} {
		status, output := call(t, append([]string{"report"}, arguments...)...)
		assert.Equal(t, run.StatusCannot, status, arguments)
		assert.Contains(t, output, words)
	}
}

// unwritable returns a folder in which nobody can make a file.
func unwritable(t *testing.T) string {
	t.Helper()
	const folder = "/proc"
	if _, err := os.Stat(folder); err != nil {
		t.Skip("this system has no folder in which root cannot make a file")
	}
	return folder
}

func TestCompare(t *testing.T) {
	before := folderOf(t, "dendrite@0.13.8", nil)
	after := folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
		r.Checks[0].Verdict, r.Checks[0].Reason = verdict.Fail, "mallory is\x1b[2J shown"
		r.Requirements[0].Verdict = verdict.Fail
	})
	status, output := call(t, "compare", before, after)
	assert.Equal(t, run.StatusWorse, status, output)
	assert.Contains(t, output, "check a first check: pass -> fail")
	assert.NotContains(t, output, "\x1b")
	status, output = call(t, "compare", after, before)
	assert.Equal(t, run.StatusExpected, status, output)
	assert.Contains(t, output, "2 better")
	status, output = call(t, "compare", after, after)
	assert.Equal(t, run.StatusExpected, status, output)
	assert.Contains(t, output, "no difference")
	for folder, words := range broken(t) {
		status, output = call(t, "compare", before, folder)
		assert.Equal(t, run.StatusCannot, status, folder)
		assert.Contains(t, output, words, folder)
	}
	status, output = call(t, "compare", before)
	assert.Equal(t, run.StatusCannot, status)
	assert.Contains(t, output, "accepts 2 arg")
}

// TestCompareNeedsVerdicts: where nothing was judged, nothing could get worse.
func TestCompareNeedsVerdicts(t *testing.T) {
	good := folderOf(t, "dendrite@0.13.8", nil)
	all := func(v verdict.Verdict, reason string) func(*report.Results) {
		return func(r *report.Results) {
			r.Counts = report.Counts{v: 2}
			for i := range r.Checks {
				r.Checks[i].Verdict, r.Checks[i].Reason = v, reason
				r.Requirements[i].Verdict, r.Requirements[i].Reason = v, reason
			}
		}
	}
	for says, change := range map[string]func(*report.Results){
		"the run is incomplete: interrupted by SIGINT":                   func(r *report.Results) { r.Incomplete = "interrupted by SIGINT" },
		"the run is incomplete: unknown candidate":                       func(r *report.Results) { r.Incomplete, r.Checks, r.Requirements = "unknown candidate", nil, nil },
		"nothing was judged: 2 error":                                    all(verdict.Error, "the engine is gone"),
		"nothing was judged: 2 not-run":                                  all(verdict.NotRun, "it needs containers"),
		"nothing was judged: 2 inconclusive":                             all(verdict.Inconclusive, "the control failed"),
		"--require-room-version: dendrite@0.15.2 does not have the room": func(r *report.Results) { r.RequireRoomVersion, r.Candidate.RoomVersion = true, "" },
	} {
		bad := folderOf(t, "dendrite@0.15.2", change)
		for _, both := range [][]string{{good, bad}, {bad, good}} {
			status, output := call(t, "compare", both[0], both[1])
			want := run.StatusCannot
			if strings.HasSuffix(says, "inconclusive") {
				want = run.StatusWorse // a requirement lost its pass, or fails now: that much is known
			}
			assert.Equal(t, want, status, "%s: %s", says, output)
			assert.Contains(t, output, filepath.Join(bad, report.ResultsFile)+": "+says)
			assert.Contains(t, output, "make that run again")
			assert.NotContains(t, output, filepath.Join(good, report.ResultsFile))
		}
	}
	worse := folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
		r.Incomplete, r.Checks[0].Verdict = "interrupted by SIGINT", verdict.Fail
	})
	status, output := call(t, "compare", good, worse)
	assert.Equal(t, run.StatusWorse, status)
	assert.Contains(t, output, "check a first check: pass -> fail", "what it has is told")
	assert.Contains(t, output, "not everything was compared: ")

	shard := func(other int, part string) string {
		return folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
			r.Checks[other].Verdict, r.Checks[other].Reason = verdict.NotRun, report.ReasonLeftOutByShard+" "+part
			r.Checks = append(r.Checks, verdict.CheckResult{Name: "staying up", Closing: true, Verdict: verdict.Pass})
		})
	}
	status, output = call(t, "compare", shard(1, "1/2"), shard(0, "2/2"))
	assert.Equal(t, run.StatusCannot, status, output)
	assert.Contains(t, output, "no check was judged in both")
}

func TestShow(t *testing.T) {
	folder := folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
		r.Checks[1].Reason = "there is\x1b[2J none"
		r.Requirements[1].Consequence = "Nobody knows who is who."
		r.Requirements[1].Faults = []report.Fault{{ID: "unmapped", Does: "writes no mapping"}}
	})
	status, output := call(t, "show", "mapping/in-creator-join", folder)
	assert.Equal(t, run.StatusExpected, status, output)
	for _, words := range []string{
		"mapping/in-creator-join (must; MSC4014, Proposal 4)", "Nobody knows who is who.", "fail         a second check", "there is\ufffd[2J none",
		"again: ./run.sh dendrite@0.15.2 --run '^mapping/in-creator-join$'", "unmapped: writes no mapping",
	} {
		assert.Contains(t, output, words)
	}
	status, output = call(t, "show", "mapping/creator-join", folder)
	assert.Equal(t, run.StatusCannot, status)
	assert.Contains(t, output, `no requirement "mapping/creator-join" (similar: mapping/in-creator-join)`)
	for folder, words := range broken(t) {
		status, output = call(t, "show", "mapping/in-creator-join", folder)
		assert.Equal(t, run.StatusCannot, status, folder)
		assert.Contains(t, output, words, folder)
	}
}

func TestReportMerges(t *testing.T) {
	shard := func(part string, mine, other int) string {
		return folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
			r.Selection = &report.Selection{Shard: part}
			r.Checks[other] = verdict.CheckResult{
				Name: r.Checks[other].Name, Requirements: r.Checks[other].Requirements, Verdict: verdict.NotRun, Reason: report.ReasonLeftOutByShard + " " + part,
			}
		})
	}
	first, second := shard("1/2", 0, 1), shard("2/2", 1, 0)
	to := filepath.Join(t.TempDir(), "merged")
	status, output := call(t, "report", "--merge", first, second, "--to", to)
	assert.Equal(t, run.StatusWorse, status, "no baseline expects the fail")
	assert.Contains(t, output, "1 pass, 1 fail")
	merged, err := report.Read(to)
	require.NoError(t, err)
	assert.Nil(t, merged.Selection)
	assert.Equal(t, verdict.Fail, merged.Requirements[1].Verdict)
	for _, name := range append([]string{report.JUnitFile}, report.FormFiles...) {
		assert.FileExists(t, filepath.Join(to, name))
	}
	tampered := shard("2/2", 1, 0)
	require.NoError(t, os.Mkdir(filepath.Join(tampered, report.ChecksFolder), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(tampered, report.ChecksFolder, "new.log"), nil, 0o644))
	for words, arguments := range map[string][]string{
		"shards are missing: 2/2":                     {first, "--to", to},
		"shards overlap: 1/2":                         {first, shard("1/2", 0, 1), second, "--to", to},
		"--merge needs --to":                          {first, second},
		"is one of the shards":                        {first, filepath.Join(t.TempDir(), "missing"), "--to", first},
		"checks/new.log is not listed":                {first, tampered, "--to", to},
		"cannot make the results folder":              {first, second, "--to", filepath.Join(unwritable(t), "merged")},
		"is not a shard: it was made without --shard": {first, folderOf(t, "dendrite@0.15.2", nil), "--to", to},
	} {
		status, output := call(t, append([]string{"report", "--merge"}, arguments...)...)
		assert.Equal(t, run.StatusCannot, status, words)
		assert.Contains(t, output, words)
		if slices.Contains(arguments, to) {
			refused, err := report.Read(to)
			require.NoError(t, err)
			assert.Contains(t, refused.Incomplete, words, "the results of the earlier merge must not pass for those of this one")
		}
	}
	earlier, err := report.Read(filepath.Join(to, report.EarlierFolder))
	require.NoError(t, err)
	assert.Equal(t, merged.Requirements, earlier.Requirements)
	untouched, err := report.Read(first)
	require.NoError(t, err)
	assert.Empty(t, untouched.Incomplete, "a shard that --to names stays")
	for folder, words := range broken(t) {
		status, output := call(t, "report", "--merge", first, folder, "--to", to)
		assert.Equal(t, run.StatusCannot, status, folder)
		assert.Contains(t, output, words, folder)
	}
}

// requireSignature: whoever forges a result and makes its digests anew lacks the key.
func requireSignature(t *testing.T, folder string) {
	t.Helper()
	keyFile := func(seed byte) (file, public string) {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		file = filepath.Join(t.TempDir(), "key.pem")
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
		return file, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	}
	own, public := keyFile(1)
	other, _ := keyFile(2)
	for _, step := range []struct {
		arguments []string
		status    int
		words     string
	}{
		{[]string{"--require-signature", public}, run.StatusWorse, "is not signed, and must be"},
		{[]string{"--sign-key", own}, run.StatusExpected, "signed: results.json.sig"},
		{[]string{"--require-signature", public}, run.StatusExpected, "signature: by the key " + public},
		{[]string{"--require-signature", public + "\r\n"}, run.StatusExpected, "signature: by the key " + public + "\n"},
		{[]string{"--sign-key", other}, run.StatusExpected, "signed: results.json.sig"},
		{[]string{"--require-signature", public}, run.StatusWorse, "is signed by another key than the required one"},
		{[]string{"--require-signature", "x"}, run.StatusCannot, "is not a public Ed25519 key"},
		{[]string{"--require-signature="}, run.StatusCannot, "is not a public Ed25519 key"},
	} {
		status, output := call(t, append([]string{"verify", folder}, step.arguments...)...)
		assert.Equal(t, step.status, status, output)
		assert.Contains(t, output, step.words)
	}
}

// evidenceFile is a file of evidence as results.json lists it.
func evidenceFile(file string, data []byte) report.EvidenceFile {
	sum := sha256.Sum256(data)
	return report.EvidenceFile{Path: file, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data))}
}

// TestVerifyNeedsTranscripts: what nobody could contradict is not verified, and not signed.
func TestVerifyNeedsTranscripts(t *testing.T) {
	for says, change := range map[string]func(*report.Results){
		"no transcript was kept; make the run with --evidence all": nil,
		`the run is incomplete: unknown candidate "nosuch"; verify`: func(r *report.Results) {
			*r = report.Unmade(report.Run{Candidate: verdict.Candidate{Name: "nosuch"}}, report.Catalogue{}, `unknown candidate "nosuch"`)
		},
		"the run is incomplete: the run has not ended (process 7)": func(r *report.Results) {
			*r = report.Unmade(report.Run{Candidate: verdict.Candidate{Name: "dendrite"}}, report.Catalogue{}, report.ReasonNotEnded+" (process 7)")
		},
	} {
		folder := folderOf(t, "dendrite@0.15.2", change)
		status, output := call(t, "verify", folder, "--sign-key", filepath.Join(folder, "none"))
		assert.Equal(t, run.StatusCannot, status, output)
		assert.Contains(t, output, "nothing was verified in "+filepath.Join(folder, report.ResultsFile)+": "+says)
		status, output = call(t, "verify", folder)
		assert.Equal(t, run.StatusCannot, status, output)
	}
}

func TestVerify(t *testing.T) {
	var har bytes.Buffer
	exchanges := []transcript.Exchange{{Direction: transcript.ClientRequest, Method: "GET", URL: "/versions", Status: 200, Started: time.Unix(1, 0)}}
	require.NoError(t, transcript.WriteHAR(&har, transcript.Creator{}, transcript.About{}, exchanges, 0))
	folder := folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
		r.Checks[1].Log, r.Checks[0].Transcript = "checks/second.log", "checks/first.har"
		r.Evidence = []report.EvidenceFile{evidenceFile("checks/first.har", har.Bytes()), evidenceFile("checks/second.log", []byte("hello"))}
	})
	file := filepath.Join(folder, "checks", "second.log")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte("hello"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "checks", "first.har"), har.Bytes(), 0o644))
	status, output := call(t, "verify", folder)
	assert.Equal(t, run.StatusExpected, status, output)
	assert.Contains(t, output, "evidence: 2 files have the digests in results.json")
	require.NoError(t, os.WriteFile(file, []byte("hellp"), 0o644))
	status, output = call(t, "verify", folder)
	assert.Equal(t, run.StatusWorse, status, output)
	assert.Contains(t, output, `checks/second.log was changed`)
	assert.Contains(t, output, `evidence of the check "a second check"`)
	require.NoError(t, os.WriteFile(file, []byte("hello"), 0o644))
	status, output = call(t, "verify", folder, "--sign-key", filepath.Join(folder, "none"))
	assert.Equal(t, run.StatusCannot, status)
	assert.Contains(t, output, "cannot read the key")
	requireSignature(t, folder)
	forged := folderOf(t, "dendrite@0.15.2", func(r *report.Results) {
		r.Requirements[1].Verdict, r.RequirementCounts = verdict.Pass, report.Counts{verdict.Pass: 2}
		r.Checks[1].Verdict, r.Checks[1].Log = verdict.Pass, "checks/second.log"
		r.Evidence = []report.EvidenceFile{evidenceFile("checks/second.log", []byte("verdict: fail\n"))}
	})
	require.NoError(t, os.Mkdir(filepath.Join(forged, "checks"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(forged, "checks", "second.log"), []byte("verdict: fail\n"), 0o644))
	status, output = call(t, "verify", forged)
	assert.Equal(t, run.StatusWorse, status, output)
	assert.Contains(t, output, `the check "a second check" is recorded as pass, but checks/second.log says "fail"`)
	for folder, words := range broken(t) {
		status, output = call(t, "verify", folder)
		assert.Equal(t, run.StatusCannot, status, folder)
		assert.Contains(t, output, words, folder)
	}
}

// A candidate has the name of a folder of the project that has no results.
func TestResultsOfACandidateThatIsAFolderToo(t *testing.T) {
	project, err := projectRoot()
	require.NoError(t, err)
	root := t.TempDir()
	t.Chdir(root)
	t.Setenv(rootVariable, root)
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	for _, file := range []string{"go.mod", "run.sh", "dockerfiles/reference/versions.txt", "dockerfiles/reference/Dockerfile"} {
		text, err := os.ReadFile(filepath.Join(project, file))
		require.NoError(t, err)
		write(file, string(text))
	}
	write("reference/main.go", "package main")
	write("results/reference/results.json", "{}")
	folder, err := resultsFolder("reference")
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(root, "results/reference"), folder)

	write("reference/results.json", "{}") // results all the same
	folder, err = resultsFolder("reference")
	require.NoError(t, err)
	assert.Equal(t, "reference", folder)
}
