package report

// Merging the results of shards into those of one run.

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
)

// shard is one part of a run.
type shard struct {
	Results
	part, parts int
	index       int // among those that were given
}

// Merge returns the results of a run of which shards are all parts, compared with no baseline yet, and for each file of evidence the index of
// the shard that has it. It returns an error if the shards are not of one run, overlap, leave a gap, or are incomplete. ofSources reports
// whether all images of a name are of the same sources: then they may have different digests.
func Merge(results []Results, ofSources func(image string) bool) (merged Results, files map[string]int, err error) {
	shards, err := partsOf(results, ofSources)
	if err != nil {
		return Results{}, nil, err
	}
	merged = shards[0].Results
	merged.Baseline, merged.Exit, merged.Evidence = nil, nil, nil
	merged.Selection, merged.Notes, merged.Findings, merged.Observations = nil, nil, nil, nil
	ended := time.Time{}
	for _, one := range shards {
		if one.Started.Before(merged.Started) {
			merged.Started = one.Started
		}
		if end := one.Started.Add(time.Duration(one.DurationMS) * time.Millisecond); end.After(ended) {
			ended = end
		}
	}
	merged.DurationMS = ended.Sub(merged.Started).Milliseconds()
	pattern, pair := asked(shards[0].Results)
	if pattern != "" || pair {
		merged.Selection = &Selection{Run: pattern, Pair: pair}
	}
	if merged.Checks, files, err = mergeChecks(shards, merged.Started); err != nil {
		return Results{}, nil, err
	}
	a := assembly{run: Run{Selection: selection.Selection{Pair: pair}}, planned: map[string]bool{}}
	if pattern != "" {
		if a.run.Selection.Pattern, err = regexp.Compile(pattern); err != nil {
			return Results{}, nil, fmt.Errorf("the shards have an invalid --run: %w", err)
		}
	}
	for _, one := range shards {
		a.observations = append(a.observations, one.Observations...)
		a.findings = append(a.findings, one.Findings...)
		for _, note := range one.Notes {
			if !slices.Contains(merged.Notes, note) {
				merged.Notes = append(merged.Notes, note)
			}
		}
	}
	if apart := builtApart(shards); apart != "" {
		merged.Notes = append(merged.Notes, apart)
	}
	for _, check := range merged.Checks {
		a.planned[check.Name] = !LeftOut(check.Verdict, check.Reason)
	}
	merged.Observations = a.distinctObservations()
	merged.Findings = a.selectedFindings(merged.Checks)
	catalogue := catalogueOf(shards[0].Results)
	merged.Requirements = a.requirements(catalogue, merged)
	if refuseUnfounded(&merged) {
		merged.Requirements = a.requirements(catalogue, merged)
	}
	nameRootVerdicts(&merged)
	merged.count()
	return merged, files, nil
}

// builtApart says that shards ran images of the same sources that were built apart; "" if they did not.
func builtApart(shards []shard) string {
	var digests []string
	for _, one := range shards {
		if !slices.Contains(digests, one.Candidate.Digest) {
			digests = append(digests, one.Candidate.Digest)
		}
	}
	if len(digests) == 1 {
		return ""
	}
	return fmt.Sprintf("shards ran %d images that were built apart from the same sources, %s: %s", len(digests), shards[0].Candidate.Image, strings.Join(digests, ", "))
}

// sameImage reports whether two shards judged the same image, or two of the same sources.
func sameImage(a, b verdict.Candidate, ofSources func(image string) bool) bool {
	return a.Digest == b.Digest || a.Image == b.Image && !strings.HasPrefix(a.Name, "image:") && ofSources(a.Image)
}

