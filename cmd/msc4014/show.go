package main

// show: one requirement, what results say of it, and how sure that is.

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"msc4014/report"
	"msc4014/report/page"
)

// newShowCommand returns the command that shows one requirement.
func newShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show REQUIREMENT [DIR...]",
		Short: "Show what results say of one requirement, why, and how sure that is",
		Long: `Shows one requirement: its text, the result of each check with its reason and evidence, and what speaks for the result. DIR is a results
folder, or a candidate whose folder is in results/; without one, all results in results/ are shown.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error {
			folders, err := resultsFolders(arguments[1:])
			if err != nil {
				return err
			}
			if len(folders) == 0 {
				if folders, err = allResults(); err != nil {
					return err
				}
			}
			var sources []page.Source
			for _, folder := range folders {
				results, err := report.Read(folder)
				if err != nil {
					return err
				}
				sources = append(sources, page.Source{Results: results, Folder: folder})
			}
			return page.WriteRequirement(os.Stdout, report.StyleFor(os.Stdout, os.Getenv), sources, arguments[0])
		},
	}
}

// allResults returns the results folders in results/.
func allResults() ([]string, error) {
	root, err := projectRoot()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "results", "*", report.ResultsFile))
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, file := range files {
		folders = append(folders, filepath.Dir(file))
	}
	if len(folders) == 0 {
		return nil, fmt.Errorf("there are no results in %s; run ./run.sh first, or name a results folder", filepath.Join(root, "results"))
	}
	return folders, nil
}
