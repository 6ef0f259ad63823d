package main

// prove: shows, on the reference homeserver and its faults, that each check can pass and can fail.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/prove"
	"msc4014/cmd/internal/suitebinary"
	"msc4014/faults"
	"msc4014/faults/mutation"
	"msc4014/helpers/plan"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime"
	"msc4014/runtime/candidate"
)

const longProve = `Runs the suite against the reference homeserver: as it is, in both dialects, where everything must pass; with each
reading of what the texts leave open, which the suite must tell apart; and with each fault, which must make exactly the
requirements in its row fail, and the checks that it names, with the words that it names. Some fault must make each
check fail.

The outcome is written to results/prove/prove.json, beside a folder with the results of each trial.
docs/soundness.md explains how to read it.

--formats runs the whole suite on the reference in a few combinations of what the texts leave open about the wire (dialect,
base version, place of signatures, path of invites ...), which have each possible pair. Everything must pass in each. Every
other one takes other readings than the default ones; what these are known to hide may be unsupported.

--twins N plays only twin sessions, N with each fault of client-view and membership whose row does not name them, shared by
the checks that play them. They must notice at least 60 % of these faults, and nothing without faults.

--mutants N tries, in place of the faults, N small changes of the reference's source, also with other readings. Rules make
them, at places that --seed chooses. The suite must notice at least 95 % of those that are not listed as equivalent: by a
check that fails, a finding or another reading. The others are shown. A run that was interrupted, or that tried fewer
mutants, is continued as long as the suite, the reference and this program are the same. --mutant ID tries one mutant,
with all checks.

Exit status: 0 if everything is proven, or enough mutants or faults are noticed; 1 if no fault makes some check fail, a
fault survives, or a requirement outside the row of a fault fails, or if too few mutants or faults are noticed, or twin
sessions differ without a fault; 2 if the proof could not be completed, or what has no verdict leaves open whether enough
are noticed.`

// newProveCommand returns the command that proves the suite.
func newProveCommand(kill <-chan struct{}, status *int) *cobra.Command {
	var options prove.Options
	var mutants prove.MutantOptions
	var twins prove.TwinOptions
	var ofFormats bool
	command := &cobra.Command{
		Use:   "prove",
		Short: "Show that each check can pass and can fail",
		Long:  longProve,
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if command.Flags().Changed("parallel") && options.Parallel < 1 {
				return fmt.Errorf("--parallel %d: must be a number of trials from 1 to %d", options.Parallel, prove.MostParallel)
			}
			for _, name := range []string{"run", "results", "changed-since", "mutant"} {
				if command.Flags().Changed(name) && command.Flag(name).Value.String() == "" {
					return fmt.Errorf("--%s needs a value", name)
				}
			}
			ofMutants, err := wantsMutants(command, mutants)
			if err != nil {
				return err
			}
			ofTwins := command.Flags().Changed("twins")
			switch {
			case ofFormats:
				err = wantsFormats(command)
			case ofTwins:
				err = wantsTwins(command, twins)
			}
			if err != nil {
				return err
			}
			_, notices, err := examineVariables(os.Environ())
			if err != nil {
				return err
			}
			for _, line := range notices {
				_, _ = fmt.Fprintln(os.Stderr, report.ForConsole(line))
			}
			prover, err := newProver(kill)
			if err != nil {
				return err
			}
			if ofMutants {
				mutants.Run, mutants.Results, mutants.Parallel, mutants.Verbose = options.Run, options.Results, options.Parallel, options.Verbose
				*status, err = prover.Mutants(command.Context(), mutants)
				return err
			}
			if ofFormats {
				*status, err = prover.Formats(command.Context(), prove.FormatOptions{
					Run: options.Run, Results: options.Results, Parallel: options.Parallel, Sample: options.Sample, Verbose: options.Verbose,
				})
				return err
			}
			if ofTwins {
				twins.Run, twins.Results, twins.Parallel, twins.Verbose = options.Run, options.Results, options.Parallel, options.Verbose
				*status, err = prover.Twins(command.Context(), twins)
				return err
			}
			*status, err = prover.Prove(command.Context(), options)
			return err
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.Run, "run", "", "try only faults, requirements and checks that match `REGEX`;\nwith --mutants, only files and functions of the reference that do")
	flags.StringVar(&options.Results, "results", "", "write results to `DIR` (default results/prove; with --mutants,\nresults/prove/mutants-SEED; with --mutant, results/prove/mutant-ID;\nwith --formats, results/prove-formats; with --twins, results/prove-twins)")
	flags.IntVar(&options.Parallel, "parallel", 0, fmt.Sprintf("run at most `N` trials at a time, up to %d (default 8, as trials\nmostly wait; with --mutants 4, with --formats 2)", prove.MostParallel))
	flags.BoolVar(&options.Whole, "whole", false,
		"run the whole suite with each fault, not only the checks of its\nrequirements: nothing else may fail")
	flags.BoolVar(&options.Record, "record", false,
		"write which checks each fault made fail, and with which words, to\n"+prove.KillsFile+" beside the proof: choose the kills of a fault from it")
	flags.IntVar(&options.Sample, "sample", 0, "try one fault in `N`, chosen by the commit; checks that only the others\nname are not proven, and no problem.\nWith --formats, try one format in N, in turns by the commit")
	flags.StringVar(&options.ChangedSince, "changed-since", "",
		"try only the faults that changed since `COMMIT`, in files that git tracks,\nor whose checks did; with --sample, try these too")
	flags.BoolVar(&ofFormats, "formats", false, "in place of faults, run the whole suite on the reference in its wire formats")
	flags.IntVar(&twins.Sessions, "twins", 0, "in place of all checks, play `N` twin sessions with each fault of\nclient-view and membership")
	flags.IntVar(&mutants.Count, "mutants", 0,
		"in place of faults, try `N` small changes of the reference's source that\nnobody chose; a run with the same seed and sources is continued")
	flags.Uint64Var(&mutants.Seed, "seed", 1, "choose the mutants by `SEED`; a larger N begins with the same ones")
	flags.StringVar(&mutants.Only, "mutant", "", "try only the mutant `ID`, with all checks, and keep their results")
	flags.BoolVarP(&options.Verbose, "verbose", "v", false, "show each trial as it ends")
	return command
}

