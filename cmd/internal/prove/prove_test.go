package prove

// Whole proofs, with the test binary in place of the suite's: see fake.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/faults"
	"msc4014/helpers/plan"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/reference/choice"
	"msc4014/reference/pseudonym"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime"
)

const fakeVariable = "MSC4014_TEST_FAKE_SUITE"

// script is what the fake suite does with a reference: its verdicts, by what the reference was started with ("" for
// nothing, a fault, or "requirement=reading") and by check. A check without an entry passes.
type script struct {
	Checks   []selection.Check
	Verdicts map[string]map[string]verdict.Verdict
	// Reasons are why checks fail with a fault, where it is not "because of" the fault.
	Reasons map[string]string
	// Blind is an open requirement whose checks see the default reading, even if the reference takes another.
	Blind string
	// Cannot and Waits say with which choice the run fails, or does not end by itself.
	Cannot, Waits []string
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
	environment := func(name string) string {
		for _, variable := range wanted.Artifact.Environment {
			if value, found := strings.CutPrefix(variable, name+"="); found {
				return value
			}
		}
		return ""
	}
	choices := choice.FromEnvironment(environment)
	shown := strings.Join(slices.Concat(strings.Fields(wanted.Artifact.Version), choices.Readings), ",") // see newBench
	switch {
	case slices.Contains(s.Cannot, shown):
		emit(verdict.Event{Kind: verdict.KindCannot, Message: "the reference did not answer /versions within 30s"})
		return 2
	case slices.Contains(s.Waits, shown):
		<-terminated
		return 2
	}
	decided, err := choices.Decide()
	if err != nil {
		return 9
	}
	if s.Blind != "" {
		_ = decided.Readings.Set(s.Blind, "kept")
	}
	chosen := chosenBy(wanted.Run, s.Checks)
	emit(verdict.Event{Kind: verdict.KindPlan, Total: len(chosen), Checks: chosen, Candidate: &verdict.Candidate{Name: wanted.Artifact.Candidate}})
	for _, check := range s.Checks {
		if !slices.Contains(chosen, check.Name) {
			continue
		}
		for _, id := range check.Requirements {
			if reading, decides := decided.Readings.Get(id); decides {
				emit(verdict.Event{Kind: verdict.KindObservation, Check: check.Name, Observation: &verdict.Observation{ID: id, Reading: string(reading)}})
			}
		}
		result := &verdict.CheckResult{Name: check.Name, Verdict: verdict.Pass, Requirements: check.Requirements}
		if special := s.Verdicts[shown][check.Name]; special != "" {
			result.Verdict, result.Reason = special, cmp.Or(s.Reasons[shown], "because of "+shown)
		}
		if decided.Dialect == pseudoid.DialectDendrite && slices.Contains(check.Requirements, "event-format/no-sender-field") {
			result.Verdict, result.Reason = verdict.Fail, "events have a sender"
		}
		emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: check.Name, Result: result})
	}
	emit(verdict.Event{Kind: verdict.KindEnd})
	return 0
}

// chosenBy returns the checks that a plan selects: names, joined by pattern, or all.
func chosenBy(run string, checks []selection.Check) (chosen []string) {
	wanted, err := selection.New(run, "", false)
	if err != nil {
		panic(err)
	}
	for _, check := range checks {
		if wanted.Matches(check) {
			chosen = append(chosen, check.Name)
		}
	}
	return chosen
}

// Checks and faults for the tests.
const (
	inJoin   = "mapping/in-creator-join"
	inInvite = "mapping/in-invite"
	kept     = "redaction/sender-key-kept" // open: kept, removed
)

var checks = []selection.Check{
	{Name: "a join has a mapping", Requirements: []string{inJoin}},
	{Name: "an invite has a mapping", Requirements: []string{inInvite}, Path: "local"},
	{Name: "another invite has a mapping", Requirements: []string{inInvite}, Path: "remote"},
	{Name: "what is kept of a sender", Requirements: []string{kept}},
	{Name: "all stays well", Requirements: []string{"resilience/stays-up"}, Closing: true},
}

type verdicts = map[string]map[string]verdict.Verdict

