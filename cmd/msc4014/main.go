// Command msc4014 is the command-line interface of the conformance suite for MSC4014. run.sh builds and runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"msc4014/cmd/internal/run"
	"msc4014/report"
)

func main() {
	ctx, kill := interruptible()
	os.Exit(execute(ctx, kill, os.Args[1:]))
}

// execute runs one command line and returns its exit status. Errors are written to standard error.
func execute(ctx context.Context, kill <-chan struct{}, arguments []string) int {
	command, status := newRootCommand(kill)
	command.SetArgs(arguments)
	err := command.ExecuteContext(ctx)
	if errors.Is(err, syscall.EPIPE) {
		return run.StatusCannot // whoever read the output has seen enough, as head
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "msc4014:", report.ForConsole(err.Error()))
		return run.StatusCannot
	}
	return *status
}
