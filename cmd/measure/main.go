// Command measure compares what two commits of the suite cost: each judges one candidate N times, in turn, and what the
// whole machine was busy with meanwhile is divided by the checks. It needs Linux, and a machine that does nothing else.
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

// options are a comparison as it was asked for.
type options struct {
	before, after string // commits
	runs          int
	candidate     string
	limit         time.Duration // of one run
	flags         []string      // more of run.sh
}

// mostRuns bounds -n: a run takes a minute.
const mostRuns = 100

const usage = `usage: go run ./cmd/measure [flags] BEFORE AFTER [-- FLAGS of ./run.sh]

Compares two commits of the suite: each judges the candidate -n times, in turn. Before that, each does it once without
being measured, which builds whatever is needed. If the commits do not have the same checks, both run those that both
have. The figures are those of the whole machine, so nothing else may be running on it.

Exit status: 0 if both were measured; 2 if not.

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
		return fmt.Errorf("the machine's time cannot be read, which takes Linux: %w", err)
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
	flags.IntVar(&wanted.runs, "n", 5, "`how often` each commit is measured")
	flags.StringVar(&wanted.candidate, "candidate", "dendrite@0.13.8", "the `CANDIDATE` that both judge")
	flags.DurationVar(&wanted.limit, "limit", 30*time.Minute, "`how long` one run may take, and its first one with all that it builds")
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
		return wanted, errors.New("name two commits: BEFORE AFTER (-help tells more)")
	}
	wanted.before, wanted.after = rest[0], rest[1]
	if rest = rest[2:]; len(rest) > 0 {
		if rest[0] != "--" {
			return wanted, fmt.Errorf("unexpected %q: flags for ./run.sh come after --, others before the commits", rest[0])
		}
		wanted.flags = rest[1:]
	}
	switch {
	case wanted.runs < 1 || wanted.runs > mostRuns:
		return wanted, fmt.Errorf("-n %d: it is 1 to %d runs of each commit", wanted.runs, mostRuns)
	case wanted.limit <= 0:
		return wanted, fmt.Errorf("-limit %s: a run takes some time", wanted.limit)
	case wanted.candidate == "" || strings.HasPrefix(wanted.candidate, "-"):
		return wanted, fmt.Errorf("-candidate %q is not a candidate", wanted.candidate)
	}
	for _, each := range wanted.flags {
		if reserved.MatchString(each) {
			return wanted, fmt.Errorf("%s cannot be measured: results are the comparison's own, and both commits judge the one candidate", each)
		}
	}
	return wanted, nil
}
