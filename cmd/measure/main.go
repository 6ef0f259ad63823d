// Command measure compares the cost of two commits of the suite: they judge one candidate alternately, N times each, and
// the CPU time of the whole machine is divided by the number of checks. It needs Linux and an otherwise idle machine.
//
//	go run ./cmd/measure [-n N] [-candidate CANDIDATE] BEFORE AFTER [-- FLAGS of ./run.sh]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// options describe a comparison as requested.
type options struct {
	before, after string // commits
	runs          int
	candidate     string
	limit         time.Duration // of one run
	flags         []string      // further flags of run.sh
}

// mostRuns bounds -n: a run takes a minute.
const mostRuns = 100

const usage = `usage: go run ./cmd/measure [flags] BEFORE AFTER [-- FLAGS of ./run.sh]

Compares the cost of two commits of the suite: they judge the candidate alternately, -n times each, after one
unmeasured run each, which builds whatever is needed. If the commits have different checks, both run those in common;
checks that failed steps draw in are counted too, and named.
The figures cover the whole machine, so nothing else may be running on it.

Exit status: 0 if both were measured, else 2.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(2)
	}
}

// run makes one comparison.
func run(ctx context.Context, arguments []string, out, progress io.Writer) error {
	wanted, err := parse(arguments, progress)
	if err != nil {
		return err
	}
	if _, err := readTimes(); err != nil {
		return fmt.Errorf("cannot read the machine's CPU times, which needs Linux: %w", err)
	}
	return compare(ctx, wanted, out, progress)
}

// reserved are the flags of run.sh that the comparison sets itself, or that change what it compares.
var reserved = regexp.MustCompile(`^--?(results|keep|update-baseline|pair|help|h)(=|$)`)

// parse reads the command line.
func parse(arguments []string, out io.Writer) (options, error) {
	var wanted options
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&wanted.runs, "n", 5, "measure each commit `N` times")
	flags.StringVar(&wanted.candidate, "candidate", "dendrite@0.13.8", "judge `CANDIDATE`")
	flags.DurationVar(&wanted.limit, "limit", 30*time.Minute, "end a run that takes longer than `DURATION`, including any builds")
	if err := flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(out, usage)
			flags.SetOutput(out)
			flags.PrintDefaults()
		}
		return wanted, err
	}
	rest := flags.Args()
	if len(rest) < 2 {
		return wanted, errors.New("name two commits: BEFORE AFTER (see -help)")
	}
	wanted.before, wanted.after = rest[0], rest[1]
	if rest = rest[2:]; len(rest) > 0 {
		if rest[0] != "--" {
			return wanted, fmt.Errorf("unexpected %q: put flags for ./run.sh after --, and others before the commits", rest[0])
		}
		wanted.flags = rest[1:]
	}
	switch {
	case wanted.runs < 1 || wanted.runs > mostRuns:
		return wanted, fmt.Errorf("-n %d: must be from 1 to %d", wanted.runs, mostRuns)
	case wanted.limit <= 0:
		return wanted, fmt.Errorf("-limit %s: must be positive", wanted.limit)
	case wanted.candidate == "" || strings.HasPrefix(wanted.candidate, "-"):
		return wanted, fmt.Errorf("-candidate %q is not a candidate", wanted.candidate)
	}
	for _, each := range wanted.flags {
		if reserved.MatchString(each) {
			return wanted, fmt.Errorf("%s cannot be used here: the comparison sets its own results folder and one candidate for both commits", each)
		}
	}
	return wanted, nil
}
