package main

// What the commands need: the project's folders, its candidates and its catalogue.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"msc4014/cmd/internal/run"
	"msc4014/cmd/internal/suitebinary"
	"msc4014/cmd/internal/variant"
	"msc4014/faults"
	"msc4014/helpers/plan"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime"
	"msc4014/runtime/candidate"
	"msc4014/runtime/complement"
	"msc4014/runtime/docker/engine"
)

// preparation holds the flags for preparing and starting candidates.
type preparation struct {
	variant       variant.Variant // of the reference
	bootstrapBase bool
}

// newRunner returns a runner for this project on this machine that prepares every candidate as wanted. Settings and notices
// come from the environment (examineVariables).
func newRunner(kill <-chan struct{}, wanted preparation, settings complement.Options, notices []string) (*run.Runner, error) {
	root, err := projectRoot()
	if err != nil {
		return nil, err
	}
	folder, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("cannot determine the working directory: %w", err)
	}
	return &run.Runner{
		Root: root, Folder: folder, Stdout: os.Stdout, Environment: os.Getenv,
		Suite:     report.Suite{Version: plan.SuiteVersion, Commit: gitCommit(root)},
		Images:    settings.ServerImages(),
		Parse:     func(typed string) (run.Candidate, error) { return parseCandidate(root, typed, wanted) },
		Engine:    engineAnswers,
		Build:     suitebinary.Build,
		Catalogue: loadCatalogue,
		Clients: func(ctx context.Context, progress func(string)) (runtime.Artifact, error) {
			return candidate.PrepareClients(ctx, root, wanted.bootstrapBase, progress)
		},
		Kill:    kill,
		Notices: notices,
	}, nil
}

// parseCandidate returns the candidate that typed names, to be prepared as wanted; with an error only its names, as run.Runner.Parse.
func parseCandidate(root, typed string, wanted preparation) (run.Candidate, error) {
	found, err := candidate.Parse(root, typed)
	arguments := wanted.variant.Arguments()
	if arguments != "" && err == nil {
		if found, err = found.With(arguments, wanted.variant.Environment()); err == nil {
			found.Overlay, err = wanted.variant.Overlay(root)
		}
	}
	if err != nil {
		unknown := candidate.Named(strings.TrimSpace(typed + " " + arguments))
		return run.Candidate{Typed: typed, Name: unknown.Name, Folder: unknown.SafeName()}, err
	}
	found.BootstrapBase = wanted.bootstrapBase
	full := found
	full.Name = found.FullName()
	return run.Candidate{
		Typed: found.Name, Name: full.Name, Folder: found.SafeName(), File: full.SafeName(), Image: found.Image,
		Runtimes: candidate.Runtimes(found),
		Prepare: func(ctx context.Context, runtimeName string, progress func(string)) (runtime.Artifact, error) {
			return candidate.Prepare(ctx, root, found, runtimeName, progress)
		},
	}, nil
}

// engineAnswers returns an error if no container engine can be used.
func engineAnswers(ctx context.Context) error {
	client, err := engine.Connect(ctx)
	if err != nil {
		return err
	}
	return client.Close()
}

// loadCatalogue returns the catalogue as the report needs it.
func loadCatalogue() (report.Catalogue, error) {
	loaded, err := requirements.Load()
	if err != nil {
		return report.Catalogue{}, err
	}
	all, err := faults.All()
	if err != nil {
		return report.Catalogue{}, err
	}
	return catalogueOf(loaded, all), nil
}

// gitCommit is the commit of the project at root, with "+changes" if files differ from it; "" if git does not say.
func gitCommit(root string) string {
	if commit := suitebinary.Prebuilt(root); commit != "" {
		return commit
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	git := func(arguments ...string) (string, error) {
		output, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, arguments...)...).Output()
		return strings.TrimSpace(string(output)), err
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return ""
	}
	if changes, err := git("status", "--porcelain", "--untracked-files=no"); err != nil || changes != "" {
		commit += "+changes"
	}
	return commit
}
