package prove

// Mutants, with the test binary in place of the suite's.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/faults/mutation"
	"msc4014/helpers/verdict"
	"msc4014/reference/pseudonym"
	"msc4014/report"
	"msc4014/runtime"
)

// mutantBench is a bench whose reference has a mutant for each of some deeds (mutant), "" for one that is not reached.
type mutantBench struct {
	*bench
	ids    []string // of the mutants, in the order in which they are tried
	builds []int    // how many files the overlay of each build had
}

func newMutantBench(t *testing.T, does ...string) *mutantBench {
	t.Helper()
	var sites []*mutation.Site
	for i := range does {
		sites = append(sites, &mutation.Site{
			File: "reference/rules/auth.go", Function: "Rules.Allowed", Line: 10 + i, Rule: mutation.Dropped,
			Original: fmt.Sprintf("allow(%d)", i), Occurrence: 1,
		})
	}
	b := &mutantBench{}
	s := script{Mutants: map[string]string{}}
	for i, one := range mutation.Sample(sites, 1, len(sites)) {
		b.ids = append(b.ids, one.ID())
		if does[i] != "" {
			s.Reached = append(s.Reached, i+1)
			s.Mutants[strconv.Itoa(i+1)] = does[i]
		}
	}
	b.bench = newBench(t, s)
	b.Sites = func(context.Context) ([]*mutation.Site, error) { return sites, nil }
	b.PrepareWith = func(_ context.Context, overlay map[string][]byte, _ func(string)) (runtime.Artifact, error) {
		b.builds = append(b.builds, len(overlay))
		return runtime.Artifact{Program: os.Args[0]}, nil
	}
	return b
}

// rescript changes what the fake suite does.
func rescript(t *testing.T, change func(*script)) {
	t.Helper()
	var s script
	require.NoError(t, json.Unmarshal([]byte(os.Getenv(fakeVariable)), &s))
	change(&s)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	t.Setenv(fakeVariable, string(text))
}

// mutants tries mutants, and returns the exit status and what mutants.json contains.
func (b *mutantBench) mutants(t *testing.T, options MutantOptions) (int, Mutants) {
	t.Helper()
	options.Seed = 1
	status, err := b.Mutants(context.Background(), options)
	require.NoError(t, err)
	return status, b.saved(t)
}

func (b *mutantBench) saved(t *testing.T) (saved Mutants) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.Root, "results", "prove", "mutants-1", MutantsFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &saved))
	return saved
}

func TestOutcomes(t *testing.T) {
	b := newMutantBench(t, "fails", "leaks", "reads", "dies", "blocks", "starves", "", "cannot", "lacks", "nothing", "crashes")
	status, results := b.mutants(t, MutantOptions{Count: 11})
	assert.Equal(t, StatusUnproven, status)
	for i, expected := range []struct {
		outcome Outcome
		by      *NoticedBy
		problem string
	}{
		{Noticed, &NoticedBy{What: report.WhatCheck, Check: "a join has a mapping", Words: "it fails"}, ""},
		{Noticed, &NoticedBy{What: report.WhatMonitor, Check: "a join has a mapping", Requirement: inJoin, Words: "a key"}, ""},
		{Noticed, &NoticedBy{What: report.WhatObservation, Requirement: kept, Words: "reading removed, not kept"}, ""},
		{Noticed, &NoticedBy{What: report.WhatCheck, Check: "an invite has a mapping", Words: "it dies"}, ""},
		{Survived, nil, ""},
		{NoVerdict, nil, "is error: it starves"},
		{NotReached, nil, ""},
		{DoesNotStart, nil, "no server starts"},
		{DoesNotStart, nil, "nothing was judged: 5 unsupported"},
		{Survived, nil, ""},
		{NoVerdict, nil, "the suite's binary ended (exit status 3)"},
	} {
		one := results.Mutants[i]
		assert.Equal(t, b.ids[i], one.ID)
		assert.Equal(t, expected.outcome, one.Outcome, i)
		assert.Equal(t, expected.by, one.By, i)
		assert.Contains(t, one.Problem, expected.problem, i)
	}
	assert.Equal(t, map[verdict.Verdict]int{verdict.Inconclusive: 1}, results.Mutants[4].Others)
	assert.Equal(t, MutantScore{Mutants: 11, Outcomes: map[Outcome]int{Noticed: 4, Survived: 2, NotReached: 1, DoesNotStart: 2, NoVerdict: 2}}, results.Score)
	assert.Equal(t, results.Score, results.Packages["reference/rules"])
	for _, text := range []string{
		"4 of 11 that are not equivalent (36.4 %)", "fewer than 95 %", "checks that neither passed nor failed: 1 inconclusive",
		b.ids[9] + "  reference/rules/auth.go:", "-allow(",
	} {
		assert.Contains(t, b.out.String(), text)
	}
	runs, err := os.ReadDir(filepath.Join(os.Getenv("MSC4014_STATE_DIR"), "runs"))
	require.NoError(t, err)
	assert.Empty(t, runs, "runs that were ended leave nothing")
}

