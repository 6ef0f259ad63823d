package main

// clean: what earlier runs left behind goes, without touching a run that is alive.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/suite"
	"msc4014/report"
	"msc4014/runtime/session"
)

// newCleanCommand returns the command that removes what earlier runs left.
func newCleanCommand() *cobra.Command {
	var all bool
	command := &cobra.Command{
		Use:   "clean",
		Short: "Remove containers, networks, images, processes and files of earlier runs",
		Long: `Removes what earlier runs left behind: containers, networks, processes and files of runs that were killed or told to
keep, and the images and programs that were built for candidates. A run that is alive is not touched. Results and
baselines stay.`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			root, err := projectRoot()
			if err != nil {
				return err
			}
			if _, err := session.StateDir(); err != nil {
				return err
			}
			removed := 0
			say := func(line string) {
				removed++
				_, _ = fmt.Fprintln(os.Stdout, line)
			}
			err = errors.Join(session.AwaitOrphans(command.Context(), say), session.Clean(command.Context(), all, say))
			report.RemoveDead(filepath.Join(root, "results"))
			suite.RemoveUnfinished(root)
			if err != nil {
				return fmt.Errorf("not everything could be removed: %w", err)
			}
			if removed == 0 {
				_, _ = fmt.Fprintln(os.Stdout, "nothing was left behind")
			}
			return nil
		},
	}
	command.Flags().BoolVar(&all, "all", false,
		"also what was made from other machines or state folders with this engine")
	return command
}
