package run

// The results folders of a run: they are claimed before anything is built or started, and describe this run from then on.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/page"
)

// resultsOf returns the results folder of one candidate, or of a pair; "" if it depends on a candidate of which nothing is known.
func (r *Runner) resultsOf(options Options, candidates ...Candidate) string {
	var names []string
	for _, candidate := range candidates {
		names = append(names, candidate.Folder)
	}
	switch {
	case options.Results != "" && !options.several():
		return options.Results
	case slices.Contains(names, ""):
		return ""
	}
	return filepath.Join(r.resultsOfAll(options), strings.Join(names, "+"))
}

// resultsOfAll returns the folder that has those of the candidates of a run.
func (r *Runner) resultsOfAll(options Options) string {
	if options.Results == "" {
		return filepath.Join(r.Root, "results")
	}
	return options.Results
}

// open claims the results folders of all tasks, or none.
func (m *made) open() (err error) {
	for i := range m.tasks {
		if m.tasks[i].folder, err = report.OpenFolder(m.tasks[i].results); err != nil {
			return errors.Join(err, m.close())
		}
		m.tasks[i].folder.Forms = page.WriteOwn
	}
	return nil
}

// close releases the results folders.
func (m *made) close() error {
	var problems []error
	for _, one := range m.tasks {
		if one.folder != nil {
			problems = append(problems, one.folder.Close())
		}
	}
	return errors.Join(problems...)
}

// begin replaces the results of earlier runs with results that have no verdict yet.
func (r *Runner) begin(m *made) error {
	err := r.unmade(m, fmt.Errorf("%s (process %d)", report.ReasonNotEnded, os.Getpid()), m.tasks...)
	if m.several() { // a run that judges fewer than two candidates writes no report of all
		err = errors.Join(err, page.Remove(r.resultsOfAll(m.Options)))
	}
	return err
}

// unmade stores results without verdicts for tasks, with the reason.
func (r *Runner) unmade(m *made, why error, tasks ...task) error {
	var problems []error
	for _, one := range tasks {
		problems = append(problems, one.folder.Keep(r.resultsWithout(m.selection, m.catalogue, why, one)))
	}
	return errors.Join(problems...)
}

// resultsWithout returns results of a task that have no verdict, for the reason why.
func (r *Runner) resultsWithout(selected selection.Selection, catalogue report.Catalogue, why error, one task) report.Results {
	var names []string
	for _, candidate := range one.candidates {
		names = append(names, candidate.Name)
	}
	run := report.Run{
		Suite: r.Suite, Started: time.Now(), Selection: selected,
		Notes: r.Notices, Candidate: verdict.Candidate{Name: strings.Join(names, ",")},
	}
	return report.Unmade(run, catalogue, why.Error())
}

// reportOnAll writes one report over the candidates of a run, into the folder that has their results, and returns its file.
func (r *Runner) reportOnAll(m *made, judged []report.Summarised) (file string, err error) {
	var sources []page.Source
	for _, one := range judged {
		sources = append(sources, page.Source{Results: one.Results, Folder: filepath.Join(r.Folder, one.Folder)})
		if filepath.IsAbs(one.Folder) {
			sources[len(sources)-1].Folder = one.Folder
		}
	}
	into := r.resultsOfAll(m.Options)
	if err := page.WriteSources(into, sources); err != nil {
		return "", err
	}
	return filepath.Join(into, report.HTMLFile), nil
}
