package main

// The first Ctrl-C or SIGTERM ends a run gracefully; the second ends it immediately.

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"msc4014/cmd/internal/run"
)

// interruptible returns a context that the first signal cancels, with the signal's name as its cause, and a channel that
// the second one closes. The third exits the process; the next run removes what is left. SIGPIPE counts as well, since
// the reader of the output is gone.
func interruptible() (context.Context, <-chan struct{}) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	kill := make(chan struct{})
	go func() {
		cancel(fmt.Errorf("interrupted by %s", signalName(<-signals)))
		next := func() {
			for <-signals == syscall.SIGPIPE { // every further line written raises it
			}
		}
		next()
		close(kill)
		next()
		os.Exit(run.StatusCannot)
	}()
	return ctx, kill
}

// signalName returns a signal's name, such as "SIGINT".
func signalName(s os.Signal) string {
	if number, ok := s.(syscall.Signal); ok {
		return unix.SignalName(number)
	}
	return s.String()
}
