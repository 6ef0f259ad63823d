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

// defaultParallelMutants is the default number of parallel trials of mutants. Unlike those of faults, most run the whole suite.
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
	usual   *setting         // with the default readings
	others  []*setting       // with others; after learnAll, those that reach the fewest mutants come first

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
	m.usual, m.others = m.settings()
	sources, err := m.sources(all)
	if err != nil {
		return StatusCannot, err
	}
	m.score = &Mutants{
		Schema: mutantsSchema, Suite: p.Suite, Seed: options.Seed, Count: options.Count, Run: options.Run, Sources: sources,
		Started: time.Now().UTC(), Parallel: m.parallel, Sites: len(all),
	}
	if options.Only != "" {
		m.score.Seed, m.score.Count = 0, 0
		err = setAside(m.results, MutantsFile, earlierMutantsFile)
	} else {
		err = m.resume()
	}
	if err != nil {
		return StatusCannot, err
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
	status = m.score.status()
	if options.Only != "" {
		one := m.score.Mutants[0]
		status, err = one.status(), one.writeAlone(p.Stdout, p.shown(m.results))
	} else {
		err = m.score.Write(p.Stdout, report.StyleFor(p.Stdout, p.Environment), p.shown(file))
	}
	if err != nil {
		return StatusCannot, fmt.Errorf("cannot write the results: %w", err)
	}
	return status, nil
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

// sources returns a hash of everything that results depend on: this program, which judges, the suite, the reference, and how it is
// changed.
func (m *mutating) sources(all []*mutation.Site) (string, error) {
	sum := sha256.New()
	for _, file := range []string{m.Program, m.binary, m.reference.Program} {
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
	m.progress.Doing(fmt.Sprintf("building the reference with mutants: %d", len(untried)))
	var err error
	m.program, err = m.PrepareWith(ctx, mutation.Overlay(untried), func(line string) {
		if m.verbose {
			m.say(line)
		}
	})
	return err
}

// tryAll tries the mutants that have no result yet. scratch is a folder for temporary files. If sampled is set, the reference without
// a mutant comes first, in each setting; it tells which mutants are reached, and the others are not tried.
func (m *mutating) tryAll(ctx context.Context, scratch string, sampled bool) error {
	untried := slices.DeleteFunc(slices.Clone(m.sites), func(one *mutation.Site) bool { return m.known[one.ID()].Outcome != "" })
	if len(untried) == 0 {
		return nil
	}
	if err := m.build(ctx, untried); err != nil {
		return err
	}
	if !sampled {
		return m.tryOnly(ctx, untried[0], scratch)
	}
	if err := m.learnAll(ctx, scratch); err != nil {
		return err
	}
	queue := make(chan *mutation.Site, len(untried))
	for _, one := range untried {
		if len(m.settingsOf(one)) > 0 {
			queue <- one
		} else {
			m.known[one.ID()] = Mutant{Outcome: NotReached}
		}
	}
	close(queue)
	if missed := len(untried) - len(queue); missed > 0 {
		m.say(fmt.Sprintf("mutants that no check reaches: %d", missed))
	}
	m.weigh()
	if _, err := m.save(); err != nil {
		return err
	}
	name := func(one *mutation.Site) string { return "mutant " + one.ID() + ", " + one.Place() }
	return inParallel(ctx, m.proving, len(queue), func(context.Context) <-chan *mutation.Site { return queue }, name,
		func(ctx context.Context, one *mutation.Site) (*verdict.CheckResult, error) {
			result, err := m.try(ctx, one)
			if err == nil {
				err = m.keep(one, result)
			}
			return result.shown(name(one), one.Rule), err
		})
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

// first returns the checks that run first with a mutant in a setting: those that ran while it was reached, of them the ones that noticed
// most other mutants of its file, then those that noticed most, then those that reach fewest mutants.
func (m *mutating) first(one *mutation.Site, in *setting) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	checks := slices.Clone(in.reached[m.numbers[one.ID()]])
	slices.SortStableFunc(checks, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.killed[one.File][b], m.killed[one.File][a]), cmp.Compare(m.killed[""][b], m.killed[""][a]))
	})
	return checks
}
