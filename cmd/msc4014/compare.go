package main

// compare: what got better and what got worse from one result to another.

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/run"
	"msc4014/report"
)

// newCompareCommand returns the command that compares two results.
func newCompareCommand(status *int) *cobra.Command {
	return &cobra.Command{
		Use:   "compare A B",
		Short: "Compare two results: what got better, worse or different",
		Long: `Compares results folder A with B (or candidates whose folders are in results/): requirements, checks and readings that are better, worse,
of another verdict, reason or reading, new or gone. The exit status is 1 if anything is worse, and 2 if that is not known: a folder cannot be
read, a run is incomplete or judged nothing, or no check was judged in both.`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, arguments []string) error {
			var both []report.Results
			var unjudged []string
			for _, argument := range arguments {
				results, folder, err := readResults(argument)
				if err != nil {
					return err
				}
				both = append(both, results)
				if reasons := report.Unjudged(results); len(reasons) > 0 {
					unjudged = append(unjudged, fmt.Sprintf("%s: %s; make that run again", filepath.Join(folder, report.ResultsFile), strings.Join(reasons, "; ")))
				}
			}
			if len(unjudged) == 0 && !report.JudgedInBoth(both[0], both[1]) {
				unjudged = []string{"no check was judged in both; compare runs of the same checks (--run, --shard, --pair)"}
			}
			changes := report.CompareRuns(both[0], both[1])
			fmt.Printf("from %s\nto   %s\n", report.Heading(both[0]), report.Heading(both[1]))
			for _, results := range both {
				if results.Incomplete != "" {
					fmt.Printf("incomplete: %s: %s\n", report.ForConsole(results.Candidate.Name), report.ForConsole(results.Incomplete))
				}
			}
			if err := report.WriteChanges(os.Stdout, report.StyleFor(os.Stdout, os.Getenv), changes); err != nil {
				return err
			}
			switch {
			case slices.ContainsFunc(changes, func(c report.Change) bool { return c.Kind == report.Worse }):
				*status = run.StatusWorse
				for _, one := range unjudged {
					fmt.Printf("not everything was compared: %s\n", report.ForConsole(one))
				}
			case len(unjudged) > 0:
				return fmt.Errorf("whether anything is worse is not known: %s", strings.Join(unjudged, "; "))
			}
			return nil
		},
	}
}

// readResults reads the results that an argument names, and returns their folder.
func readResults(argument string) (results report.Results, folder string, err error) {
	if folder, err = resultsFolder(argument); err != nil {
		return results, "", err
	}
	results, err = report.Read(folder)
	return results, folder, err
}
