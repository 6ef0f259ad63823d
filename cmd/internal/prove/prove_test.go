package prove

// Whole proofs, on a bench.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/faults"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/reference/pseudonym"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime"
)

func TestProven(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	status, proof := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, b.out.String())
	assert.Empty(t, proof.Problems)
	assert.Equal(t, Score{Checks: Part{5, 5}, Requirements: Part{4, 4}, Faults: Part{3, 3}, Tried: Part{3, 3}, Readings: Part{2, 2}}, proof.Score)
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

// TestFaultsInOneProgram: one build has the faults that can be combined, and the environment turns one on; a few are built alone.
func TestFaultsInOneProgram(t *testing.T) {
	all, seen := slices.Clone(rows), exact()
	for _, id := range []string{"second", "third", "fourth"} {
		all = append(all, row(id, inJoin, "a join has a mapping"))
		seen[id] = map[string]verdict.Verdict{"a join has a mapping": verdict.Fail}
	}
	numbers := map[string]int{"creator-join-unmapped": 1, "second": 2, "third": 3, "fourth": 4}
	b := newBench(t, script{Verdicts: seen, Together: map[string]string{"1": "creator-join-unmapped", "2": "second", "3": "third", "4": "fourth"}})
	b.Faults = all
	b.Combine = func(all []faults.Fault) (faults.Combined, error) {
		assert.Len(t, all, 6)
		return faults.Combined{Numbers: numbers}, nil
	}
	var together atomic.Int32
	b.PrepareWith = func(context.Context, map[string][]byte, func(string)) (runtime.Artifact, error) {
		together.Add(1)
		return runtime.Artifact{Program: os.Args[0]}, nil
	}
	var mu sync.Mutex
	var alone []string
	prepare := b.Prepare
	b.Prepare = func(ctx context.Context, with []faults.Fault, progress func(string)) (runtime.Artifact, error) {
		mu.Lock()
		defer mu.Unlock()
		for _, one := range with {
			alone = append(alone, one.ID)
		}
		return prepare(ctx, with, progress)
	}
	status, proof := b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Equal(t, Part{6, 6}, proof.Score.Faults)
	assert.ElementsMatch(t, []string{"invites-unmapped", "crash-on-second-key"}, alone)
	assert.EqualValues(t, 1, together.Load())

	alone = nil
	status, proof = b.proof(t, Options{Run: "^(second|third)$"})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.ElementsMatch(t, []string{"second", "third"}, alone)
	assert.EqualValues(t, 1, together.Load())

	// If the combined program cannot be built, each fault is built alone.
	alone = nil
	b.PrepareWith = func(context.Context, map[string][]byte, func(string)) (runtime.Artifact, error) {
		return runtime.Artifact{}, errors.New("undefined: x")
	}
	status, proof = b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Len(t, alone, 6)
	assert.Contains(t, b.out.String(), "each fault is built alone, since they cannot be built together: undefined: x")

	alone = nil
	b.Combine = func([]faults.Fault) (faults.Combined, error) {
		return faults.Combined{}, errors.New("fault x occurs 0 times")
	}
	status, proof = b.proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Len(t, alone, 6)
	assert.Contains(t, b.out.String(), "each fault is built alone: fault x occurs 0 times")
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
		"inconclusive is not a kill": {
			script: script{Verdicts: with("creator-join-unmapped", "a join has a mapping", verdict.Inconclusive)},
			says:   []string{"fault creator-join-unmapped: mapping/in-creator-join must fail, but is inconclusive: because of creator-join-unmapped"},
		},
		"an error is not a kill": {
			script: script{Verdicts: with("creator-join-unmapped", "a join has a mapping", verdict.Error)},
			says:   []string{"fault creator-join-unmapped: mapping/in-creator-join must fail, but is error"},
		},
		"an error of a check that the fault does not name": {
			script: script{Verdicts: with("creator-join-unmapped", "all stays well", verdict.Error)},
			says:   []string{`fault creator-join-unmapped: the check "all stays well" must end with a verdict, but is error: because of creator-join-unmapped`},
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
		"a check that must fail is inconclusive": {
			script: script{Verdicts: with("invites-unmapped", "an invite has a mapping", verdict.Inconclusive)},
			says:   []string{`invites-unmapped: the check "an invite has a mapping" must fail with "because of\n invites-unmapped", but is inconclusive: because of invites-unmapped`},
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
		"the reference is inconclusive as it is": {
			script: script{Verdicts: with("", "a join has a mapping", verdict.Inconclusive)},
			says:   []string{"the reference, dialect dendrite: mapping/in-creator-join must pass, but is inconclusive"},
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

// TestSample: faults outside the sample are not tried. That no tried fault makes the checks in their rows fail is not a problem, and
// these checks do not count as proven.
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
	assert.Equal(t, Part{tried, len(b.Faults)}, proof.Score.Tried)
	killed := 1 // the check of the open requirement, by its readings
	for _, one := range proof.Faults {
		killed += len(one.Kills)
	}
	assert.Equal(t, Part{killed, len(checks)}, proof.Score.Checks)
	for _, row := range proof.Requirements {
		for _, check := range row.Checks {
			assert.False(t, len(check.KilledBy) > 0 && len(check.NamedBy) > 0, "each of these faults names its own checks: %s", check.Name)
			assert.Equal(t, row.ID != kept, len(check.KilledBy)+len(check.NamedBy) > 0, check.Name)
		}
	}
	assert.Contains(t, b.out.String(), fmt.Sprintf("faults tried, one in 2                %d of 3", tried))
	assert.Contains(t, b.out.String(), "  -    must   ")
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

// TestReadingsBeside: checks of other requirements must pass with some readings, too, and see the readings that the reference takes.
func TestReadingsBeside(t *testing.T) {
	const (
		third      = "mapping/delivered-by-third-server"
		unverified = "a member shows by a placeholder"
		form       = "how placeholders are formed"
		kept       = "what is kept of a sender"
	)
	judged := append(slices.Clone(checks),
		selection.Check{Name: "a join that another server brings", Requirements: []string{third}},
		selection.Check{Name: unverified, Requirements: []string{"unverified/placeholder"}},
		selection.Check{Name: form, Requirements: []string{"unverified/placeholder-form"}},
	)
	shows := row("placeholders-unlike", "unverified/placeholder", unverified)
	seen := func(reading string, v verdict.Verdict) *bench {
		all := exact()
		all[shows.ID] = map[string]verdict.Verdict{unverified: verdict.Fail}
		all[third+"="+reading] = map[string]verdict.Verdict{unverified: v}
		b := newBench(t, script{Checks: judged, Verdicts: all})
		b.Faults = append(slices.Clone(rows), shows)
		return b
	}
	for _, v := range []verdict.Verdict{verdict.Inconclusive, verdict.Unsupported, verdict.Fail} {
		status, proof := seen("refused", v).proof(t, Options{Run: third})
		assert.Equal(t, StatusUnproven, status)
		assert.Contains(t, proof.Problems, "reading "+third+`: refused: the check "`+unverified+`" must pass with this reading, too, but is `+string(v)+
			": because of "+third+"=refused")
	}
	status, proof := seen("refused", verdict.Pass).proof(t, Options{})
	assert.Equal(t, StatusProven, status, proof.Problems)
	status, proof = seen("accepted", verdict.Inconclusive).proof(t, Options{})
	assert.Equal(t, StatusProven, status, "the check does not run with the other readings: %v", proof.Problems)

	trials, _ := readingTrials(coverage{registered: judged, catalogue: seen("refused", verdict.Pass).Catalogue})
	for _, one := range trials {
		coverage{registered: judged}.besides(&one)
		if reading := one.takes[third]; reading == "refused" || reading == "send-join-only" {
			assert.Equal(t, []string{kept, unverified, form}, one.passes)
			assert.Equal(t, map[string]string{
				third: reading, "unverified/placeholder-form": "legal-form", "redaction/sender-key-kept": "kept",
			}, one.takes)
		} else {
			assert.Empty(t, one.passes, one.name)
			assert.Len(t, one.takes, 1, one.name)
		}
	}
}

func TestNarrowed(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	status, proof := b.proof(t, Options{Run: "^" + inInvite + "$"})
	assert.Equal(t, StatusProven, status, proof.Problems)
	assert.Equal(t, Score{Checks: Part{2, 2}, Requirements: Part{1, 1}, Faults: Part{1, 1}, Tried: Part{1, 1}}, proof.Score)

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

// TestBuilds: each of a few faults has its own reference, few are built at a time, and one that cannot be built is only its own fault's
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
		}, `the row of fault x: not in the catalogue, version 2: "mapping/in-creator-joyn" (nearest: mapping/in-creator-join)`},
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
	status, err := b.Prove(ctx, Options{Verbose: true})
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

// TestUnwritableResults: a file that cannot be put in place leaves nothing behind.
func TestUnwritableResults(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, File)
	require.NoError(t, os.MkdirAll(filepath.Join(file, "not empty"), 0o755))
	require.Error(t, writeJSON(file, Proof{}))
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, left, 1)
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
	for _, one := range beside {
		assert.Contains(t, offered(one.requirement), one.reading, one.requirement)
		assert.True(t, slices.ContainsFunc(catalogue.All(), func(other requirements.Requirement) bool {
			return regexp.MustCompile(one.checks).MatchString(other.ID)
		}), one.checks)
	}
}
