package prove

// A prover with its own project, and the test binary in place of the suite's.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"msc4014/faults"
	"msc4014/faults/mutation"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/reference/choice"
	"msc4014/reference/pdu"
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
	// Reached are the numbers of the mutants that are reached, by every check, and Mutants says what happens with a mutant on, by its number (mutant).
	Reached []int
	Mutants map[string]string
	// ReachedWith and MutantsWith are the same with a reading ("requirement=reading") that changes them; the latter by "number reading".
	ReachedWith map[string][]int
	MutantsWith map[string]string
	// Unrecorded says that no server records which mutants are reached.
	Unrecorded bool
	// Together are the faults of a program that has several, by number.
	Together map[string]string
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
	with := strings.Join(choices.Readings, ",")
	reached, other := s.ReachedWith[with]
	if !other {
		reached = s.Reached
	}
	if file := environment(mutation.ReachedVariable); file != "" && !s.Unrecorded {
		var lines strings.Builder
		for i := range s.Checks {
			for _, number := range reached {
				fmt.Fprintln(&lines, number, second(i).UnixMilli())
			}
		}
		_ = os.WriteFile(file, []byte(lines.String()), 0o644)
	}
	on := environment(mutation.OnVariable)
	if does := cmp.Or(s.MutantsWith[on+" "+with], s.Mutants[on]); does != "" {
		return mutant(does, s.Checks, wanted, emit, terminated)
	}
	shown := strings.Join(slices.Concat(strings.Fields(wanted.Artifact.Version), choices.Readings), ",") // see newBench
	if number := environment(faults.OnVariable); number != "" {
		shown = s.Together[number]
	}
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
	for i, check := range s.Checks {
		if !slices.Contains(chosen, check.Name) {
			continue
		}
		emit(verdict.Event{Kind: verdict.KindCheckStart, Check: check.Name, Time: second(i)})
		emit(verdict.Event{Kind: verdict.KindCheckDone, Check: check.Name, Time: second(i + 1).Add(-time.Millisecond)})
		for _, id := range check.Requirements {
			if reading, decides := decided.Readings.Get(id); decides {
				emit(verdict.Event{Kind: verdict.KindObservation, Check: check.Name, Observation: &verdict.Observation{ID: id, Reading: string(reading)}})
			}
		}
		result := &verdict.CheckResult{Name: check.Name, Verdict: verdict.Pass, Requirements: check.Requirements}
		if special := s.Verdicts[shown][check.Name]; special != "" {
			result.Verdict, result.Reason = special, cmp.Or(s.Reasons[shown], "because of "+shown)
			if wanted.Sessions > 0 && wanted.Unshortened {
				result.Reason += fmt.Sprintf(", in %d sessions", wanted.Sessions)
			}
		}
		if decided.Dialect == pdu.DialectDendrite && slices.Contains(check.Requirements, "event-format/no-sender-field") {
			result.Verdict, result.Reason = verdict.Fail, "events have a sender"
		}
		emit(verdict.Event{Kind: verdict.KindCheckFinal, Check: check.Name, Result: result})
	}
	emit(verdict.Event{Kind: verdict.KindEnd})
	return 0
}

// second returns a time: each check of the fake suite takes one second.
func second(number int) time.Time { return time.Unix(int64(1_000_000_000+number), 0) }

// mutant acts as the suite's binary with a mutant that does something.
func mutant(does string, checks []selection.Check, wanted plan.Plan, emit func(verdict.Event), terminated <-chan os.Signal) int {
	if does == "cannot" {
		emit(verdict.Event{Kind: verdict.KindCannot, Message: "no server starts"})
		return 2
	}
	if does == "crashes" { // the suite, not the server
		return 3
	}
	var names []string
	for _, check := range checks {
		names = append(names, check.Name)
	}
	emit(verdict.Event{Kind: verdict.KindPlan, Total: len(names), Checks: names, Candidate: &verdict.Candidate{Name: "x", RoomVersion: "y"}})
	judged := func(kind verdict.EventKind, name string, v verdict.Verdict) {
		emit(verdict.Event{Kind: kind, Check: name, Result: &verdict.CheckResult{Name: name, Verdict: v, Reason: "it " + does}})
	}
	_, err := os.Stat(filepath.Join(filepath.Dir(wanted.Results), report.ResultsFile))
	again := err == nil
	first := names[0]
	if len(wanted.First) > 0 {
		first = wanted.First[0]
	}
	switch {
	case does == "fails":
		judged(verdict.KindCheckDone, first, verdict.Fail)
		<-terminated
		judged(verdict.KindCheckFinal, first, verdict.Fail)
		return 2
	case does == "dies" && !again: // nothing is final: the server did not answer the health check
		judged(verdict.KindCheckDone, first, verdict.Fail)
		<-terminated
		return 2
	case does == "dies":
		judged(verdict.KindCheckDone, first, verdict.Fail)
		judged(verdict.KindCheckFinal, first, verdict.Pass)
		judged(verdict.KindCheckFinal, names[1], verdict.Fail)
		<-terminated
		return 2
	case does == "leaks":
		emit(verdict.Event{Kind: verdict.KindFinding, Finding: &verdict.Finding{Requirement: inJoin, Check: first, Detail: "a key"}})
		<-terminated
		return 2
	case does == "reads":
		emit(verdict.Event{Kind: verdict.KindObservation, Observation: &verdict.Observation{ID: kept, Reading: "removed"}})
		<-terminated
		return 2
	case does == "blocks":
		emit(verdict.Event{Kind: verdict.KindObservation, Observation: &verdict.Observation{ID: kept, Reading: verdict.NoneSeen}})
		judged(verdict.KindCheckDone, first, verdict.Inconclusive)
		judged(verdict.KindCheckFinal, first, verdict.Inconclusive)
	case does == "waits":
		<-terminated
		return 2
	case does == "fails last":
		judged(verdict.KindCheckFinal, first, verdict.Fail)
	case does == "starves":
		judged(verdict.KindCheckFinal, first, verdict.Error)
	case does == "lacks":
		for _, name := range names {
			judged(verdict.KindCheckFinal, name, verdict.Unsupported)
		}
		emit(verdict.Event{Kind: verdict.KindEnd})
		return 0
	}
	for _, name := range names {
		if name != first || does == "nothing" {
			judged(verdict.KindCheckFinal, name, verdict.Pass)
		}
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
		Catalogue: catalogue, Report: needed, Program: os.Args[0], Faults: rows,
		Build: func(context.Context, string) (string, error) { return os.Args[0], nil },
		// The artifact's version tells the fake suite which faults the reference was built with.
		Prepare: func(_ context.Context, with []faults.Fault, _ func(string)) (runtime.Artifact, error) {
			var ids []string
			for _, one := range with {
				ids = append(ids, one.ID)
			}
			return runtime.Artifact{Version: strings.Join(ids, " "), Program: os.Args[0]}, nil
		},
		Combine: func([]faults.Fault) (faults.Combined, error) { return faults.Combined{}, nil },
		PrepareWith: func(context.Context, map[string][]byte, func(string)) (runtime.Artifact, error) {
			return runtime.Artifact{Program: os.Args[0]}, nil
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
