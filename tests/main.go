// The suite's binary: the checks, one file a chapter of the catalogue, and what runs them. The command line
// (cmd/msc4014) hands it a plan on standard input and reads a stream of events from its standard output; with --list
// it tells which checks there are.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--list" {
		os.Exit(list(os.Stdout))
	}
	os.Exit(serve(os.Stdin, os.Stdout))
}

// list writes the registered checks as JSON: [{"name","requirements","path","mixed","closing","containers"}].
func list(out io.Writer) int {
	if _, err := loadCatalogue(check.Registered()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	type entry struct {
		Name         string   `json:"name"`
		Requirements []string `json:"requirements"`
		Path         string   `json:"path,omitempty"`
		Mixed        bool     `json:"mixed,omitempty"`
		Closing      bool     `json:"closing,omitempty"`
		Containers   bool     `json:"containers,omitempty"`
	}
	entries := []entry{}
	for _, one := range check.Registered().All() {
		entries = append(entries, entry{one.Name, one.Requires, one.Path, one.Mixed(), one.Closing, one.Containers})
	}
	if err := json.NewEncoder(out).Encode(entries); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}

// serve reads one plan, runs it, and writes what happens. Standard input is a life line: when it ends, the command
// line is gone, and so is the run.
func serve(in io.Reader, out io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// When the command line is gone, writing to it must not end this process before it has cleaned up. Ignoring the
	// signal instead would be inherited by candidates.
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
		return 2 // without an end: the run was broken off
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

// stream writes events, one JSON object a line, whole even when several goroutines have something to tell.
type stream struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func (s *stream) emit(event verdict.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A reader that is gone cannot be told so; the life line ends the run.
	_ = s.encoder.Encode(event)
}
