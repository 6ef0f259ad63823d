// Command reference runs the reference homeserver, in a container or as a plain process. It reads the image contract from its
// environment (dockerfiles/internal/contract), and its dialect and readings from environment and arguments:
//
//	--dialect DIALECT              MSC4014_REFERENCE_DIALECT   msc4014 (the MSC's, the default) or dendrite (the deployed one)
//	--reading REQUIREMENT=READING  MSC4014_REFERENCE_READINGS  how it reads what the MSC leaves open (reference/pseudonym)
//
// --reading may be repeated, and adds to those of the environment, which are separated by commas. Exit status: 0
// after SIGTERM or SIGINT, 1 if it cannot run, 2 for invalid arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"msc4014/dockerfiles/internal/contract"
	"msc4014/reference/choice"
)

// The exit statuses.
const (
	statusEnded     = 0
	statusCannot    = 1
	statusArguments = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Getenv, os.Stderr))
}

// execute runs the server until ctx ends, and returns the exit status.
func execute(ctx context.Context, arguments []string, getenv func(string) string, stderr io.Writer) int {
	fail := func(status int, err error) int {
		_, _ = fmt.Fprintf(stderr, "reference: %v\n", err)
		return status
	}
	typed, err := parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprintln(stderr, "reference [--dialect DIALECT] [--reading REQUIREMENT=READING]...; all other settings are read from the environment")
		return statusEnded
	case err != nil:
		return fail(statusArguments, err)
	}
	if _, err := typed.Decide(); err != nil {
		return fail(statusArguments, err)
	}
	settings, err := contract.Read(getenv)
	if err != nil {
		return fail(statusCannot, err)
	}
	decided, err := choice.FromEnvironment(getenv).And(typed).Decide()
	if err != nil {
		return fail(statusCannot, fmt.Errorf("%s, %s: %w", choice.DialectVariable, choice.ReadingsVariable, err))
	}
	if err := serve(ctx, settings, decided, stderr); err != nil {
		return fail(statusCannot, err)
	}
	return statusEnded
}

// parse reads the arguments.
func parse(arguments []string) (choice.Choices, error) {
	var typed choice.Choices
	flags := flag.NewFlagSet("reference", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&typed.Dialect, "dialect", "", "")
	flags.Func("reading", "", func(one string) error { typed.Readings = append(typed.Readings, one); return nil })
	if err := flags.Parse(arguments); err != nil {
		return typed, err
	}
	if flags.NArg() > 0 {
		return typed, fmt.Errorf("argument %q: the only arguments are --dialect and --reading", flags.Arg(0))
	}
	return typed, nil
}