var rows = []faults.Fault{
	row("creator-join-unmapped", inJoin, "a join has a mapping"),
	row("invites-unmapped", inInvite, "an invite has a mapping", "another invite has a mapping"),
	row("crash-on-second-key", "resilience/stays-up", "all stays well"),
}

// row returns a fault that breaks a requirement, and must make checks fail with a reason that names it.
func row(id, requirement string, checks ...string) faults.Fault {
	one := faults.Fault{ID: id, Does: "breaks", Breaks: "the text", Requirements: []string{requirement}, Hunks: make([]faults.Hunk, 1)}
	for _, name := range checks {
		one.Kills = append(one.Kills, faults.Kill{Check: name, By: "because of\n " + id})
	}
	return one
}

// exact returns the verdicts of a suite that detects each fault exactly.
func exact() verdicts {
	return verdicts{
		"creator-join-unmapped": {"a join has a mapping": verdict.Fail},
		"invites-unmapped":      {"an invite has a mapping": verdict.Fail, "another invite has a mapping": verdict.Fail},
		"crash-on-second-key":   {"all stays well": verdict.Fail},
	}
}

// bench is a prover with its own project.
type bench struct {
	*Prover
	out bytes.Buffer
}

func newBench(t *testing.T, s script) *bench {
	t.Helper()
	if s.Checks == nil {
		s.Checks = checks
	}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	t.Setenv(fakeVariable, string(text))
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the fake exits immediately, even under the race detector
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock") // the cleanup must not use this machine's engine
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	needed := report.Catalogue{Version: catalogue.Version}
	for _, one := range catalogue.All() {
		needed.Requirements = append(needed.Requirements, report.CatalogueEntry{ID: one.ID, Chapter: one.Chapter, Kind: string(one.Kind)})
	}
	root := t.TempDir()
	b := &bench{}
	b.Prover = &Prover{
		Root: root, Folder: root, Stdout: &b.out, Environment: func(string) string { return "" },
		Catalogue: catalogue, Report: needed, Faults: rows,
		Build: func(context.Context, string) (string, error) { return os.Args[0], nil },
		// The artifact's version tells the fake suite which faults the reference was built with.
		Prepare: func(_ context.Context, with []faults.Fault, _ func(string)) (runtime.Artifact, error) {
			var ids []string
			for _, one := range with {
				ids = append(ids, one.ID)
			}
			return runtime.Artifact{Version: strings.Join(ids, " ")}, nil
		},
	}
	return b
}

// proof makes a proof, and returns the exit status and what prove.json contains.
func (b *bench) proof(t *testing.T, options Options) (int, Proof) {
	t.Helper()
	status, err := b.Prove(context.Background(), options)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(b.Root, "results", "prove", File))
	require.NoError(t, err)
	var proof Proof
	require.NoError(t, json.Unmarshal(data, &proof))
	return status, proof
}

func TestProven(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	status, proof := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, b.out.String())
	assert.Empty(t, proof.Problems)
	assert.Equal(t, Score{Checks: Part{5, 5}, Requirements: Part{4, 4}, Faults: Part{3, 3}, Readings: Part{2, 2}}, proof.Score)
	assert.Contains(t, b.out.String(), "checks that some fault makes fail     5 of 5")
	assert.Contains(t, b.out.String(), "ok   must   mapping/in-invite                          2/2  invites-unmapped")
	assert.Contains(t, b.out.String(), "ok   redaction/sender-key-kept              removed                      seen: removed")

	kept, err := report.Read(filepath.Join(b.Root, "results", "prove", "fault-invites-unmapped"))
	require.NoError(t, err, "each trial's results are kept")
	assert.Equal(t, "reference --dialect msc4014 --fault invites-unmapped", kept.Candidate.Name)
	for _, check := range kept.Checks {
		if check.Name == "a join has a mapping" {
			assert.Equal(t, verdict.NotRun, check.Verdict, "only the checks of the fault's requirements run")
		}
	}
}

