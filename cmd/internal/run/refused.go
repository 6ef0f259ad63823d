package run

// Runs that are refused before their results folders are claimed: the results of earlier runs in these folders must not pass for
// theirs.

import (
	"errors"
	"slices"
	"strings"

	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/page"
)

// Refuse stores why a run with these options is not made wherever an earlier run left results in its place. It makes no folder:
// where nothing is, nothing looks new. An error means that earlier results could not be replaced.
func (r *Runner) Refuse(options Options, why error) error {
	catalogue, _ := r.Catalogue() // a catalogue that cannot be read may be the reason
	selected, _ := selection.New(options.Run, options.Shard, options.Pair != "")
	var problems []error
	tasks := r.refusable(options)
	for _, one := range tasks {
		problems = append(problems, report.Supersede(one.results, r.resultsWithout(selected, catalogue, why, one), page.WriteOwn))
	}
	// A live run that uses one of the folders may just have written its report of all.
	inUse := slices.ContainsFunc(tasks, func(one task) bool {
		_, running, err := report.Running(one.results)
		return err == nil && running
	})
	if options.several() && !inUse {
		problems = append(problems, page.Remove(r.resultsOfAll(options)))
	}
	return errors.Join(problems...)
}

// refusable returns the tasks of options that need not be valid, as far as their results folders are known.
func (r *Runner) refusable(options Options) []task {
	named := func(typed string) Candidate {
		candidate, err := r.Parse(typed)
		if err != nil && candidate.Name == "" {
			candidate.Name = typed
		}
		return candidate
	}
	var tasks []task
	add := func(candidates ...Candidate) {
		one := task{candidates: candidates, results: r.resultsOf(options, candidates...)}
		again := slices.ContainsFunc(tasks, func(other task) bool { return other.results == one.results })
		if one.results != "" && !again {
			tasks = append(tasks, one)
		}
	}
	if options.Pair != "" {
		if first, second, found := strings.Cut(options.Pair, ","); found {
			add(named(first), named(second))
			add(named(second), named(first))
		}
		return tasks
	}
	for _, typed := range options.Candidates {
		add(named(typed))
	}
	return tasks
}
