package run

// The results folders of a run: they are claimed before anything is built or started, and describe this run from then on.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/report/page"
)

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
	return r.unmade(m, fmt.Errorf("%s (process %d)", report.ReasonNotEnded, os.Getpid()), m.tasks...)
}

// unmade stores results without verdicts for tasks, with the reason.
func (r *Runner) unmade(m *made, why error, tasks ...task) error {
	var problems []error
	for _, one := range tasks {
		var names []string
		for _, candidate := range one.candidates {
			names = append(names, candidate.Name)
		}
		run := report.Run{
			Suite: r.Suite, Started: time.Now(), Selection: m.selection,
			Notes: r.Notices, Candidate: verdict.Candidate{Name: strings.Join(names, ",")},
		}
		problems = append(problems, one.folder.Keep(report.Unmade(run, m.catalogue, why.Error())))
	}
	return errors.Join(problems...)
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
	into := m.Options.Results
	if into == "" {
		into = filepath.Join(r.Root, "results")
	}
	if err := page.WriteSources(into, sources); err != nil {
		return "", err
	}
	return filepath.Join(into, report.HTMLFile), nil
}