// wantsMutants reports whether mutants are to be tried in place of faults. The error is for flags that do not go together.
func wantsMutants(command *cobra.Command, mutants prove.MutantOptions) (bool, error) {
	of := ""
	for _, name := range []string{"mutants", "mutant"} {
		if command.Flags().Changed(name) {
			if of != "" {
				return false, fmt.Errorf("--%s and --%s do not go together: one tries a sample, the other a single mutant", of, name)
			}
			of = name
		}
	}
	if command.Flags().Changed("mutants") && mutants.Count < 1 {
		return false, fmt.Errorf("--mutants %d: must be a number of mutants, at least 1", mutants.Count)
	}
	switch {
	case !command.Flags().Changed("seed"):
	case of != "mutants":
		return false, errors.New("--seed chooses mutants: give their number with --mutants N")
	case mutants.Seed == 0:
		return false, errors.New("--seed 0: must be a positive integer")
	}
	if of == "" {
		return false, nil
	}
	excluded := []string{"whole", "sample", "record", "changed-since", "twins"}
	if of == "mutant" {
		excluded = append(excluded, "run")
	}
	for _, name := range excluded {
		if command.Flags().Changed(name) {
			return false, fmt.Errorf("--%s and --%s do not go together; leave one out", of, name)
		}
	}
	return true, nil
}

// wantsFormats returns an error for flags that do not go with --formats.
func wantsFormats(command *cobra.Command) error {
	for _, name := range []string{"whole", "record", "changed-since", "mutants", "mutant", "seed", "twins"} {
		if command.Flags().Changed(name) {
			return fmt.Errorf("--formats and --%s do not go together; leave one out", name)
		}
	}
	if sample, err := command.Flags().GetInt("sample"); err != nil || sample < 0 {
		return fmt.Errorf("--sample %d: must be a number N, to try one in N formats", sample)
	}
	return nil
}

// wantsTwins returns an error for flags that do not go with --twins.
func wantsTwins(command *cobra.Command, twins prove.TwinOptions) error {
	for _, name := range []string{"whole", "sample", "record", "changed-since"} {
		if command.Flags().Changed(name) {
			return fmt.Errorf("--twins and --%s do not go together; leave one out", name)
		}
	}
	if twins.Sessions < plan.FewestSessions || twins.Sessions > mostSessions {
		return fmt.Errorf("--twins %d: must be a number of sessions from %d to %d", twins.Sessions, plan.FewestSessions, mostSessions)
	}
	return nil
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
		return nil, fmt.Errorf("cannot determine the working directory: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot tell which program this is: %w", err)
	}
	found, err := candidate.Parse(root, "reference")
	if err != nil {
		return nil, err
	}
	all, err := faults.All()
	if err != nil {
		return nil, err
	}
	equivalents, err := mutation.Equivalents()
	if err != nil {
		return nil, err
	}
	prepare := func(ctx context.Context, overlay map[string][]byte, progress func(string)) (runtime.Artifact, error) {
		patched := found
		patched.Overlay = overlay
		return candidate.Prepare(ctx, root, patched, "process", progress)
	}
	return &prove.Prover{
		Root: root, Folder: filepath.Clean(folder), Stdout: os.Stdout, Environment: os.Getenv,
		Suite:     report.Suite{Version: plan.SuiteVersion, Commit: gitCommit(root)},
		Catalogue: catalogue, Report: catalogueOf(catalogue, all), Program: program, Faults: all,
		Build: suitebinary.Build,
		Prepare: func(ctx context.Context, with []faults.Fault, progress func(string)) (runtime.Artifact, error) {
			overlay, err := faults.Apply(root, with)
			if err != nil {
				return runtime.Artifact{}, err
			}
			return prepare(ctx, overlay, progress)
		},
		Combine:     func(all []faults.Fault) (faults.Combined, error) { return faults.Combine(root, all) },
		PrepareWith: prepare,
		Sites:       func(ctx context.Context) ([]*mutation.Site, error) { return mutation.Find(ctx, root) },
		Equivalents: equivalents,
		Since:       prove.Since, Kill: kill,
	}, nil
}
