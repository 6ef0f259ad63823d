package main

// report: one report over one or many results folders.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"

	"github.com/spf13/cobra"

	"msc4014/report"
	"msc4014/report/page"
)

// newReportCommand returns the command that makes reports.
func newReportCommand(status *int) *cobra.Command {
	var to string
	var show, merging, serving, alone bool
	var port uint16
	command := &cobra.Command{
		Use:   "report [DIR...]",
		Short: "Make one HTML report (also Markdown and EARL) of one or many results",
		Long: `Writes report.html, report.md and earl.jsonld from results folders alone: the requirements by section of the proposal, with a
column for each result and the evidence behind each verdict. DIR is a results folder, or a candidate whose folder is results/<candidate>.

With --serve it writes nothing: while a run goes in DIR (or, without DIR, in any folder below results/), a page in the browser shows what
runs and each result as it comes, and the finished report in the end. Only this machine can open it. Ctrl-C ends it.`,
		Args: func(command *cobra.Command, arguments []string) error {
			if len(arguments) == 0 && !serving {
				return errors.New("name the results folders, or candidates, to report on (./run.sh report --help)")
			}
			return nil
		},
		RunE: func(command *cobra.Command, arguments []string) error {
			if command.Flags().Changed("port") && !serving {
				return errors.New("--port is for --serve")
			}
			if serving {
				if merging || to != "" {
					return errors.New("--serve writes no report; leave out --to and --merge")
				}
				if alone {
					return errors.New("--serve publishes no report; leave out --alone")
				}
				return serve(command.Context(), port, show, arguments)
			}
			if merging {
				if alone {
					return errors.New("--merge makes a results folder with its evidence; leave out --alone, and make the report to publish from that folder")
				}
				if to == "" {
					return errors.New("--merge needs --to DIR, the folder of the merged results")
				}
				var err error
				*status, err = mergeInto(to, arguments)
				return err
			}
			folders, err := resultsFolders(arguments)
			if err != nil {
				return err
			}
			if to == "" {
				to = commonFolder(folders)
			}
			if err := os.MkdirAll(to, 0o755); err != nil {
				return fmt.Errorf("cannot make the folder of the report: %w", err)
			}
			if err := page.Write(to, folders, alone); err != nil {
				return err
			}
			file := filepath.Join(to, report.HTMLFile)
			fmt.Println("report:", file)
			if show {
				return openInBrowser(file)
			}
			return nil
		},
	}
	command.Flags().StringVar(&to, "to", "", "write the report into `DIR` (default: the results folder; of several, the folder that has them all)")
	command.Flags().BoolVar(&merging, "merge", false, "merge the shards of one run (--shard) into the results folder that --to names; the exit status is that\nof the merged run, and 2 if shards overlap or are missing")
	command.Flags().BoolVar(&show, "open", false, "open it in the browser")
	command.Flags().BoolVar(&alone, "alone", false, "without links to logs and transcripts, to publish the report without them")
	command.Flags().BoolVar(&serving, "serve", false, "serve a live page of the run that is using DIR, on loopback, and its report in the end")
	command.Flags().Uint16Var(&port, "port", 0, "the `PORT` of --serve (default: a free one)")
	return command
}

// resultsFolders returns the folders that arguments name: each is a folder, or a candidate with a folder in results/.
func resultsFolders(arguments []string) ([]string, error) {
	var folders []string
	for _, argument := range arguments {
		folder, err := resultsFolder(argument)
		if err != nil {
			return nil, err
		}
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		if slices.Contains(folders, absolute) {
			return nil, fmt.Errorf("%s is named twice", argument)
		}
		folders = append(folders, absolute)
	}
	return folders, nil
}

// resultsFolder returns the results folder that an argument names. In the project's root there is a folder "reference", which has no
// results: the candidate is meant.
func resultsFolder(argument string) (string, error) {
	info, err := os.Stat(argument)
	switch {
	case err == nil && !info.IsDir():
		return "", fmt.Errorf("%s is a file; name the results folder that has it", argument)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("cannot read results: %w", err)
	}
	named := err == nil
	if _, err := os.Stat(filepath.Join(argument, report.ResultsFile)); named && err == nil {
		return argument, nil
	}
	if root, rooted := projectRoot(); rooted == nil {
		if candidate, parsed := parseCandidate(root, argument, preparation{}); parsed == nil {
			folder := filepath.Join(root, "results", candidate.Folder)
			if _, err := os.Stat(folder); err == nil {
				return folder, nil
			}
			if !named {
				return "", fmt.Errorf("there are no results of %s in %s; run ./run.sh %s", argument, folder, argument)
			}
		}
	}
	if named {
		return argument, nil
	}
	return "", fmt.Errorf("there is no results folder %s, and no candidate has that name", argument)
}

// commonFolder returns the deepest folder that has all folders, or the only one itself.
func commonFolder(folders []string) string {
	common := folders[0]
	for _, folder := range folders[1:] {
		for {
			relative, err := filepath.Rel(common, folder)
			if err == nil && filepath.IsLocal(relative) || common == filepath.Dir(common) {
				break
			}
			common = filepath.Dir(common)
		}
	}
	return common
}

// openInBrowser opens a file or an address in the user's browser.
func openInBrowser(file string) error {
	program := "xdg-open"
	if goruntime.GOOS == "darwin" {
		program = "open"
	}
	if err := exec.Command(program, file).Start(); err != nil {
		return fmt.Errorf("cannot open %s: %w", file, err)
	}
	return nil
}
