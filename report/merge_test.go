package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
)

// sharded returns the results of a whole run, and those of its shards. Check 3 is blocked by what check 0 finds, so shard 2 judges that, too.
func sharded(t *testing.T) (whole Results, shards []Results) {
	t.Helper()
	catalogue := Catalogue{Version: 2, MSCNumber: 4014, Requirements: []CatalogueEntry{
		{ID: "a/one", Chapter: "a", Kind: "must", Since: 1, Demand: "1", Source: "x"}, {ID: "a/two", Chapter: "a", Kind: "must", Since: 1, Demand: "2", Source: "x"},
		{ID: "a/open", Chapter: "a", Kind: "open", Since: 1, Demand: "3", Source: "x"}, {ID: "a/up", Chapter: "a", Kind: "must", Own: true, Since: 1, Demand: "4", Source: "x"},
	}}
	registered := []selection.Check{
		{Name: "0", Requirements: []string{"a/one"}}, {Name: "1", Requirements: []string{"a/two"}}, {Name: "up", Requirements: []string{"a/up"}, Closing: true},
		{Name: "2", Requirements: []string{"a/open"}}, {Name: "3", Requirements: []string{"a/two"}},
		{Name: "client", Requirements: []string{"a/two"}},
	}
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	result := func(name string, v verdict.Verdict, after int) verdict.Event {
		started := begun.Add(time.Duration(after) * time.Second)
		return verdict.Event{Kind: verdict.KindCheckFinal, Check: name, Result: &verdict.CheckResult{
			Name: name, Verdict: v, Started: started, DurationMS: 500, Log: "checks/" + name + ".log", Closing: name == "up",
		}}
	}
	all := map[string]verdict.Event{
		"0": result("0", verdict.Fail, 1), "1": result("1", verdict.Pass, 11), "2": result("2", verdict.Pass, 12), "3": result("3", verdict.Blocked, 13),
		"up": result("up", verdict.Pass, 19), "client": result("client", verdict.NotRun, 9),
	}
	all["client"].Result.Reason = verdict.WithoutClients
	all["0"].Result.Reason = "it broke"
	all["3"].Result.BlockedBy = "a/one"
	reading := observed("a/open", "x", "seen")
	reading.Check = "2"
	step := verdict.Event{Kind: verdict.KindFinding, Finding: &verdict.Finding{Requirement: "a/one", Check: "3", Detail: "a step", Step: true}}
	run := func(shard string, started time.Time, names []string, more ...verdict.Event) Results {
		selected, err := selection.New("", shard, false)
		require.NoError(t, err)
		events := []verdict.Event{planned(names...)}
		for _, name := range names {
			events = append(events, all[name])
		}
		events = append(append(events, more...), end)
		results := Assemble(Run{
			Candidate: verdict.Candidate{Name: "dendrite@1", RoomVersion: "x"}, Started: started, Duration: 10 * time.Second, Registered: registered, Selection: selected,
		}, catalogue, events)
		results.Evidence = []EvidenceFile{{Path: "checks/" + names[0] + ".log"}}
		return results
	}
	whole = run("", begun, []string{"0", "1", "2", "3", "client", "up"}, reading, step)
	whole.DurationMS = 20000
	return whole, []Results{
		run("2/2", begun.Add(10*time.Second), []string{"1", "3", "0", "up"}, step),
		run("1/2", begun, []string{"0", "2", "client", "up"}, reading),
	}
}

func ofSources(image string) bool { return image == "msc4014/dendrite:1-0123456789ab" }

// TestMergeOfImagesThatWereBuiltApart: of the same sources they are merged, and others are refused.
func TestMergeOfImagesThatWereBuiltApart(t *testing.T) {
	for _, test := range []struct {
		name, first, second string
		merged              bool
	}{
		{"dendrite@1", "msc4014/dendrite:1-0123456789ab", "msc4014/dendrite:1-0123456789ab", true},
		{"dendrite@1", "msc4014/dendrite:1-0123456789ab", "msc4014/dendrite:1-ba9876543210", false},
		{"synapse", "msc4014/synapse:0123456789ab", "msc4014/synapse:0123456789ab", false},
		{"image:msc4014/dendrite:1-0123456789ab", "msc4014/dendrite:1-0123456789ab", "msc4014/dendrite:1-0123456789ab", false},
	} {
		_, shards := sharded(t)
		for i, image := range []string{test.first, test.second} {
			shards[i].Candidate.Name, shards[i].Candidate.Image, shards[i].Candidate.Digest = test.name, image, fmt.Sprintf("sha256:%d", i)
		}
		merged, _, err := Merge(shards, ofSources)
		if !test.merged {
			assert.ErrorContains(t, err, "they differ in the candidate", test.name)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, "sha256:1", merged.Candidate.Digest, "that of the first shard")
		assert.Contains(t, merged.Notes, "shards ran 2 images that were built apart from the same sources, msc4014/dendrite:1-0123456789ab: sha256:1, sha256:0")
	}
}

// TestMerge: the result of the shards is that of the whole run.
func TestMerge(t *testing.T) {
	whole, shards := sharded(t)
	merged, files, err := Merge(shards, ofSources)
	require.NoError(t, err)
	whole.Evidence = nil
	assert.Equal(t, whole, merged)
	assert.Equal(t, map[string]int{"checks/0.log": 1, "checks/1.log": 0, "checks/2.log": 1, "checks/3.log": 0, "checks/client.log": 1, "checks/up.log": 1}, files)

	shards[0].Checks[2].Verdict = verdict.Fail
	merged, files, err = Merge(shards, ofSources)
	require.NoError(t, err)
	assert.Equal(t, verdict.Fail, merged.Requirements[3].Verdict, "a crash in any shard counts")
	assert.Equal(t, 0, files["checks/up.log"])
}

func TestMergeRefuses(t *testing.T) {
	whole, _ := sharded(t)
	for words, spoil := range map[string]func(shards []Results) []Results{
		"shards are missing: 2/2":              func(s []Results) []Results { return s[1:] },
		"shards overlap: 1/2 is there twice":   func(s []Results) []Results { return append(s, s[1]) },
		"is not a shard":                       func(s []Results) []Results { return append(s, whole) },
		"there are no shards":                  func([]Results) []Results { return nil },
		"shard 2/2 is incomplete: interrupted": func(s []Results) []Results { s[0].Incomplete = "interrupted"; return s },
		"they differ in the candidate":         func(s []Results) []Results { s[0].Candidate.Name = "synapse"; return s },
		"they differ in the version":           func(s []Results) []Results { s[0].Suite.Commit = "x"; return s },
		"they differ in the number of shards":  func(s []Results) []Results { s[0].Selection.Shard = "2/3"; return s },
		"they differ in the checks":            func(s []Results) []Results { s[0].Checks = s[0].Checks[1:]; return s },
		"which is not I/N":                     func(s []Results) []Results { s[0].Selection.Shard = "3/2"; return s },
		"should have judged": func(s []Results) []Results {
			s[0].Checks[1].Verdict, s[0].Checks[1].Reason = verdict.NotRun, ReasonLeftOutByShard+" 2/2"
			return s
		},
	} {
		_, shards := sharded(t)
		_, _, err := Merge(spoil(shards), ofSources)
		assert.ErrorContains(t, err, words)
	}
}
