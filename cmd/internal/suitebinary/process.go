package suitebinary

// The suite's binary as a child process: its plan goes in, its events come out, and it ends with its parent.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// Process says how to run the binary.
type Process struct {
	Binary string
	Plan   plan.Plan
	// Lock is the lock file of the run's session, inherited by the child as descriptor 3: the run counts as alive
	// while either process lives.
	Lock *os.File
	// Stderr is the child's standard error: traces of crashes.
	Stderr *os.File
	// Handle is called with each event, in order, from the goroutine that called Run.
	Handle func(verdict.Event)
	// Kill ends the child at once, without its cleanup, when it is closed.
	Kill <-chan struct{}
	// CleanupTime bounds how long the child may take to clean up after SIGTERM, or to end after its last event.
	CleanupTime time.Duration
}

// Ending is how the child ended.
type Ending struct {
	Events []verdict.Event
	// Cannot is the child's reason why the run could not be made.
	Cannot string
	// Complete reports whether the stream has its end event.
	Complete bool
	// Died says how it ended when it did not end well: "signal: killed".
	Died string
}

// drainTime is how long the stream may stay open after the child is gone: only a process that it left behind holds it.
const drainTime = 2 * time.Second

// Run runs the child and returns when it has ended. When ctx is done the child gets SIGTERM and CleanupTime to clean
// up, and then emits only final verdicts. The error is for a child that could not be started; everything else is in
// Ending.
func (p Process) Run(ctx context.Context) (Ending, error) {
	command := exec.Command(p.Binary)
	command.ExtraFiles = []*os.File{p.Lock}
	command.Stderr = p.Stderr
	// In its own process group: Ctrl-C on the terminal is for the command line, which passes it on once and in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := command.StdinPipe()
	if err != nil {
		return Ending{}, fmt.Errorf("cannot start the suite's binary: %w", err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return Ending{}, fmt.Errorf("cannot start the suite's binary: %w", err)
	}
	defer func() { _ = reader.Close() }()
	command.Stdout = writer
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		return Ending{}, fmt.Errorf("cannot start the suite's binary: %w", err)
	}
	plan, err := json.Marshal(p.Plan)
	if err != nil {
		panic(fmt.Sprintf("a plan is always JSON: %v", err))
	}
	// The pipe stays open: its end tells the child that its parent is gone.
	go func() { _, _ = input.Write(append(plan, '\n')) }()

	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	gone := make(chan struct{})
	defer close(gone)
	return p.follow(ctx, command, readEvents(reader, gone), exited), nil
}

// RunIn is Run for a run with a results folder: the child's standard error goes there, as report.CrashFile, which is
// removed if it is empty.
func (p Process) RunIn(ctx context.Context, folder *report.Folder) (Ending, error) {
	crashFile := filepath.Join(folder.Staging(), report.CrashFile)
	if err := os.MkdirAll(filepath.Dir(crashFile), 0o755); err != nil {
		return Ending{}, err
	}
	stderr, err := os.Create(crashFile)
	if err != nil {
		return Ending{}, err
	}
	p.Stderr = stderr
	ending, err := p.Run(ctx)
	if info, statErr := stderr.Stat(); statErr == nil && info.Size() == 0 {
		_ = os.Remove(crashFile)
	}
	_ = os.Remove(filepath.Dir(crashFile)) // fails, as it should, when a check or a crash wrote into it
	return ending, errors.Join(err, stderr.Close())
}

// Planned reports whether the child got as far as saying what it will run.
func (e Ending) Planned() bool {
	return slices.ContainsFunc(e.Events, func(event verdict.Event) bool { return event.Kind == verdict.KindPlan })
}

// BrokeOff says why the stream has no end; "" when it has. ctx is the one that the child was run with.
func (e Ending) BrokeOff(ctx context.Context) string {
	switch {
	case e.Complete:
		return ""
	case ctx.Err() != nil:
		return context.Cause(ctx).Error()
	case e.Cannot != "":
		return e.Cannot
	case e.Died != "":
		return "the suite's binary ended (" + e.Died + ")"
	default:
		return "the suite's binary exited without completing its results"
	}
}

// follow takes events until the child is gone and its stream has ended.
func (p Process) follow(
	ctx context.Context, command *exec.Cmd, events <-chan verdict.Event, exited <-chan error,
) Ending {
	var (
		ending   Ending
		done     = ctx.Done()
		kill     = p.Kill
		deadline <-chan time.Time
	)
	killGroup := func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	for events != nil || exited != nil {
		select {
		case event, open := <-events:
			if !open {
				events = nil
				deadline = time.After(p.CleanupTime)
				continue
			}
			ending.take(event)
			if ending.Complete || ending.Cannot != "" {
				deadline = time.After(p.CleanupTime)
			}
			p.Handle(event)
		case err := <-exited:
			exited = nil
			if err != nil {
				ending.Died = err.Error()
			}
			deadline = time.After(drainTime)
		case <-done:
			done = nil
			_ = command.Process.Signal(syscall.SIGTERM)
			deadline = time.After(p.CleanupTime)
		case <-kill:
			kill = nil
			killGroup()
		case <-deadline:
			deadline = nil
			if exited == nil {
				return ending // another process holds the stream open
			}
			killGroup()
		}
	}
	return ending
}

// take keeps one event.
func (e *Ending) take(event verdict.Event) {
	e.Events = append(e.Events, event)
	switch event.Kind {
	case verdict.KindEnd:
		e.Complete = true
	case verdict.KindCannot:
		e.Cannot = event.Message
		if e.Cannot == "" {
			e.Cannot = "the suite could not start and did not say why"
		}
	}
}

// readEvents reads the stream to its end, or until gone is closed. A line that is not an event becomes a note, so that
// what was printed to standard output by mistake is not lost.
func readEvents(stream io.Reader, gone <-chan struct{}) <-chan verdict.Event {
	events := make(chan verdict.Event)
	go func() {
		defer close(events)
		lines := bufio.NewReader(stream)
		for {
			line, err := lines.ReadBytes('\n')
			if text := strings.TrimSpace(string(line)); text != "" {
				var event verdict.Event
				if json.Unmarshal(line, &event) != nil || event.Kind == "" {
					event = verdict.Event{
						Kind: verdict.KindNote, Time: time.Now(),
						Message: "the suite's binary wrote something that is not an event: " + text,
					}
				}
				select {
				case events <- event:
				case <-gone:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return events
}