func TestResume(t *testing.T) {
	b := newMutantBench(t, "fails", "nothing", "", "starves")
	_, results := b.mutants(t, MutantOptions{Count: 2})
	require.Len(t, results.Mutants, 2)
	require.Len(t, b.builds, 1)

	rescript(t, func(s *script) { // other numbers: only two mutants are built
		s.Reached, s.Mutants = []int{2}, map[string]string{"2": "starves"}
	})
	_, results = b.mutants(t, MutantOptions{Count: 4})
	assert.Contains(t, b.out.String(), "continuing: 2 mutants were tried before, with the same sources")
	assert.Equal(t, []Outcome{Noticed, Survived, NotReached, NoVerdict}, outcomesOf(results.Mutants))

	rescript(t, func(s *script) { s.Reached, s.Mutants = []int{1}, map[string]string{"1": "fails"} })
	_, results = b.mutants(t, MutantOptions{Count: 4})
	assert.Equal(t, []Outcome{Noticed, Survived, NotReached, Noticed}, outcomesOf(results.Mutants), "what had no verdict is tried again")
	require.Len(t, b.builds, 3)

	_, results = b.mutants(t, MutantOptions{Count: 1})
	assert.Len(t, results.Mutants, 1)
	assert.Len(t, results.Earlier, 3)
	_, results = b.mutants(t, MutantOptions{Count: 4})
	assert.Equal(t, []Outcome{Noticed, Survived, NotReached, Noticed}, outcomesOf(results.Mutants))
	assert.Len(t, b.builds, 3, "nothing is left to try")

	file := filepath.Join(b.Root, "results", "prove", "mutants-1", MutantsFile)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(data), results.Sources, "other", 1)), 0o644))
	rescript(t, func(s *script) { s.Reached, s.Mutants = []int{1}, map[string]string{"1": "nothing"} })
	_, results = b.mutants(t, MutantOptions{Count: 4})
	assert.Contains(t, b.out.String(), "the suite, the reference or this program has changed since mutants were tried: starting again; "+
		"the earlier results are in results/prove/mutants-1/mutants-earlier.json")
	assert.Equal(t, []Outcome{Survived, NotReached, NotReached, NotReached}, outcomesOf(results.Mutants))
	earlier, err := os.ReadFile(filepath.Join(filepath.Dir(file), earlierMutantsFile))
	require.NoError(t, err)
	assert.Contains(t, string(earlier), `"sources": "other"`)
}

// TestStartingAgain: results of another program, or of another form, are not continued, and are set aside.
func TestStartingAgain(t *testing.T) {
	b := newMutantBench(t, "fails")
	_, results := b.mutants(t, MutantOptions{Count: 1})
	folder := filepath.Join(b.Root, "results", "prove", "mutants-1")
	trial := filepath.Join(folder, results.Mutants[0].ID)
	require.DirExists(t, trial)
	rescript(t, func(s *script) { s.Mutants = map[string]string{"1": "nothing"} })

	b.Program = filepath.Join(t.TempDir(), "msc4014")
	require.NoError(t, os.WriteFile(b.Program, []byte("judges otherwise"), 0o755))
	_, results = b.mutants(t, MutantOptions{Count: 1})
	assert.Equal(t, []Outcome{Survived}, outcomesOf(results.Mutants), "another program may judge otherwise")

	other := fmt.Sprintf(`{"schema": 1, "sources": %q, "mutants": {%q: "noticed"}}`, results.Sources, results.Mutants[0].ID)
	require.NoError(t, os.WriteFile(filepath.Join(folder, MutantsFile), []byte(other), 0o644))
	_, results = b.mutants(t, MutantOptions{Count: 1})
	assert.Equal(t, []Outcome{Survived}, outcomesOf(results.Mutants))
	require.Len(t, b.builds, 3)
	earlier, err := os.ReadFile(filepath.Join(folder, earlierMutantsFile))
	require.NoError(t, err)
	assert.Equal(t, other, string(earlier))

	require.NoError(t, os.WriteFile(filepath.Join(folder, MutantsFile), []byte("{"), 0o644))
	_, err = b.Mutants(t.Context(), MutantOptions{Count: 1, Seed: 1})
	assert.ErrorContains(t, err, "remove it to start again")
}