// partsOf returns the shards in their order, if they are all of one run.
func partsOf(results []Results, ofSources func(image string) bool) ([]shard, error) {
	var shards []shard
	for i, one := range results {
		if one.Selection == nil || one.Selection.Shard == "" {
			return nil, fmt.Errorf("result %d (%s) is not a shard: it was made without --shard", i+1, one.Candidate.Name)
		}
		if one.Incomplete != "" {
			return nil, fmt.Errorf("shard %s is incomplete: %s", one.Selection.Shard, one.Incomplete)
		}
		first, second, _ := strings.Cut(one.Selection.Shard, "/")
		part, err := strconv.Atoi(first)
		parts, err2 := strconv.Atoi(second)
		if err := errors.Join(err, err2); err != nil || part < 1 || part > parts {
			return nil, fmt.Errorf("result %d has the shard %q, which is not I/N", i+1, one.Selection.Shard)
		}
		shards = append(shards, shard{one, part, parts, i})
	}
	if len(shards) == 0 {
		return nil, errors.New("there are no shards to merge")
	}
	slices.SortStableFunc(shards, func(a, b shard) int { return cmp.Compare(a.part, b.part) })
	first := shards[0]
	there := map[int]bool{}
	for _, one := range shards {
		if why := otherRun(first.Results, one.Results, ofSources); why != "" || first.parts != one.parts {
			return nil, fmt.Errorf("shards %s and %s are not of one run: they differ in %s", first.Selection.Shard, one.Selection.Shard, cmp.Or(why, "the number of shards"))
		}
		if there[one.part] {
			return nil, fmt.Errorf("shards overlap: %s is there twice", one.Selection.Shard)
		}
		there[one.part] = true
	}
	var missing []string
	for part := 1; part <= first.parts && len(missing) < 10; part++ {
		if !there[part] {
			missing = append(missing, fmt.Sprintf("%d/%d", part, first.parts))
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("shards are missing: %s", strings.Join(missing, ", "))
	}
	return shards, nil
}

// asked returns the selection of a shard besides its part.
func asked(results Results) (pattern string, pair bool) {
	return results.Selection.Run, results.Selection.Pair
}

// otherRun says in what two shards differ that those of one run have in common; "" if in nothing.
func otherRun(a, b Results, ofSources func(image string) bool) string {
	names := func(results Results) []string {
		var all []string
		for _, check := range results.Checks {
			all = append(all, check.Name)
		}
		return all
	}
	patternA, pairA := asked(a)
	patternB, pairB := asked(b)
	for _, each := range []struct {
		what string
		same bool
	}{
		{"the candidate", a.Candidate.Name == b.Candidate.Name && sameImage(a.Candidate, b.Candidate, ofSources)},
		{"the runtime", a.Candidate.Runtime == b.Candidate.Runtime},
		{"the room version", a.Candidate.RoomVersion == b.Candidate.RoomVersion},
		{"the version of the suite", a.Suite == b.Suite},
		{"the text or the catalogue", a.MSC == b.MSC},
		{"--run or --pair", patternA == patternB && pairA == pairB},
		{"--strict or --require-room-version", a.Strict == b.Strict && a.RequireRoomVersion == b.RequireRoomVersion},
		{"--evidence", a.EvidenceKept == b.EvidenceKept},
		{"the checks", reflect.DeepEqual(names(a), names(b))},
	} {
		if !each.same {
			return each.what
		}
	}
	return ""
}

// mergeChecks takes each check from the shard that it belongs to. Others may have judged it, too, because a step of theirs failed that it
// judges. Closing checks belong to all.
func mergeChecks(shards []shard, started time.Time) ([]verdict.CheckResult, map[string]int, error) {
	files := map[string]int{}
	var merged []verdict.CheckResult
	chosen := 0
	for i := range shards[0].Checks {
		closing := slices.ContainsFunc(shards, func(s shard) bool { return s.Checks[i].Closing })
		unselected := slices.ContainsFunc(shards, func(s shard) bool { // some shard may have judged it all the same, as a root
			return s.Checks[i].Reason == ReasonLeftOutByRun || s.Checks[i].Reason == ReasonLeftOutByPair
		})
		from := shards[0]
		switch {
		case closing:
			from = worstOf(shards, i)
		case unselected:
			for _, one := range shards {
				if !LeftOut(one.Checks[i].Verdict, one.Checks[i].Reason) {
					from = one
					break
				}
			}
		default:
			from = shards[chosen%len(shards)]
			chosen++
			if check := from.Checks[i]; check.Verdict == verdict.NotRun && strings.HasPrefix(check.Reason, ReasonLeftOutByShard) {
				return nil, nil, fmt.Errorf("shard %s should have judged %q, and did not: the shards are not of one run", from.Selection.Shard, check.Name)
			}
		}
		check := from.Checks[i]
		shift := from.Started.Sub(started).Milliseconds()
		for _, attempt := range []*verdict.CheckResult{&check, check.First} {
			if attempt == nil {
				continue
			}
			for _, file := range []string{attempt.Log, attempt.Transcript} {
				if file != "" {
					files[file] = from.index
				}
			}
		}
		if !check.Started.IsZero() {
			check.StartMS, check.EndMS = check.StartMS+shift, check.EndMS+shift
		}
		merged = append(merged, check)
	}
	for _, one := range shards {
		for _, file := range one.Evidence {
			if _, taken := files[file.Path]; !taken {
				files[file.Path] = one.index
			}
		}
	}
	return merged, files, nil
}

// worstOf returns the shard with the verdict of a closing check that counts for the run.
func worstOf(shards []shard, check int) shard {
	var all []verdict.Verdict
	for _, one := range shards {
		all = append(all, one.Checks[check].Verdict)
	}
	combined := verdict.Combine(all)
	for _, one := range shards {
		if one.Checks[check].Verdict == combined {
			return one
		}
	}
	return shards[0]
}

// catalogueOf returns the catalogue that results were made with.
func catalogueOf(results Results) Catalogue {
	catalogue := Catalogue{Version: results.MSC.Catalogue, MSCNumber: results.MSC.Number, MSCCommit: results.MSC.Commit}
	for _, r := range results.Requirements {
		catalogue.Requirements = append(catalogue.Requirements, CatalogueEntry{
			ID: r.ID, Chapter: r.Chapter, Kind: r.Kind, Own: r.Own, Since: r.Since, Demand: r.Demand, Source: r.Source, Links: r.Links,
			Readings: r.Possible, Faults: r.Faults, Consequence: r.Consequence,
		})
	}
	return catalogue
}