// TestUnproven: each problem that makes a proof fail, with the line that reports it.
func TestUnproven(t *testing.T) {
	with := func(shown, check string, v verdict.Verdict) verdicts {
		changed := exact()
		if changed[shown] == nil {
			changed[shown] = map[string]verdict.Verdict{}
		}
		changed[shown][check] = v
		return changed
	}
	for name, one := range map[string]struct {
		script script
		faults []faults.Fault
		says   []string
	}{
		"a fault survives": {
			script: script{Verdicts: with("creator-join-unmapped", "a join has a mapping", verdict.Pass)},
			says: []string{"fault creator-join-unmapped: mapping/in-creator-join must fail, but is pass",
				`mapping/in-creator-join: no fault makes the check "a join has a mapping" fail`},
		},
		"blocked is not a kill": {
			script: script{Verdicts: with("creator-join-unmapped", "a join has a mapping", verdict.Blocked)},
			says:   []string{"fault creator-join-unmapped: mapping/in-creator-join must fail, but is blocked: because of creator-join-unmapped"},
		},
		"an error is not a kill": {
			script: script{Verdicts: with("creator-join-unmapped", "a join has a mapping", verdict.Error)},
			says:   []string{"fault creator-join-unmapped: mapping/in-creator-join must fail, but is error"},
		},
		"a check of a path that nothing kills": {
			script: script{Verdicts: with("invites-unmapped", "another invite has a mapping", verdict.Inconclusive)},
			says:   []string{`mapping/in-invite: no fault makes the check "another invite has a mapping [remote]" fail`},
		},
		"something else fails": {
			script: script{Verdicts: with("creator-join-unmapped", "all stays well", verdict.Fail)},
			says:   []string{"fault creator-join-unmapped: resilience/stays-up must not fail, but does: because of creator-join-unmapped"},
		},
		"a check fails by other words": {
			script: script{Verdicts: exact(), Reasons: map[string]string{"creator-join-unmapped": "no answer"}},
			says: []string{`fault creator-join-unmapped: the check "a join has a mapping" must fail with "because of\n creator-join-unmapped", but fails with: no answer`,
				`mapping/in-creator-join: no fault makes the check "a join has a mapping" fail`},
		},
		"a check that must fail passes": {
			script: script{Verdicts: with("invites-unmapped", "an invite has a mapping", verdict.Pass)},
			says:   []string{`fault invites-unmapped: the check "an invite has a mapping" must fail with "because of\n invites-unmapped", but is pass`},
		},
		"a check that must fail is blocked": {
			script: script{Verdicts: with("invites-unmapped", "an invite has a mapping", verdict.Blocked)},
			says:   []string{`invites-unmapped: the check "an invite has a mapping" must fail with "because of\n invites-unmapped", but is blocked: because of invites-unmapped`},
		},
		"a check that must fail does not judge what the fault breaks": {
			script: script{Verdicts: exact()}, faults: append(slices.Clone(rows[1:]), row("creator-join-unmapped", inJoin, "a join has a mapping", "an invite has a mapping")),
			says: []string{`fault creator-join-unmapped: the check "an invite has a mapping" must fail with "because of\n creator-join-unmapped", but is not-run`},
		},
		"a check that must fail and is none": {
			script: script{Verdicts: exact()}, faults: append(slices.Clone(rows[1:]), row("creator-join-unmapped", inJoin, "a join has a mapping", "nosuch")),
			says: []string{`fault creator-join-unmapped: there is no check "nosuch", which must fail`},
		},
		"a fault that names no check": {
			script: script{Verdicts: exact()}, faults: append(slices.Clone(rows[:2]), row("crash-on-second-key", "resilience/stays-up")),
			says: []string{"fault crash-on-second-key: it names no check that must fail",
				`resilience/stays-up: no fault makes the check "all stays well" fail`},
		},
		"a check that a fault does not name": {
			script: script{Verdicts: exact()}, faults: append(slices.Clone(rows[:1]), rows[2], row("invites-unmapped", inInvite, "an invite has a mapping")),
			says: []string{`mapping/in-invite: no fault makes the check "another invite has a mapping [remote]" fail`},
		},
		"a check without a fault": {
			script: script{Verdicts: exact()}, faults: rows[1:],
			says: []string{`mapping/in-creator-join: no fault makes the check "a join has a mapping" fail`},
		},
		"the reference fails as it is": {
			script: script{Verdicts: with("", "a join has a mapping", verdict.Fail)},
			says:   []string{"the reference, dialect msc4014: mapping/in-creator-join must not fail, but does"},
		},
		"the reference is blocked as it is": {
			script: script{Verdicts: with("", "a join has a mapping", verdict.Blocked)},
			says:   []string{"the reference, dialect dendrite: mapping/in-creator-join must pass, but is blocked"},
		},
		"a reading is not reported": {
			script: script{Verdicts: exact(), Blind: kept},
			says: []string{`reading redaction/sender-key-kept: removed: redaction/sender-key-kept: the report must show reading "removed", but shows ["kept"]`,
				`redaction/sender-key-kept: the check "what is kept of a sender" did not distinguish two readings; it saw only ["kept"]`},
		},
		"a reference with a fault does not start": {
			script: script{Verdicts: exact(), Cannot: []string{"invites-unmapped"}},
			says:   []string{"fault invites-unmapped: the run ended early: the reference did not answer /versions within 30s"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, one.script)
			if one.faults != nil {
				b.Faults = one.faults
			}
			status, proof := b.proof(t, Options{})
			assert.Equal(t, StatusUnproven, status)
			for _, line := range one.says {
				assert.Contains(t, strings.Join(proof.Problems, "\n"), line)
				assert.Contains(t, b.out.String(), line)
			}
		})
	}
}