// TestOtherMutantsInTheFolder: results of another seed or selection are set aside, though they are used.
func TestOtherMutantsInTheFolder(t *testing.T) {
	b := newMutantBench(t, "fails last")
	folder := filepath.Join(b.Root, "results", "prove", "mutants-1")
	b.mutants(t, MutantOptions{Count: 1})
	earlier := filepath.Join(folder, earlierMutantsFile)
	b.mutants(t, MutantOptions{Count: 2})
	require.NoFileExists(t, earlier, "a larger sample continues")
	b.mutants(t, MutantOptions{Count: 1, Run: "auth"})
	assert.FileExists(t, earlier)
	require.NoError(t, os.Remove(earlier))
	_, err := b.Mutants(t.Context(), MutantOptions{Count: 1, Run: "auth", Seed: 2, Results: folder})
	require.NoError(t, err)
	assert.FileExists(t, earlier)
	assert.Len(t, b.builds, 1, "what is known is not tried again")

	require.NoError(t, os.Remove(earlier))
	_, err = b.Mutants(t.Context(), MutantOptions{Only: b.ids[0], Results: folder})
	require.NoError(t, err)
	assert.FileExists(t, earlier)
}

func outcomesOf(mutants []Mutant) (all []Outcome) {
	for _, one := range mutants {
		all = append(all, one.Outcome)
	}
	return all
}

// TestResumeAfterAnInterruption: what was tried before an interruption is kept.
func TestResumeAfterAnInterruption(t *testing.T) {
	b := newMutantBench(t, "fails", "fails", "waits")
	ctx, cancel := context.WithCancelCause(context.Background())
	b.Stdout = writer(func(text string) {
		if strings.Contains(text, b.ids[1]) {
			cancel(errors.New("interrupted by SIGINT"))
		}
	})
	status, err := b.Mutants(ctx, MutantOptions{Count: 3, Seed: 1, Parallel: 1, Verbose: true})
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "interrupted by SIGINT")
	assert.Equal(t, []Outcome{Noticed, Noticed, ""}, outcomesOf(b.saved(t).Mutants))
}

// TestLikelyChecksFirst: a check that noticed a mutant starts first with the next ones of the file, if it ran while they were reached.
func TestLikelyChecksFirst(t *testing.T) {
	b := newMutantBench(t, "dies", "fails")
	_, results := b.mutants(t, MutantOptions{Count: 2, Parallel: 1})
	assert.Equal(t, "an invite has a mapping", results.Mutants[0].By.Check)
	assert.Equal(t, "an invite has a mapping", results.Mutants[1].By.Check)
}

func TestEquivalent(t *testing.T) {
	b := newMutantBench(t, "fails", "nothing", "fails", "fails", "fails", "fails", "fails")
	sites, err := b.Sites(t.Context())
	require.NoError(t, err)
	list := func(of string) mutation.Equivalent {
		for _, one := range sites {
			if one.ID() == of {
				return mutation.Equivalent{File: one.File, Function: one.Function, Original: one.Original, Why: "nobody sees it"}
			}
		}
		return mutation.Equivalent{}
	}
	b.Equivalents = []mutation.Equivalent{list(b.ids[1])}
	status, results := b.mutants(t, MutantOptions{Count: 7})
	assert.Equal(t, StatusProven, status, results.Problems)
	assert.Equal(t, MutantScore{Mutants: 7, Outcomes: map[Outcome]int{Noticed: 6}, Equivalent: 1}, results.Score)
	assert.Equal(t, "nobody sees it", results.Mutants[1].Equivalent)

	b.Equivalents = []mutation.Equivalent{list(b.ids[1]), list(b.ids[0])}
	status, results = b.mutants(t, MutantOptions{Count: 7})
	assert.Equal(t, StatusUnproven, status)
	assert.Equal(t, []string{
		`mutant ` + b.ids[0] + ` is listed as equivalent, but noticed by check "a join has a mapping": it fails`,
		"2 of 7 are listed as equivalent, more than 15 %",
	}, results.Problems)
}

