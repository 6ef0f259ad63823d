// Package suite runs the registered checks: it is the suite's binary (tests) without the checks themselves. The command
// line (cmd/msc4014) writes a plan to its standard input and reads a stream of events from its standard output; with
// --list it prints the registered checks.
package suite

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
)

// memoryLimit is about twice what a whole run holds. Near it, garbage is collected more often; GOMEMLIMIT sets another limit.
const memoryLimit = 192 << 20

// Main runs the binary and exits.
func Main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		os.Exit(list(os.Stdout))
	}
	os.Exit(serve(os.Stdin, os.Stdout))
}

// list writes the registered checks as a JSON list of selection.Check.
func list(out io.Writer) int {
	if _, err := loadCatalogue(check.Registered()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if err := json.NewEncoder(out).Encode(described(check.Registered().All())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}

// serve reads one plan, runs it, and writes events. The command line keeps standard input open until it exits; when standard input
// ends, the run is aborted.
func serve(in io.Reader, out io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Once the command line is gone, writing to it must not kill this process before it has cleaned up. The signal is
	// caught and not ignored, because candidates would inherit that it is ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)

	stream := &stream{encoder: json.NewEncoder(out)}
	lines := bufio.NewReader(in)
	wanted, err := readPlan(lines)
	if err != nil {
		stream.emit(verdict.Event{Kind: verdict.KindCannot, Message: err.Error()})
		return 2
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		abandon(fmt.Errorf("the command line that asked for this run is gone"))
	}()
	err = run(ctx, wanted, stream.emit)
	if ctx.Err() != nil {
		return 2 // no end event: the run was aborted
	}
	if err != nil {
		stream.emit(verdict.Event{Kind: verdict.KindCannot, Message: err.Error()})
		return 2
	}
	stream.emit(verdict.Event{Kind: verdict.KindEnd})
	return 0
}

func readPlan(in *bufio.Reader) (plan.Plan, error) {
	var wanted plan.Plan
	line, err := in.ReadBytes('\n')
	if err != nil && len(line) == 0 {
		return wanted, fmt.Errorf("no plan on standard input: this program is started by run.sh")
	}
	if err := json.Unmarshal(line, &wanted); err != nil {
		return wanted, fmt.Errorf("the plan on standard input does not parse: %w", err)
	}
	return wanted, nil
}

// stream writes events, one JSON object per line. It is safe for concurrent use.
type stream struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func (s *stream) emit(event verdict.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// If the reader is gone, standard input has ended too, which aborts the run.
	_ = s.encoder.Encode(event)
}