// TestOtherWords: in the deployed dialect, exactly the requirements that judge the names used in the text fail.
func TestOtherWords(t *testing.T) {
	judged := append(slices.Clone(checks), selection.Check{Name: "no event has sender", Requirements: []string{"event-format/no-sender-field"}})
	spelling := row(deployedSpelling, "event-format/no-sender-field", "no event has sender")
	seen := exact()
	seen["deployed-spelling"] = map[string]verdict.Verdict{"no event has sender": verdict.Fail}
	b := newBench(t, script{Checks: judged, Verdicts: seen})
	b.Faults = append(slices.Clone(rows), spelling)
	status, proof := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Contains(t, b.out.String(), "these must fail because names differ from the MSC's: event-format/no-sender-field")

	b = newBench(t, script{Checks: judged, Verdicts: exact()})
	status, proof = b.proof(t, Options{})
	assert.Equal(t, StatusUnproven, status)
	assert.Contains(t, proof.Problems, "the reference, dialect dendrite: event-format/no-sender-field must not fail, but does: events have a sender")
}

// TestSample: faults that are not in the sample are not tried, and their rows say what they kill.
func TestSample(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	b.Suite.Commit = "a commit"
	c := coverage{sample: 2, seed: b.Suite.Commit}
	tried := 0
	for _, one := range b.Faults {
		if c.sampled(one) {
			tried++
		}
	}
	require.NotZero(t, tried)
	require.Less(t, tried, len(b.Faults), "another seed is needed: all faults are in the sample")
	status, proof := b.proof(t, Options{Sample: 2})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Len(t, proof.Faults, tried)
	assert.Equal(t, 2, proof.Sample)
	_, err := b.Prove(t.Context(), Options{Sample: -1})
	assert.ErrorContains(t, err, "--sample -1: must be a number N")
}

// TestContainers: a check that needs containers is not run here. It is listed, but is not a problem; any other check that
// is not run is one.
func TestContainers(t *testing.T) {
	cut := selection.Check{Name: "a cut heals", Requirements: []string{inJoin}, Containers: true}
	seen := exact()
	for _, shown := range []string{"", "creator-join-unmapped"} {
		if seen[shown] == nil {
			seen[shown] = map[string]verdict.Verdict{}
		}
		seen[shown][cut.Name] = verdict.NotRun
	}
	b := newBench(t, script{Checks: append(slices.Clone(checks), cut), Verdicts: seen})
	status, proof := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Equal(t, []string{cut.Name}, proof.Elsewhere)
	assert.Contains(t, b.out.String(), "1, not tried: a cut heals")

	cut.Containers = false
	b = newBench(t, script{Checks: append(slices.Clone(checks), cut), Verdicts: seen})
	status, proof = b.proof(t, Options{})
	assert.Equal(t, StatusUnproven, status)
	assert.Contains(t, strings.Join(proof.Problems, "\n"), inJoin+" must pass, but is not-run")
}

