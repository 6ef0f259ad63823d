package run

// The outcome of a run: compares it with the baseline, or updates the baseline, and derives the exit status.

import (
	"fmt"
	"path/filepath"
	"strings"

	"msc4014/report"
	"msc4014/report/baseline"
)

// outcome is one candidate's results and what they mean for the exit status.
type outcome struct {
	summarised report.Summarised
	status     int
	words      []string // lines printed below the summary
	unjudged   []string // why a complete run judged nothing: StatusCannot
}

// decide compares results with the baseline, or updates the baseline, and derives the exit status.
func (r *Runner) decide(m *made, one task, results report.Results) (*outcome, error) {
	file := ""
	if one.expected != nil {
		file = relativeTo(r.Root, one.baselineFile)
	}
	results.Strict, results.RequireRoomVersion = m.Strict, m.RequireRoomVersion
	comparison := baseline.Compare(one.expected, file, results)
	results.Baseline = &comparison
	result := &outcome{}
	if m.UpdateBaseline {
		updated, err := r.update(one, &results)
		if err != nil {
			return nil, err
		}
		result.words = updated
	}
	exit := report.ExitOf(results)
	results.Exit = &exit
	result.summarised = report.Summarised{Results: results, Folder: r.shown(one.results)}
	result.status = exit.Status
	unjudged := report.Unjudged(results)
	if results.Incomplete == "" {
		result.unjudged = unjudged
	}
	for _, reason := range exit.Reasons[len(unjudged):] {
		result.words = append(result.words, results.Candidate.Name+": "+reason)
	}
	return result, nil
}

// update writes results into the baseline of a task, compares them with it again, and returns lines that report this. If
// the results are unfit for a baseline, it changes nothing and reports why. It returns an error if the baseline cannot be
// written.
func (r *Runner) update(one task, results *report.Results) (words []string, err error) {
	name := results.Candidate.Name
	if results.RequireRoomVersion && results.Candidate.RoomVersion == "" {
		return []string{name + ": the baseline was not updated: the candidate does not have the required room version"}, nil
	}
	updated, refusal := baseline.Update(one.expected, *results)
	if refusal != nil {
		return []string{name + ": " + refusal.Error()}, nil
	}
	if err := updated.Save(one.baselineFile); err != nil {
		return nil, err
	}
	file := relativeTo(r.Root, one.baselineFile)
	words = append(words, fmt.Sprintf("%s: wrote %s: %d changed, %d new",
		name, file, len(results.Baseline.Differences), len(results.Baseline.New)))
	if todo := updated.Unreviewed(); todo > 0 {
		words = append(words, fmt.Sprintf("%s: replace the reasons in it that begin with %q: %d", name,
			strings.TrimSpace(baseline.Todo), todo))
	}
	comparison := baseline.Compare(updated, file, *results)
	results.Baseline = &comparison
	return words, nil
}

// shown returns a path as the user sees it: relative to the working directory if it is below that.
func (r *Runner) shown(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		return relativeTo(r.Folder, absolute)
	}
	return path
}

// relativeTo returns path relative to folder if it is below folder, else path.
func relativeTo(folder, path string) string {
	if relative, err := filepath.Rel(folder, path); err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}
