package main

// twins: more twin sessions than a run has.

import (
	"github.com/spf13/cobra"

	"msc4014/cmd/internal/prove"
	"msc4014/cmd/internal/run"
)

const longTwins = `Plays twin sessions: the same generated session of client requests in an ordinary room and in a pseudo-ID room of the
same server, with the same users. What differs, and does not differ between two ordinary rooms, is shortened to the shortest
session that shows it.

A usual run plays some sessions with fixed seeds. This command plays N of them, from seed S on, until it finds a difference that
the candidate's baseline does not list. Exit statuses are those of a run.`

// twinChecks are the checks that play twin sessions.
const twinChecks = "^" + prove.TwinSessions

// mostSessions is the maximum number of twin sessions, which take days.
const mostSessions = 100_000

// newTwinsCommand returns the command that plays twin sessions.
func newTwinsCommand(kill <-chan struct{}, status *int) *cobra.Command {
	options := &run.Options{}
	command := newRunCommand("twins [CANDIDATE ...]", kill, status, options)
	command.Short = "Compare sessions in ordinary and pseudo-ID rooms, until something new differs"
	command.Long = longTwins
	command.Flags().IntVar(&options.Sessions, "sessions", 100, "play `N` sessions")
	command.Flags().Lookup("seed").Usage = "generate the sessions from `SEED` on"
	command.Flags().Lookup("run").DefValue = twinChecks
	makeRun := command.RunE
	command.RunE = func(command *cobra.Command, arguments []string) error {
		if options.Run == "" {
			options.Run = twinChecks
		}
		if options.Results == "" {
			options.Results = "results/twins"
		}
		return makeRun(command, arguments)
	}
	return command
}
