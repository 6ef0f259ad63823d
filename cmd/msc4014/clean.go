package main

// clean: removes what earlier runs left behind, without touching a live run.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/suitebinary"
	"msc4014/report"
	"msc4014/runtime/candidate"
	"msc4014/runtime/session"
)

// newCleanCommand returns the command that removes what earlier runs left behind.
func newCleanCommand() *cobra.Command {
	var options session.CleanOptions
	command := &cobra.Command{
		Use:   "clean",
		Short: "Remove containers, networks, processes and files of earlier runs",
		Long: `Removes what earlier runs left behind: containers, networks, volumes, processes and files of runs that were killed
or used --keep. Programs and images built for candidates stay, because a first build takes minutes; --builds
removes them too. Nothing that a live run uses is removed, whichever state folder that run has. Results and
baselines stay.

Exit status: 0 if everything except the above was removed; 2 if something could not be removed, or
MSC4014_STATE_DIR is not a state folder of the suite.`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			root, err := projectRoot()
			if err != nil {
				return err
			}
			if _, err := session.StateDir(); err != nil {
				return err
			}
			return clean(command.Context(), root, options, func(line string) { _, _ = fmt.Fprintln(os.Stdout, line) })
		},
	}
	command.Flags().BoolVar(&options.Builds, "builds", false, "also remove the programs and images built for candidates")
	command.Flags().BoolVar(&options.All, "all", false,
		"also remove what dead runs with other state folders or on other machines left\nin this engine; a run that cannot be inspected counts as dead 24 h after it last\ncreated something")
	return command
}

// clean removes what the options select, and reports what it removed and what stays.
func clean(ctx context.Context, root string, options session.CleanOptions, tell func(string)) error {
	printed := false
	say := func(line string) {
		printed = true
		tell(line)
	}
	err := errors.Join(session.AwaitOrphans(ctx, say), session.Clean(ctx, options, say), report.RemoveDead(ctx, filepath.Join(root, "results")))
	suitebinary.RemoveUnfinished(root)
	if !printed && err == nil {
		tell("nothing was left behind")
	}
	if !options.Builds {
		programs, images, builtErr := candidate.Built(ctx)
		err = errors.Join(err, builtErr)
		if built := counted(len(programs), len(images)); built != "" {
			tell("kept what was built for candidates (" + built + "), to save the next run a build: ./run.sh clean --builds removes it")
		}
	}
	if err != nil {
		return fmt.Errorf("not everything could be removed: %w", err)
	}
	return nil
}

// counted returns text such as "2 folders of programs, 1 image", or "" for nothing.
func counted(programs, images int) string {
	var parts []string
	for _, one := range []struct {
		count     int
		one, many string
	}{{programs, "folder of programs", "folders of programs"}, {images, "image", "images"}} {
		switch one.count {
		case 0:
		case 1:
			parts = append(parts, "1 "+one.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", one.count, one.many))
		}
	}
	return strings.Join(parts, ", ")
}
