package main

// Ctrl-C and SIGTERM end a run in order; asked a second time, it ends at once.

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"msc4014/cmd/internal/run"
)

// interruptible returns a context that the first signal ends, with the signal's name as its cause, and a channel that
// the second one closes. The third ends the process: what is left then, the next run removes. SIGPIPE counts as well,
// as whoever read the output is gone.
func interruptible() (context.Context, <-chan struct{}) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	kill := make(chan struct{})
	go func() {
		cancel(fmt.Errorf("interrupted by %s", signalName(<-signals)))
		next := func() {
			for <-signals == syscall.SIGPIPE { // each further line that is written raises it
			}
		}
		next()
		close(kill)
		next()
		os.Exit(run.StatusCannot)
	}()
	return ctx, kill
}

// signalName is "SIGINT" and the like.
func signalName(s os.Signal) string {
	if number, ok := s.(syscall.Signal); ok {
		return unix.SignalName(number)
	}
	return s.String()
}