// TestUndecided: mutants without a verdict leave open whether enough are noticed, unless too many others are not.
func TestUndecided(t *testing.T) {
	b := newMutantBench(t, "fails", "starves")
	status, results := b.mutants(t, MutantOptions{Count: 2})
	assert.Equal(t, StatusCannot, status)
	assert.Equal(t, []string{"1 of 2 that are not equivalent (50.0 %) are noticed, fewer than 95 %; with the 1 that have no verdict it may be enough: " +
		"try them again"}, results.Problems)

	b = newMutantBench(t, "fails", "starves", "nothing")
	status, _ = b.mutants(t, MutantOptions{Count: 3})
	assert.Equal(t, StatusUnproven, status, "2 of 3 are too few")

	// Of 20, one may have no verdict.
	b = newMutantBench(t, append(slices.Repeat([]string{"fails"}, 19), "starves")...)
	status, results = b.mutants(t, MutantOptions{Count: 20, Parallel: 8})
	assert.Equal(t, StatusProven, status, results.Problems)
}

func TestOneMutant(t *testing.T) {
	b := newMutantBench(t, "nothing", "nothing")
	for does, expected := range map[string]struct {
		status int
		says   string
	}{
		"blocks":     {StatusUnproven, "survived: no check notices it, though it is reached"},
		"nothing":    {StatusUnproven, "not reached by any check"},
		"cannot":     {StatusUnproven, "does not start: no check can judge the server"},
		"starves":    {StatusCannot, "no verdict: try it again"},
		"crashes":    {StatusCannot, "no verdict: try it again"},
		"fails last": {StatusProven, `noticed by check "a join has a mapping": it fails last`},
	} {
		rescript(t, func(s *script) {
			s.Reached, s.Mutants = []int{1}, map[string]string{"1": does}
			if does == "nothing" {
				s.Reached = []int{2}
			}
		})
		status, err := b.Mutants(context.Background(), MutantOptions{Only: b.ids[1]})
		require.NoError(t, err)
		assert.Equal(t, expected.status, status, does)
		assert.Contains(t, b.out.String(), expected.says)
		assert.Contains(t, b.out.String(), "results/prove/mutant-"+b.ids[1])
		b.out.Reset()
	}
	data, err := os.ReadFile(filepath.Join(b.Root, "results", "prove", "mutant-"+b.ids[1], MutantsFile))
	require.NoError(t, err)
	assert.NotContains(t, string(data), `"seed"`)

	rescript(t, func(s *script) { s.Mutants, s.Unrecorded = map[string]string{"1": "blocks"}, true })
	status, err := b.Mutants(context.Background(), MutantOptions{Only: b.ids[1]})
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "no server recorded which mutants are reached: open ")
}

