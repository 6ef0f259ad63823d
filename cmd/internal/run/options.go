// Package run is the way of a run: from the command line's options to results, a summary and an exit status.
//
// This file is what can be asked, and what can be said against it before anything is started.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/report/baseline"
	"msc4014/runtime"
)

// The exit statuses.
const (
	StatusExpected = report.StatusExpected
	StatusWorse    = report.StatusWorse
	StatusCannot   = report.StatusCannot
)

// MostParallel is how many checks may run at once: more only wait for each other, on the largest machines too.
const MostParallel = 64

// Options are a run as it was asked for.
type Options struct {
	Candidates []string
	// OfVariables says that the candidate is what Complement's variables call so, and was not named.
	OfVariables    bool
	Pair           string // "A,B": two candidates side by side, in place of Candidates
	Runtime        string // "auto", "docker" or "process"
	Run            string
	Results        string
	Baseline       string
	UpdateBaseline bool
	Strict         bool
	// RequireRoomVersion makes a candidate without the room version one that the run could not judge.
	RequireRoomVersion bool
	Parallel           int
	Shuffle            int64
	Seed               uint64
	Shard              string
	Keep               bool
	Verbose            bool
}

// Candidate is a homeserver that the project knows how to make ready.
type Candidate struct {
	Typed string // as on the command line: "dendrite"
	Name  string // with its version: "dendrite@0.15.2"
	// Folder is Typed, and File is Name, spelled so that they are safe file names.
	Folder string
	File   string
	// Image is set if the candidate is any image: its name, with a tag or digest.
	Image string
	// Runtimes are those in which it can be started.
	Runtimes []string
	// Prepare makes it ready for a runtime, telling progress what it does in a line each.
	Prepare func(ctx context.Context, runtimeName string, progress func(string)) (runtime.Artifact, error)
}

// task is one candidate of a run, or two side by side, with everything decided that can be decided beforehand.
type task struct {
	typed        string             // as on the command line
	candidates   []Candidate        // one, or that of hs1 and that of hs2
	results      string             // its results folder
	baselineFile string             // where its baseline is, or would be
	expected     *baseline.Baseline // nil: it has none
	folder       *report.Folder     // of results, from open on
}

// validated is a run whose options make sense.
type validated struct {
	Options
	selection selection.Selection
	tasks     []task
}

// validate checks all options that can be checked without starting anything.
func (r *Runner) validate(options Options) (*validated, error) {
	v := &validated{Options: options}
	var err error
	switch options.Runtime {
	case "auto", "docker", "process":
	default:
		return nil, fmt.Errorf("--runtime %q: it is one of auto, docker, process", options.Runtime)
	}
	if v.selection, err = selection.New(options.Run, options.Shard, options.Pair != ""); err != nil {
		return nil, err
	}
	if options.Parallel < 0 || options.Parallel > MostParallel {
		return nil, fmt.Errorf("--parallel %d: it is a number of checks, from 1 to %d", options.Parallel, MostParallel)
	}
	if options.Pair != "" {
		v.tasks, err = r.pair(options)
		return v, err
	}
	if options.Baseline != "" && len(options.Candidates) > 1 {
		return nil, errors.New("--baseline names the file of one candidate; run the candidates one at a time with it")
	}
	seen, folders := map[string]string{}, map[string]string{}
	for _, typed := range options.Candidates {
		candidate, err := r.Parse(typed)
		if err != nil {
			return nil, err
		}
		switch other, again := seen[candidate.Name]; {
		case again && other == typed:
			return nil, fmt.Errorf("candidate %s is named twice", typed)
		case again:
			return nil, fmt.Errorf("%s and %s are the same candidate, %s; name it once", other, typed, candidate.Name)
		}
		seen[candidate.Name] = typed
		one, err := r.task(options, typed, candidate)
		if err != nil {
			return nil, err
		}
		if other, taken := folders[one.results]; taken {
			return nil, fmt.Errorf("%s and %s would both have their results in %s; run them one at a time, with --results", other, typed, one.results)
		}
		folders[one.results] = typed
		v.tasks = append(v.tasks, one)
	}
	return v, nil
}

// task decides where the results and the baseline of one candidate, or of two side by side, are, and reads the baseline.
func (r *Runner) task(options Options, typed string, candidates ...Candidate) (task, error) {
	var folders, files []string
	for _, candidate := range candidates {
		if wanted := options.Runtime; wanted != "auto" && !slices.Contains(candidate.Runtimes, wanted) {
			return task{}, fmt.Errorf("%s cannot be started with --runtime %s, only with --runtime %s", candidate.Typed, wanted,
				strings.Join(candidate.Runtimes, " or "))
		}
		folders, files = append(folders, candidate.Folder), append(files, candidate.File)
	}
	// A candidate's safe name has no +.
	folder, file := strings.Join(folders, "+"), strings.Join(files, "+")
	one := task{typed: typed, candidates: candidates}
	switch {
	case options.Results == "":
		one.results = filepath.Join(r.Root, "results", folder)
	case options.Pair != "" || len(options.Candidates) > 1:
		one.results = filepath.Join(options.Results, folder)
	default:
		one.results = options.Results
	}
	one.baselineFile = options.Baseline
	if one.baselineFile == "" {
		one.baselineFile = filepath.Join(r.Root, "baselines", file+".json")
	}
	var err error
	one.expected, err = baseline.Load(one.baselineFile)
	if errors.Is(err, os.ErrNotExist) && (options.Baseline == "" || options.UpdateBaseline) {
		err = nil
	}
	return one, err
}
