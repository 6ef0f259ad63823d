// Package run makes runs: it turns command-line options into results, a summary and an exit status.
//
// This file defines the options and validates them before anything is started.
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

// MostParallel bounds how many checks may run at once: more would only wait for each other, even on the largest machines.
const MostParallel = 64

// MostRepeats bounds how often a check runs.
const MostRepeats = 100

// Options describe a run as requested.
type Options struct {
	Candidates []string
	// OfVariables reports that Complement's variables selected the candidate, rather than the command line.
	OfVariables    bool
	Pair           string // "A,B": two candidates in one deployment, instead of Candidates
	Runtime        string // "auto", "docker" or "process"
	Run            string
	Results        string
	Baseline       string
	UpdateBaseline bool
	Strict         bool
	// RequireRoomVersion makes the run end with StatusCannot if the candidate does not have the room version.
	RequireRoomVersion bool
	// RoomVersion is the identifier of the room version to judge; "" means the deployed one.
	RoomVersion string
	// WithClients also runs the checks that use real client software.
	WithClients bool
	Parallel    int
	Shuffle     int64
	Seed        uint64
	Repeat      int // of each selected check; 0 and 1 mean once
	Sessions    int // of twins, from Seed on; 0 for those of a usual run
	Shard       string
	Keep        bool
	// Evidence is "needed" or EvidenceAll; "" means "needed".
	Evidence string
	Verbose  bool
}

// several reports whether a run of the options has more than one results folder.
func (o Options) several() bool { return o.Pair != "" || len(o.Candidates) > 1 }

// Candidate is a homeserver that the project can prepare.
type Candidate struct {
	Typed string // as on the command line: "dendrite"
	Name  string // with its version: "dendrite@0.15.2"
	// Folder is Typed, and File is Name, both escaped to be safe file names.
	Folder string
	File   string
	// Image is set if the candidate is an arbitrary image: its name, with a tag or digest.
	Image string
	// Runtimes are the runtimes that can start it.
	Runtimes []string
	// Prepare makes it ready for a runtime, and reports each step to progress in one line.
	Prepare func(ctx context.Context, runtimeName string, progress func(string)) (runtime.Artifact, error)
}

// task is one candidate of a run, or the two of a pair, with everything that can be decided in advance.
type task struct {
	typed        string             // as on the command line
	candidates   []Candidate        // one, or those of hs1 and hs2
	results      string             // its results folder
	baselineFile string             // path of its baseline, which need not exist
	expected     *baseline.Baseline // nil: there is none
	folder       *report.Folder     // of results, once open has run
}

// validated is a run with valid options.
type validated struct {
	Options
	selection selection.Selection
	tasks     []task
}

// validate checks the options as far as possible without starting anything.
func (r *Runner) validate(options Options) (*validated, error) {
	v := &validated{Options: options}
	var err error
	switch options.Runtime {
	case "auto", "docker", "process":
	default:
		return nil, fmt.Errorf("--runtime %q: must be one of auto, docker, process", options.Runtime)
	}
	switch options.Evidence {
	case "", "needed", report.EvidenceAll:
	default:
		return nil, fmt.Errorf("--evidence %q: must be one of needed, %s", options.Evidence, report.EvidenceAll)
	}
	if v.selection, err = selection.New(options.Run, options.Shard, options.Pair != ""); err != nil {
		return nil, err
	}
	if options.Parallel < 0 || options.Parallel > MostParallel {
		return nil, fmt.Errorf("--parallel %d: must be a number of checks from 1 to %d", options.Parallel, MostParallel)
	}
	if options.Repeat < 0 || options.Repeat > MostRepeats {
		return nil, fmt.Errorf("--repeat %d: must be a number of times from 1 to %d", options.Repeat, MostRepeats)
	}
	if options.Repeat > 1 && (options.UpdateBaseline || options.Shard != "") {
		return nil, errors.New("--repeat goes neither with --update-baseline nor with --shard: it looks for checks that are unsteady")
	}
	if options.Pair != "" {
		v.tasks, err = r.pair(options)
		return v, err
	}
	if options.Baseline != "" && len(options.Candidates) > 1 {
		return nil, errors.New("--baseline names the file of one candidate; run the candidates one at a time")
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
			return nil, fmt.Errorf("%s and %s would both write results to %s; run them one at a time, with --results", other, typed, one.results)
		}
		folders[one.results] = typed
		v.tasks = append(v.tasks, one)
	}
	return v, nil
}

// task determines the results folder and baseline file of one candidate, or of a pair, and reads the baseline.
func (r *Runner) task(options Options, typed string, candidates ...Candidate) (task, error) {
	var files []string
	for _, candidate := range candidates {
		if wanted := options.Runtime; wanted != "auto" && !slices.Contains(candidate.Runtimes, wanted) {
			return task{}, fmt.Errorf("%s cannot be started with --runtime %s, only with --runtime %s", candidate.Typed, wanted,
				strings.Join(candidate.Runtimes, " or "))
		}
		files = append(files, candidate.File)
	}
	file := strings.Join(files, "+") // the safe name of a candidate contains no +
	one := task{typed: typed, candidates: candidates, results: r.resultsOf(options, candidates...)}
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