func TestNarrowed(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	status, proof := b.proof(t, Options{Run: "^" + inInvite + "$"})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Equal(t, Score{Checks: Part{2, 2}, Requirements: Part{1, 1}, Faults: Part{1, 1}}, proof.Score)

	b = newBench(t, script{Verdicts: exact()})
	status, proof = b.proof(t, Options{Run: "creator-join"})
	assert.Equal(t, StatusProven, status, proof.Problems)
	require.Len(t, proof.Faults, 1, "a fault by its ID")

	b = newBench(t, script{Verdicts: exact()})
	status, proof = b.proof(t, Options{Run: kept})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Empty(t, proof.Faults)
	assert.Len(t, proof.Readings, 2)
}

// TestBuilds: each fault has its own reference, few are built at a time, and one that cannot be built is only its own fault's
// problem.
func TestBuilds(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	prepare := b.Prepare
	var building, most atomic.Int32
	var built sync.Map
	b.Prepare = func(ctx context.Context, with []faults.Fault, progress func(string)) (runtime.Artifact, error) {
		progress("building")
		now := building.Add(1)
		defer building.Add(-1)
		for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
		}
		for _, one := range with {
			_, twice := built.LoadOrStore(one.ID, true)
			assert.False(t, twice, one.ID)
			if one.ID == "invites-unmapped" {
				return runtime.Artifact{}, errors.New("undefined: nonsense")
			}
		}
		return prepare(ctx, with, progress)
	}
	status, proof := b.proof(t, Options{Verbose: true})
	assert.Equal(t, StatusUnproven, status)
	assert.Contains(t, proof.Problems, "fault invites-unmapped: its reference cannot be made: undefined: nonsense")
	assert.Equal(t, Part{2, 3}, proof.Score.Faults)
	assert.LessOrEqual(t, most.Load(), int32(buildsAtOnce))
	assert.Contains(t, b.out.String(), "fault crash-on-second-key: building\n")

	// Faults without hunks are tried with the reference without faults.
	b = newBench(t, script{Verdicts: exact()})
	b.Faults = slices.Clone(rows)
	b.Faults[0].Hunks = nil
	_, proof = b.proof(t, Options{})
	assert.Contains(t, proof.Problems, "fault creator-join-unmapped: mapping/in-creator-join must fail, but is pass")
}

func TestRecord(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	b.proof(t, Options{})
	file := filepath.Join(b.Root, "results", "prove", KillsFile)
	assert.NoFileExists(t, file)
	b.proof(t, Options{Record: true})
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var recorded map[string][]Failed
	require.NoError(t, json.Unmarshal(data, &recorded))
	assert.Len(t, recorded, len(rows))
	assert.Equal(t, []Failed{{"a join has a mapping", []string{inJoin}, "because of creator-join-unmapped"}}, recorded["creator-join-unmapped"])
}

// TestFaultOfContainers: a fault whose checks need containers is listed, but not tried.
func TestFaultOfContainers(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	b.Faults = append(slices.Clone(rows), row("cut-unhealed", inJoin, "a cut heals"))
	b.Faults[len(rows)].Containers = true
	status, proof := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Equal(t, []string{"cut-unhealed"}, proof.FaultsElsewhere)
	assert.Contains(t, b.out.String(), "1, not tried: cut-unhealed")
}

func TestWhole(t *testing.T) {
	seen := exact()
	seen["invites-unmapped"]["a join has a mapping"] = verdict.Fail
	b := newBench(t, script{Verdicts: seen})
	status, _ := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, "what is not in the row did not run")
	b = newBench(t, script{Verdicts: seen})
	status, proof := b.proof(t, Options{Whole: true})
	assert.Equal(t, StatusUnproven, status)
	assert.Equal(t, []string{"fault invites-unmapped: mapping/in-creator-join must not fail, but does: because of invites-unmapped"}, proof.Problems)
}

