package prove

// Mutants: the suite runs against changes of the reference's source that nobody chose (faults/mutation), and must notice them. One
// program has all mutants of a sample; each trial turns one on (mutanttrial.go). What has been tried is written after each trial, so
// that the next run with the same seed continues (mutantscore.go).

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"msc4014/faults/mutation"
	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/runtime"
)

// defaultParallelMutants is the default number of parallel trials of mutants. Unlike those of faults, each runs the whole suite.
const defaultParallelMutants = 4

// MutantOptions describe a trial of mutants as requested.
type MutantOptions struct {
	Count    int    // how many mutants
	Seed     uint64 // which
	Only     string // the ID of the only mutant to try, in place of a sample
	Run      string // a regular expression for files and functions; "" for all
	Results  string // the folder for results; "" for results/prove/mutants-SEED, or mutant-ID
	Parallel int    // trials in parallel; 0 for the default
	Verbose  bool
}

// mutating is a trial of mutants in progress.
type mutating struct {
	*proving
	sites   []*mutation.Site  // those that are tried
	why     map[string]string // mutants are equivalent, by ID
	score   *Mutants
	earlier time.Duration    // that the results which it continues took
	program runtime.Artifact // with all of sites that have no result yet
	numbers map[string]int   // of the mutants in program, by ID
	expects expectation

	mu     sync.Mutex
	known  map[string]Mutant         // results, by ID
	killed map[string]map[string]int // how many mutants of a file each check noticed, by file ("" for all) and check
}

// Mutants tries mutants and returns the exit status: StatusProven if the suite notices enough of them. An error means StatusCannot, and
// its text is for the user. When ctx is done it ends, and the next run continues.
func (p *Prover) Mutants(ctx context.Context, options MutantOptions) (status int, err error) {
	m := &mutating{
		proving: &proving{Prover: p, coverage: coverage{catalogue: p.Catalogue}, results: options.Results, parallel: options.Parallel, verbose: options.Verbose},
		numbers: map[string]int{}, known: map[string]Mutant{}, killed: map[string]map[string]int{},
	}
	if err := checkParallel(options.Parallel); err != nil {
		return StatusCannot, err
	}
	if m.parallel == 0 {
		m.parallel = defaultParallelMutants
	}
	if m.results == "" {
		name := "mutants-" + strconv.FormatUint(options.Seed, 10)
		if options.Only != "" {
			name = "mutant-" + options.Only
		}
		m.results = filepath.Join(p.Root, "results", "prove", name)
	}
	all, err := p.Sites(ctx)
	if err != nil {
		return StatusCannot, err
	}
	if m.why, err = mutation.Match(p.Equivalents, all); err != nil {
		return StatusCannot, err
	}
	if m.sites, err = chosenSites(all, options); err != nil {
		return StatusCannot, err
	}
	folder, err := m.open()
	if err != nil {
		return StatusCannot, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	m.progress = report.NewProgress(p.Stdout, p.Environment, options.Verbose)
	defer m.progress.Close()
	if err := m.prepare(ctx); err != nil {
		return StatusCannot, err
	}
	sources, err := m.sources(all)
	if err != nil {
		return StatusCannot, err
	}
	m.score = &Mutants{
		Schema: 1, Suite: p.Suite, Seed: options.Seed, Count: options.Count, Run: options.Run, Sources: sources, Started: time.Now().UTC(),
		Parallel: m.parallel, Sites: len(all),
	}
	if options.Only == "" {
		if err := m.resume(); err != nil {
			return StatusCannot, err
		}
	}
	defer context.AfterFunc(ctx, func() {
		m.say(context.Cause(ctx).Error() + ": cleaning up (press Ctrl-C again to quit immediately)")
	})()
	if err := m.tryAll(ctx, folder.Staging(), options.Only == ""); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return StatusCannot, err
	}
	m.progress.Close()
	m.weigh()
	file, err := m.save()
	if err != nil {
		return StatusCannot, err
	}
	if options.Only != "" {
		return m.writeOne(p.Stdout, m.score.Mutants[0])
	}
	if err := m.score.Write(p.Stdout, report.StyleFor(p.Stdout, p.Environment), p.shown(file)); err != nil {
		return StatusCannot, fmt.Errorf("cannot write the results: %w", err)
	}
	if len(m.score.Problems) > 0 {
		return StatusUnproven, nil
	}
	return StatusProven, nil
}

// chosenSites returns the sites to try.
func chosenSites(all []*mutation.Site, options MutantOptions) ([]*mutation.Site, error) {
	if options.Only != "" {
		at := slices.IndexFunc(all, func(one *mutation.Site) bool { return one.ID() == options.Only })
		if at < 0 {
			return nil, fmt.Errorf("there is no mutant %q; ./run.sh prove --mutants N shows the IDs of those that it tries, and they "+
				"change with the lines that they change", options.Only)
		}
		return all[at : at+1], nil
	}
	pattern, err := regexp.Compile(options.Run)
	if err != nil {
		return nil, fmt.Errorf("--run %q is not a valid regular expression: %w", options.Run, err)
	}
	matching := slices.DeleteFunc(slices.Clone(all), func(one *mutation.Site) bool {
		return !pattern.MatchString(one.File) && !pattern.MatchString(one.Function)
	})
	if len(matching) == 0 {
		return nil, fmt.Errorf("--run %q matches no file and no function in %s", options.Run, strings.Join(mutation.Packages, ", "))
	}
	return mutation.Sample(matching, options.Seed, options.Count), nil
}

