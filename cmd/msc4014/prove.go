package main

// prove: each check of the suite can pass and can fail, shown on the reference homeserver and its faults.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/prove"
	"msc4014/cmd/internal/suitebinary"
	"msc4014/helpers/plan"
	"msc4014/reference/fault"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime"
	"msc4014/runtime/candidate"
)

const longProve = `Runs the suite on the reference homeserver: as it should be, in both dialects, where everything must pass; in each
reading of what the texts leave open, which the suite must tell apart; and with each fault, where exactly the
requirements in the fault's row must fail. Every check must have been made to fail by some fault.

What came of it goes to results/prove/prove.json, with the results of each trial in a folder beside it.
docs/soundness.md tells how to read it.

Exit status: 0 if all is proven; 1 if a check was seen to fail by no fault, a fault survives, or another requirement
fails than its row says; 2 if the proof could not be made, or was interrupted.`

// newProveCommand returns the command that proves the suite.
func newProveCommand(kill <-chan struct{}, status *int) *cobra.Command {
	var options prove.Options
	command := &cobra.Command{
		Use:   "prove",
		Short: "Show that each check can pass and can fail",
		Long:  longProve,
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if command.Flags().Changed("parallel") && options.Parallel < 1 {
				return fmt.Errorf("--parallel %d: it is a number of trials, from 1 to %d", options.Parallel, prove.MostParallel)
			}
			for _, name := range []string{"run", "results"} {
				if command.Flags().Changed(name) && command.Flag(name).Value.String() == "" {
					return fmt.Errorf("--%s is given without a value", name)
				}
			}
			_, notices, err := examineVariables(os.Environ())
			if err != nil {
				return err
			}
			for _, line := range notices {
				_, _ = fmt.Fprintln(os.Stderr, line)
			}
			prover, err := newProver(kill)
			if err != nil {
				return err
			}
			*status, err = prover.Prove(command.Context(), options)
			return err
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.Run, "run", "", "only faults, requirements and checks that match this `REGEX`")
	flags.StringVar(&options.Results, "results", "", "the `DIR` that results go to (default results/prove)")
	flags.IntVar(&options.Parallel, "parallel", 0, fmt.Sprintf("at most `N` trials at a time, up to %d (default 8: they wait most of the time)", prove.MostParallel))
	flags.BoolVar(&options.Whole, "whole", false,
		"run the whole suite with each fault, and not the checks of its\nrequirements alone: nothing else may fail")
	flags.BoolVarP(&options.Verbose, "verbose", "v", false, "tell of each trial as it ends")
	return command
}

// newProver returns a prover of this project on this machine.
func newProver(kill <-chan struct{}) (*prove.Prover, error) {
	root, err := projectRoot()
	if err != nil {
		return nil, err
	}
	catalogue, err := requirements.Load()
	if err != nil {
		return nil, err
	}
	folder, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("cannot tell which folder this is: %w", err)
	}
	found, err := candidate.Parse(root, "reference")
	if err != nil {
		return nil, err
	}
	return &prove.Prover{
		Root: root, Folder: filepath.Clean(folder), Stdout: os.Stdout, Environment: os.Getenv,
		Suite:     report.Suite{Version: plan.SuiteVersion, Commit: gitCommit(root)},
		Catalogue: catalogue, Report: catalogueOf(catalogue), Faults: fault.All(),
		Build: suitebinary.Build,
		Prepare: func(ctx context.Context, progress func(string)) (runtime.Artifact, error) {
			return candidate.Prepare(ctx, root, found, "process", progress)
		},
		Kill: kill,
	}, nil
}