func TestMutantsCannot(t *testing.T) {
	for name, one := range map[string]struct {
		options MutantOptions
		change  func(*mutantBench)
		says    string
	}{
		"parallel":              {MutantOptions{Count: 1, Parallel: 65}, nil, "from 1 to 64"},
		"no regular expression": {MutantOptions{Count: 1, Run: "("}, nil, `--run "(" is not a valid regular expression`},
		"nothing matches":       {MutantOptions{Count: 1, Run: "nowhere"}, nil, `--run "nowhere" matches no file and no function in reference/pdu, `},
		"no such mutant":        {MutantOptions{Only: "01234567"}, nil, `there is no mutant "01234567"`},
		"a stale equivalent": {MutantOptions{Count: 1}, func(b *mutantBench) {
			b.Equivalents = []mutation.Equivalent{{File: "a.go", Function: "f", Why: "x"}}
		}, "entry 1, f in a.go, names no mutant"},
		"source that does not compile": {MutantOptions{Count: 1}, func(b *mutantBench) {
			b.Sites = func(context.Context) ([]*mutation.Site, error) { return nil, errors.New("undefined: x") }
		}, "undefined: x"},
		"a build that fails": {MutantOptions{Count: 1}, func(b *mutantBench) {
			b.PrepareWith = func(context.Context, map[string][]byte, func(string)) (runtime.Artifact, error) {
				return runtime.Artifact{}, errors.New("undefined: y")
			}
		}, "undefined: y"},
		"a reference that fails without a mutant": {MutantOptions{Count: 1}, func(*mutantBench) {
			rescript(t, func(s *script) { s.Verdicts = verdicts{"": {"a join has a mapping": verdict.Fail}} })
		}, "the suite must pass without a mutant, with the default readings, but does not (results in results/prove/mutants-1/unmutated): mapping/in-creator-join must not fail"},
		"servers that do not record": {MutantOptions{Count: 1}, func(*mutantBench) {
			rescript(t, func(s *script) { s.Unrecorded = true })
		}, "no server recorded which mutants are reached"},
		"a reference that does not start": {MutantOptions{Count: 1}, func(*mutantBench) {
			rescript(t, func(s *script) { s.Cannot = []string{""} })
		}, "the reference did not answer /versions within 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newMutantBench(t, "fails")
			if one.change != nil {
				one.change(b)
			}
			one.options.Seed = 1
			status, err := b.Mutants(context.Background(), one.options)
			assert.Equal(t, StatusCannot, status)
			assert.ErrorContains(t, err, one.says)
		})
	}
}

// TestOtherReadings: without a run of the reference, a reading of a requirement that it offers no reading of shows nothing.
func TestOtherReadings(t *testing.T) {
	in := &setting{expects: map[string][]string{kept: {"kept"}}}
	assert.True(t, in.isOther(verdict.Observation{ID: kept, Reading: "removed"}))
	assert.False(t, in.isOther(verdict.Observation{ID: kept, Reading: "kept"}))
	assert.False(t, in.isOther(verdict.Observation{ID: "room-version/identifier", Reading: "other"}))
	in.expects = map[string][]string{"room-version/identifier": nil}
	assert.True(t, in.isOther(verdict.Observation{ID: "room-version/identifier", Reading: "other"}), "seen where none was")
}

// TestOtherSettings: a mutant that only another reading reaches is tried with that, and one that the default readings reach, too, if the
// changed function looks at the reading.
func TestOtherSettings(t *testing.T) {
	const removed = kept + "=removed"
	b := newMutantBench(t, "fails", "nothing", "nothing", "nothing", "nothing", "")
	number := func(i int) string { return strconv.Itoa(i + 1) }
	rescript(t, func(s *script) {
		s.Reached, s.ReachedWith = []int{1, 4, 5}, map[string][]int{removed: {2, 3, 4, 5}}
		s.MutantsWith = map[string]string{number(1) + " " + removed: "fails", number(3) + " " + removed: "fails", number(4) + " " + removed: "fails"}
	})
	sites, err := b.Sites(t.Context())
	require.NoError(t, err)
	for _, one := range sites {
		if one.ID() == b.ids[3] {
			one.Readings = []string{"RedactedSenderKey"}
		}
	}
	_, results := b.mutants(t, MutantOptions{Count: 6})
	assert.Equal(t, []Outcome{Noticed, Noticed, Survived, Noticed, Survived, NotReached}, outcomesOf(results.Mutants))
	for i, with := range []string{"", removed, "", removed} {
		if by := results.Mutants[i].By; by != nil {
			assert.Equal(t, with, by.With, i)
		}
	}

	rescript(t, func(s *script) {
		s.Reached, s.ReachedWith = []int{2}, map[string][]int{removed: {1}}
		s.Mutants, s.MutantsWith = map[string]string{"1": "nothing"}, map[string]string{"1 " + removed: "fails"}
	})
	b.out.Reset()
	_, err = b.Mutants(t.Context(), MutantOptions{Only: b.ids[1]})
	require.NoError(t, err)
	assert.Contains(t, b.out.String(), "("+removed+")")
}

// TestFieldOf: each requirement with readings has the field that Set sets.
func TestFieldOf(t *testing.T) {
	for _, offer := range pseudonym.Offers() {
		assert.NotEmpty(t, fieldOf(offer.Requirement), offer.Requirement)
	}
	assert.Equal(t, "RedactedSenderKey", fieldOf(kept))
	assert.Empty(t, fieldOf(inJoin))
}