// sources returns a hash of everything that results depend on: the suite, the reference, and how it is changed.
func (m *mutating) sources(all []*mutation.Site) (string, error) {
	sum := sha256.New()
	for _, file := range []string{m.binary, m.reference.Program} {
		if err := addFile(sum, file); err != nil {
			return "", fmt.Errorf("cannot tell whether sources have changed: %w", err)
		}
	}
	overlay := mutation.Overlay(all)
	for _, name := range slices.Sorted(maps.Keys(overlay)) {
		fmt.Fprintf(sum, "%s %d\n%s", name, len(overlay[name]), overlay[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

func addFile(w io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return errors.Join(err, file.Close())
}

// build builds the program with the mutants that have no result yet.
func (m *mutating) build(ctx context.Context, untried []*mutation.Site) error {
	for i, one := range untried {
		m.numbers[one.ID()] = i + 1
	}
	m.progress.Doing(fmt.Sprintf("building the reference with %d mutants", len(untried)))
	var err error
	m.program, err = m.PrepareWith(ctx, mutation.Overlay(untried), func(line string) {
		if m.verbose {
			m.say(line)
		}
	})
	return err
}

// tryAll tries the mutants that have no result yet. scratch is a folder for temporary files. If sampled is set, the reference without
// a mutant comes first; it tells which mutants are reached, and the others are not tried.
func (m *mutating) tryAll(ctx context.Context, scratch string, sampled bool) error {
	untried := slices.DeleteFunc(slices.Clone(m.sites), func(one *mutation.Site) bool { return m.known[one.ID()].Outcome != "" })
	if len(untried) == 0 {
		return nil
	}
	if err := m.build(ctx, untried); err != nil {
		return err
	}
	if !sampled {
		m.expects = expectDefaults()
		return m.tryOnly(ctx, untried[0], scratch)
	}
	m.progress.Begin()
	m.progress.Doing("running the suite without a mutant, to learn which are reached")
	reached, err := m.unmutated(ctx, scratch)
	if err != nil {
		return err
	}
	var queued []*mutation.Site
	for _, one := range untried {
		if reached[m.numbers[one.ID()]] {
			queued = append(queued, one)
		} else {
			m.known[one.ID()] = Mutant{Outcome: NotReached}
		}
	}
	if len(queued) < len(untried) {
		m.say(fmt.Sprintf("mutants that no check reaches: %d", len(untried)-len(queued)))
	}
	m.weigh()
	if _, err := m.save(); err != nil {
		return err
	}
	return m.tryReached(ctx, queued)
}

// tryReached tries mutants side by side.
func (m *mutating) tryReached(ctx context.Context, queued []*mutation.Site) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m.progress.Begin()
	m.progress.Handle(verdict.Event{Kind: verdict.KindPlan, Total: len(queued)})
	queue := make(chan *mutation.Site, len(queued))
	for _, one := range queued {
		queue <- one
	}
	close(queue)
	var workers sync.WaitGroup
	for range min(m.parallel, len(queued)) {
		workers.Go(func() {
			for one := range queue {
				if ctx.Err() != nil {
					return
				}
				name := "mutant " + one.ID() + ", " + one.Place()
				m.progress.Handle(verdict.Event{Kind: verdict.KindCheckStart, Check: name})
				result, err := m.try(ctx, one)
				if err == nil {
					err = m.keep(one, result)
				}
				if err != nil {
					cancel(fmt.Errorf("%s: %w", name, err))
					return
				}
				m.progress.Handle(verdict.Event{Kind: verdict.KindCheckDone, Check: name, Result: result.shown(name, one.Rule)})
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// keep records a result and writes all of them.
func (m *mutating) keep(one *mutation.Site, result Mutant) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.learn(one.ID(), one.File, result)
	m.weigh()
	_, err := m.save()
	return err
}

// learn takes a result into account.
func (m *mutating) learn(id, file string, result Mutant) {
	m.known[id] = result
	if result.By == nil || result.By.Check == "" {
		return
	}
	for _, of := range []string{file, ""} {
		if m.killed[of] == nil {
			m.killed[of] = map[string]int{}
		}
		m.killed[of][result.By.Check]++
	}
}

// likely returns the checks that noticed other mutants: those that noticed most of a file first, then those that noticed most.
func (m *mutating) likely(file string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Keys(m.killed[""]), func(a, b string) int {
		return cmp.Or(cmp.Compare(m.killed[file][b], m.killed[file][a]), cmp.Compare(m.killed[""][b], m.killed[""][a]), cmp.Compare(a, b))
	})
}