// TestCannot: each condition that makes a proof impossible, and the line that reports it.
func TestCannot(t *testing.T) {
	for name, one := range map[string]struct {
		options Options
		change  func(*bench)
		says    string
	}{
		"no regular expression": {Options{Run: "("}, nil, "--run \"(\" is not a valid regular expression"},
		"nothing matches":       {Options{Run: "no such thing"}, nil, "matches no fault, no check and no requirement"},
		"parallel":              {Options{Parallel: -1}, nil, "from 1 to 64"},
		"too many":              {Options{Parallel: 65}, nil, "from 1 to 64"},
		"a row of an unknown requirement": {Options{}, func(b *bench) {
			b.Faults = []faults.Fault{{ID: "x", Requirements: []string{"mapping/in-creator-joyn"}}}
		}, `the row of fault x: not in the catalogue, version 1: "mapping/in-creator-joyn" (nearest: mapping/in-creator-join)`},
		"a row of an open requirement": {Options{}, func(b *bench) {
			b.Faults = []faults.Fault{{ID: "x", Requirements: []string{kept}}}
		}, "redaction/sender-key-kept is open, so no server can fail it"},
		"the checks do not build": {Options{}, func(b *bench) {
			b.Build = func(context.Context, string) (string, error) { return "", errors.New("a syntax error") }
		}, "a syntax error"},
		"the reference does not build": {Options{}, func(b *bench) {
			b.Prepare = func(context.Context, []faults.Fault, func(string)) (runtime.Artifact, error) {
				return runtime.Artifact{}, errors.New("another syntax error")
			}
		}, "another syntax error"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, script{Verdicts: exact()})
			if one.change != nil {
				one.change(b)
			}
			status, err := b.Prove(context.Background(), one.options)
			assert.Equal(t, StatusCannot, status)
			assert.ErrorContains(t, err, one.says)
		})
	}
}

func TestReferenceDoesNotStart(t *testing.T) {
	b := newBench(t, script{Verdicts: exact(), Cannot: []string{""}})
	status, err := b.Prove(context.Background(), Options{})
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "the reference did not answer /versions within 30s")
}

// TestInterrupted: an interrupted proof leaves no session and no unfinished results.
func TestInterrupted(t *testing.T) {
	b := newBench(t, script{Verdicts: exact(), Waits: []string{"invites-unmapped"}})
	ctx, cancel := context.WithCancelCause(context.Background())
	b.Stdout = writer(func(text string) {
		if strings.Contains(text, "fault creator-join-unmapped") {
			cancel(errors.New("interrupted by SIGINT"))
		}
	})
	status, err := b.Prove(ctx, Options{})
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "interrupted by SIGINT")
	runs, err := os.ReadDir(filepath.Join(os.Getenv("MSC4014_STATE_DIR"), "runs"))
	require.NoError(t, err)
	assert.Empty(t, runs)
	left, err := filepath.Glob(filepath.Join(b.Root, "results", "prove", "*", ".run-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestResultsFolderInUse(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	path := filepath.Join(b.Root, "results", "prove")
	first, err := report.OpenFolder(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(path, File), []byte("{}"), 0o644))
	status, err := b.Prove(context.Background(), Options{})
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "is using the results folder "+path)
	assert.FileExists(t, filepath.Join(path, File), "a refused proof changes nothing")
	require.NoError(t, first.Close())

	b.Build = func(context.Context, string) (string, error) { return "", errors.New("it does not compile") }
	status, err = b.Prove(context.Background(), Options{})
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "it does not compile")
	assert.NoFileExists(t, filepath.Join(path, File), "an earlier proof is not mistaken for a new one")
	assert.FileExists(t, filepath.Join(path, earlierFile))
}

type writer func(text string)

func (w writer) Write(text []byte) (int, error) {
	w(string(text))
	return len(text), nil
}

// TestRowsOfTheTable: the project's own rows name requirements of the catalogue that a server can fail, and readings that
// the reference offers are listed there.
func TestRowsOfTheTable(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	all, err := faults.All()
	require.NoError(t, err)
	for _, one := range all {
		require.NoError(t, catalogue.MustHave(one.Requirements...), one.ID)
		for _, id := range one.Requirements {
			requirement, _ := catalogue.Lookup(id)
			assert.NotEqual(t, requirements.Open, requirement.Kind, "%s: %s", one.ID, id)
		}
	}
	for _, offer := range pseudonym.Offers() {
		requirement, known := catalogue.Lookup(offer.Requirement)
		require.True(t, known, offer.Requirement)
		for _, reading := range offer.Readings {
			_, listed := requirement.Reading(string(reading))
			assert.True(t, listed, "%s: %s", offer.Requirement, reading)
		}
	}
}
