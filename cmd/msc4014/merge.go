package main

// report --merge: the shards of one run, merged into one results folder.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"msc4014/report"
	"msc4014/report/baseline"
	"msc4014/report/page"
	"msc4014/runtime/candidate"
)

// merge merges the shards in folders into a results folder, compares the result with the baseline of the shards, and returns its exit
// status.
func merge(to string, folders []string) (status int, err error) {
	if slices.Contains(folders, to) {
		return 0, fmt.Errorf("%s is one of the shards; name another folder with --to", to)
	}
	var shards []report.Results
	for _, folder := range folders {
		results, err := report.Read(folder)
		if err != nil {
			return 0, err
		}
		if err := report.CheckEvidence(folder, results); err != nil {
			return 0, err
		}
		shards = append(shards, results)
	}
	merged, files, err := report.Merge(shards, candidate.IsOfSources)
	if err != nil {
		return 0, fmt.Errorf("cannot merge: %w", err)
	}
	if err := compareMerged(&merged, shards[0]); err != nil {
		return 0, err
	}
	folder, err := report.OpenFolder(to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	folder.Forms = page.WriteOwn
	for file, shard := range files {
		if err := copyEvidence(folders[shard], folder.Staging(), file); err != nil {
			return 0, err
		}
	}
	if err := folder.Keep(merged); err != nil {
		return 0, err
	}
	if err := report.WriteSummary(os.Stdout, report.StyleFor(os.Stdout, os.Getenv), []report.Summarised{{Results: merged, Folder: to}}, false); err != nil {
		return 0, err
	}
	for _, reason := range merged.Exit.Reasons {
		fmt.Println(report.ForConsole(merged.Candidate.Name + ": " + reason))
	}
	return merged.Exit.Status, nil
}

// compareMerged compares merged results with the baseline that a shard names.
func compareMerged(merged *report.Results, shard report.Results) error {
	var expected *baseline.Baseline
	file := ""
	if shard.Baseline != nil && shard.Baseline.File != "" {
		file = shard.Baseline.File
		// A run names a baseline of the project relative to its root, and any other as it was typed: relative to the working directory,
		// in a pipeline the checkout of each job.
		at := file
		if _, err := os.Stat(at); err != nil && !filepath.IsAbs(at) {
			if root, err := projectRoot(); err == nil {
				at = filepath.Join(root, at)
			}
		}
		var err error
		if expected, err = baseline.Load(at); err != nil {
			return fmt.Errorf("cannot merge: the baseline of the shards: %w", err)
		}
	}
	comparison := baseline.Compare(expected, file, *merged)
	merged.Baseline = &comparison
	exit := report.ExitOf(*merged)
	merged.Exit = &exit
	return nil
}

// copyEvidence copies a file from one results folder to another. Both names are of report.CheckEvidence.
func copyEvidence(from, to, file string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	defer func() { _ = root.Close() }()
	data, err := root.ReadFile(filepath.FromSlash(file))
	if errors.Is(err, os.ErrNotExist) {
		return nil // a check may name a log of which nothing was kept
	}
	if err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	target := filepath.Join(to, filepath.FromSlash(file))
	if !filepath.IsLocal(filepath.FromSlash(file)) || strings.HasPrefix(file, ".") {
		return fmt.Errorf("cannot merge: %q is not the name of an evidence file", file)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("cannot merge: %w", err)
	}
	return os.WriteFile(target, data, 0o644)
}
