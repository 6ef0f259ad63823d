package main

// A comparison: check out both commits, run each once to build what it needs, then measure them alternately.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
)

// side is one of the two commits.
type side struct {
	label  string // "before" or "after"
	commit string
	folder string // its checkout
	runs   []measured
}

// measured is one run.
type measured struct {
	wall   time.Duration
	spent  times
	checks []string // that were judged, by name
	drawn  []string // those of them that are not of the checks in common: failed steps drew them in
}

// perCheck returns the machine's CPU time per check.
func (m measured) perCheck() time.Duration {
	return m.spent.busy / time.Duration(max(len(m.checks), 1))
}

// compare makes the comparison in a temporary folder, which it removes.
func compare(ctx context.Context, wanted options, out, progress io.Writer) (err error) {
	repository, err := findRepository(ctx)
	if err != nil {
		return err
	}
	sides := []*side{{label: "before"}, {label: "after"}}
	for i, name := range []string{wanted.before, wanted.after} {
		if sides[i].commit, err = repository.commit(ctx, name); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp("", "msc4014-measure-") // accessible to its owner only, as a state folder must be
	if err != nil {
		return err
	}
	runner := runner{wanted: wanted, work: work, progress: progress}
	defer func() {
		if runner.abandoned {
			err = errors.Join(err, fmt.Errorf("a run had to be killed: MSC4014_STATE_DIR=%s ./run.sh clean removes what it left behind; then remove %s",
				runner.state(), work))
			return
		}
		err = errors.Join(err, os.RemoveAll(work))
	}()
	for _, each := range sides {
		each.folder = filepath.Join(work, each.label)
		if err := repository.checkOut(ctx, each.commit, each.folder); err != nil {
			return err
		}
	}
	if err := measure(ctx, &runner, sides, progress); err != nil {
		return err
	}
	return write(out, wanted, sides)
}

// measure runs each side once unmeasured, then both alternately.
func measure(ctx context.Context, r *runner, sides []*side, progress io.Writer) error {
	var judged [][]string
	for _, each := range sides {
		_, _ = fmt.Fprintf(progress, "%s (%.12s): building, and running once without measuring\n", each.label, each.commit)
		first, err := r.run(ctx, each, "")
		if err != nil {
			return err
		}
		judged = append(judged, first.checks)
	}
	pattern := ""
	both := inBoth(judged[0], judged[1])
	switch {
	case len(both) == 0:
		return errors.New("the two commits have no check in common")
	case len(both) < max(len(judged[0]), len(judged[1])):
		_, _ = fmt.Fprintf(progress, "before judges %d checks and after %d; both run the %d in common\n", len(judged[0]), len(judged[1]), len(both))
		pattern = selection.Exactly(both)
	}
	for round := range r.wanted.runs {
		turn := slices.Clone(sides)
		if round%2 == 1 { // so that changes over time affect both alike
			slices.Reverse(turn)
		}
		for _, each := range turn {
			run, err := r.run(ctx, each, pattern)
			if err != nil {
				return err
			}
			if missing := len(both) - len(inBoth(both, run.checks)); missing > 0 {
				return fmt.Errorf("%s: %d of %d checks were not judged this time; figures for different checks cannot be compared", each.label, missing, len(both))
			}
			run.drawn = slices.DeleteFunc(slices.Clone(run.checks), func(name string) bool { return slices.Contains(both, name) })
			each.runs = append(each.runs, run)
			_, _ = fmt.Fprintf(progress, "%d of %d, %s\n", round+1, r.wanted.runs, figures(each.label, run))
		}
	}
	return nil
}

// inBoth returns the names in both lists, in the order of the first.
func inBoth(one, other []string) []string {
	var both []string
	for _, name := range one {
		if slices.Contains(other, name) {
			both = append(both, name)
		}
	}
	return both
}

// judgedIn returns the checks that a run judged.
func judgedIn(results report.Results) []string {
	var names []string
	for _, check := range results.Checks {
		if check.Verdict != verdict.NotRun {
			names = append(names, check.Name)
		}
	}
	return names
}
