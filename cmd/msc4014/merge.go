package main

// report --merge: the shards of one run, merged into one results folder.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/report/baseline"
	"msc4014/report/page"
	"msc4014/runtime/candidate"
)

// mergeInto merges the shards that arguments name into a results folder, and returns the exit status of the merged run. If it cannot, it
// replaces the results of an earlier merge with the reason.
func mergeInto(to string, arguments []string) (status int, err error) {
	if to, err = filepath.Abs(to); err != nil {
		return 0, err
	}
	for _, argument := range arguments {
		if folder, err := resultsFolder(argument); err == nil && sameFolder(folder, to) {
			return 0, fmt.Errorf("%s is one of the shards; name another folder with --to", to)
		}
	}
	folders, err := resultsFolders(arguments)
	var merged report.Results
	if err == nil {
		merged, err = merge(to, folders)
	}
	if err != nil {
		return 0, errors.Join(err, supersedeMerged(to, err))
	}
	if err := report.WriteSummary(os.Stdout, report.StyleFor(os.Stdout, os.Getenv), []report.Summarised{{Results: merged, Folder: to}}, false); err != nil {
		return 0, err
	}
	for _, reason := range merged.Exit.Reasons {
		fmt.Println(report.ForConsole(merged.Candidate.Name + ": " + reason))
	}
	return merged.Exit.Status, nil
}

// sameFolder reports whether two paths lead to one folder.
func sameFolder(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// supersedeMerged replaces earlier results in a folder with why shards could not be merged into it.
func supersedeMerged(folder string, why error) error {
	earlier, err := report.Read(folder)
	if err != nil {
		return nil // nothing there can pass for the merged results
	}
	catalogue, _ := loadCatalogue() // a catalogue that cannot be read may be the reason
	run := report.Run{Suite: earlier.Suite, Started: time.Now(), Candidate: verdict.Candidate{Name: earlier.Candidate.Name}}
	if root, err := projectRoot(); err == nil {
		run.Suite = report.Suite{Version: plan.SuiteVersion, Commit: gitCommit(root)}
	}
	return report.Supersede(folder, report.Unmade(run, catalogue, why.Error()), page.WriteOwn)
}

// merge merges the shards in folders into a results folder, and compares the result with the baseline of the shards.
func merge(to string, folders []string) (merged report.Results, err error) {
	var shards []report.Results
	for _, folder := range folders {
		results, err := report.Read(folder)
		if err != nil {
			return merged, err
		}
		if err := report.CheckEvidence(folder, results); err != nil {
			return merged, err
		}
		shards = append(shards, results)
	}
	merged, files, err := report.Merge(shards, candidate.IsOfSources)
	if err != nil {
		return merged, fmt.Errorf("cannot merge: %w", err)
	}
	if err := compareMerged(&merged, shards[0]); err != nil {
		return merged, err
	}
	folder, err := report.OpenFolder(to)
	if err != nil {
		return merged, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	folder.Forms = page.WriteOwn
	for file, shard := range files {
		if err := copyEvidence(folders[shard], folder.Staging(), file); err != nil {
			return merged, err
		}
	}
	return merged, folder.Keep(merged)
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
