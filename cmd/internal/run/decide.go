package run

// What a run came to: compared with its baseline, or taken over into it, and the exit status of that.

import (
	"fmt"
	"path/filepath"
	"strings"

	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/report/baseline"
)

// outcome is one candidate's results, with what they mean for the exit status.
type outcome struct {
	summarised report.Summarised
	status     int
	words      []string // what stands under the summary, a line each
}

// decide compares results with the baseline, or updates the baseline, and derives the exit status.
func (r *Runner) decide(m *made, one task, results report.Results) (*outcome, error) {
	result := &outcome{summarised: report.Summarised{Folder: r.shown(one.results)}}
	file := ""
	if one.expected != nil {
		file = relativeTo(r.Root, one.baselineFile)
	}
	comparison := baseline.Compare(one.expected, file, results)
	name := results.Candidate.Name
	switch {
	case m.UpdateBaseline && results.Incomplete == "":
		updated, err := baseline.Update(one.expected, results)
		if err != nil {
			result.worse("%s: %s", name, err)
			break
		}
		if err := updated.Save(one.baselineFile); err != nil {
			return nil, err
		}
		file = relativeTo(r.Root, one.baselineFile)
		result.words = append(result.words, fmt.Sprintf("%s: wrote %s: %d changed, %d new",
			name, file, len(comparison.Differences), len(comparison.New)))
		if todo := updated.Unreviewed(); todo > 0 {
			result.words = append(result.words, fmt.Sprintf(
				"%s: reasons in it that begin with %q, to be put into words: %d", name,
				strings.TrimSpace(baseline.Todo), todo))
		}
		comparison = baseline.Compare(updated, file, results)
	case len(comparison.Differences) > 0:
		result.worse("%s", verdictOnBaseline(name, comparison))
	}
	if results.Counts[verdict.Error] > 0 && results.Incomplete == "" {
		result.worse("%s: the suite or the machine failed, not the candidate, in checks that are an error: %d", name,
			results.Counts[verdict.Error])
	}
	if failed := failures(results); m.Strict && failed > 0 {
		result.worse("%s: --strict, and requirements that fail: %d", name, failed)
	}
	if results.Incomplete != "" {
		result.status = StatusCannot
	}
	results.Baseline = &comparison
	result.summarised.Results = results
	return result, nil
}

// worse notes a reason for StatusWorse.
func (o *outcome) worse(format string, arguments ...any) {
	o.status = StatusWorse
	o.words = append(o.words, fmt.Sprintf(format, arguments...))
}

// failures counts the requirements that fail, and the failed checks if no requirement of theirs is known.
func failures(results report.Results) int {
	return max(results.RequirementCounts[verdict.Fail], min(results.Counts[verdict.Fail], 1))
}

// verdictOnBaseline says in one line what a difference from the baseline means and what to do about it.
func verdictOnBaseline(name string, comparison report.Comparison) string {
	for _, difference := range comparison.Differences {
		if difference.Kind == report.Worse {
			if comparison.File == "" {
				return name + ": it has failures, and no baseline that expects them (--update-baseline makes one)"
			}
			return fmt.Sprintf("%s: worse than its baseline %s", name, comparison.File)
		}
	}
	return fmt.Sprintf("%s: its baseline %s is out of date; if this is right, run with --update-baseline", name,
		comparison.File)
}

// shown is a path as it is told to whoever called: relative to where they are, when it is below that.
func (r *Runner) shown(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		return relativeTo(r.Folder, absolute)
	}
	return path
}

// relativeTo is path relative to folder when it is below it.
func relativeTo(folder, path string) string {
	if relative, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}
