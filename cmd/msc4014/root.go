package main

// The command itself: a run, with the other commands below it.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/run"
	"msc4014/runtime/complement"
)

// rootVariable names the project's root folder; run.sh sets it.
const rootVariable = "MSC4014_ROOT"

const longHelp = `Judges Matrix homeservers by MSC4014 (pseudonymous identities): starts the candidate, lets its clients and a
scripted peer act, and tells which demands of the proposal it meets, which it breaks, and what the proposal
leaves open.

CANDIDATE is one of
  dendrite            the newest pinned version
  dendrite@0.13.8     a pinned version
  synapse             Debian's package, on the image debian:sid-slim (--bootstrap-base: where no registry has it)
  reference           the suite's own homeserver, which follows the text
  reference@dendrite  the same in the dialect that is deployed
  image:NAME[:TAG]    any image that keeps Complement's image contract
Several are judged one after the other, with one summary. Without one it is $COMPLEMENT_BASE_IMAGE_HS1, if that is
set, else $COMPLEMENT_BASE_IMAGE, else dendrite.

--pair A,B puts two different candidates into one deployment, in place of a CANDIDATE. The checks that stand on
two servers run twice: with A on hs1 and B on hs2, then the other way round. Each side has its results,
results/A+B and results/B+A, and both are in one summary. Candidates that have no pseudo-ID rooms, or no dialect
in common, are unsupported together.

Results go to results/<candidate>/results.json, with junit.xml and the logs and HTTP transcripts of checks that
did not pass beside it; one run at a time has the folder. What is expected of a candidate stands in
baselines/<candidate>.json.

Exit status: 0 as the baseline expects; 1 worse than the baseline, the baseline is out of date, or a check was an
error of the suite; 2 the run could not be made, was interrupted, or judged nothing: no check passed, failed or came
out as a baseline says. junit.xml has a failure or an error if, and only if, the exit status is not 0.`

const environmentHelp = `
Environment:
  DOCKER_HOST        where the Docker engine answers; if it does not, the run ends with exit status 2
  NO_COLOR           no colours on the terminal
  MSC4014_LOG_LEVEL  that of the candidates: trace, debug, info, warn, error; hand it on to containers and
                     processes by COMPLEMENT_SHARE_ENV_PREFIX=X_ and X_MSC4014_LOG_LEVEL=debug
  MSC4014_STATE_DIR  the folder in which runs are recorded, so that the next one removes what a killed one left:
                     a folder of the suite's own, or one that is empty or missing; any other is refused, exit
                     status 2, and not touched (default: msc4014-UID in the folder for temporary files)
These mean what they mean for Complement:
  COMPLEMENT_BASE_IMAGE                   the image that is judged when no candidate is named
  COMPLEMENT_BASE_IMAGE_HS1, ..._HS2      another image for servers of this place; not beside a candidate that is named
  COMPLEMENT_SPAWN_HS_TIMEOUT_SECS        how long a server may take, once started, to answer on both ports (default: 30,
                                          up to 120 for a container on a busy machine)
  COMPLEMENT_SHARE_ENV_PREFIX             variables that begin with it are handed to servers, without it
  COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS=1   print every server's log at its end
  COMPLEMENT_DEBUG=1                      print requests and answers; keep those of checks that pass, too
  COMPLEMENT_POST_TEST_SCRIPT             called before a container is removed, with its ID, the name of the check (of
                                          the blueprint, if several checks used it) and true if one failed
  COMPLEMENT_HOST_MOUNTS                  HOST-PATH:CONTAINER-PATH[:ro], several separated by ;
  COMPLEMENT_CONTAINER_CPU_CORES          limits of each container: 1.5
  COMPLEMENT_CONTAINER_MEMORY             2GiB, 512MB, a number of bytes
  COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT  the name of this machine for containers, where they cannot reach it by the
                                          gateway of their network
  COMPLEMENT_VERSION_CHECK_ITERATIONS     the old name of the time a server may take to start, in steps of 50 ms
Complement's other variables mean nothing here. They, and names that begin with COMPLEMENT_ or MSC4014_ and that
are unknown, are told at the start of a run, after its summary and in results.json (notes); an unknown name that
looks like it says which image is judged is refused.
`

const examples = `  ./run.sh                                       judge the newest Dendrite
  ./run.sh dendrite@0.13.8 dendrite@0.15.2       two versions, one summary
  ./run.sh --run '^mapping/' --verbose           one chapter, and tell more
  ./run.sh image:my-homeserver:dev --strict      an image of your own; anything but pass is exit 1
  ./run.sh dendrite --update-baseline            what it does today is what is expected
  ./run.sh --pair dendrite@0.13.8,synapse        each with the other, both ways round
  ./run.sh reference --fault one-key-a-user      the suite's own homeserver, with a fault: which checks notice?
  ./run.sh list                                  requirements and the checks that cover them
  ./run.sh doctor                                is this machine ready?`

// newRootCommand returns the command line and where it puts its exit status.
func newRootCommand(kill <-chan struct{}) (*cobra.Command, *int) {
	status := new(int)
	root := newRunCommand("./run.sh [CANDIDATE ...]", kill, status)
	root.Short = "Judges Matrix homeservers by MSC4014 (pseudonymous identities)"
	root.Long = longHelp
	root.Example = examples
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetUsageTemplate(root.UsageTemplate() + environmentHelp)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w (%s --help shows the flags)", err, command.CommandPath())
	})
	explicit := newRunCommand("run [CANDIDATE ...]", kill, status)
	explicit.Short = "Judge candidates: what ./run.sh does without a command"
	root.AddCommand(explicit, newListCommand(), newProveCommand(kill, status), newDoctorCommand(status), newCleanCommand())
	return root, status
}

// newRunCommand returns the command that makes a run.
func newRunCommand(use string, kill <-chan struct{}, status *int) *cobra.Command {
	var options run.Options
	var wanted preparation
	command := &cobra.Command{
		Use:  use,
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, arguments []string) error {
			if command.Flags().Changed("parallel") && options.Parallel < 1 {
				return fmt.Errorf("--parallel %d: it is a number of checks, from 1 to %d", options.Parallel, run.MostParallel)
			}
			for _, seed := range []string{"shuffle", "seed"} {
				if flag := command.Flag(seed); flag.Changed && flag.Value.String() == "0" {
					return fmt.Errorf("--%s 0: 0 is no seed; it is any other whole number", seed)
				}
			}
			for _, name := range []string{"run", "shard", "baseline", "results", "pair"} {
				if command.Flags().Changed(name) && command.Flag(name).Value.String() == "" {
					return fmt.Errorf("--%s is given without a value", name)
				}
			}
			if arguments := wanted.choices.Arguments(); arguments != "" && options.UpdateBaseline {
				return fmt.Errorf("%s: no baseline is kept of a reference that deviates; leave out --update-baseline", arguments)
			}
			settings, notices, err := examineVariables(os.Environ())
			if err != nil {
				return err
			}
			runner, err := newRunner(kill, wanted, settings, notices)
			if err != nil {
				return err
			}
			options.Candidates = arguments
			if len(arguments) == 0 && options.Pair == "" {
				named, variable := defaultCandidate(settings)
				options.Candidates = []string{named}
				if options.OfVariables = variable != ""; options.OfVariables {
					runner.Parse = namedBy(variable, runner.Parse)
				}
			}
			*status, err = runner.Run(command.Context(), options)
			return err
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.Run, "run", "", "only checks whose name, or a requirement's identifier, matches this `REGEX`")
	flags.StringVar(&options.Pair, "pair", "",
		"two candidates `A,B` in one deployment: the checks on two servers run with A\non hs1 and B on hs2, then the other way round")
	flags.StringArrayVar(&wanted.choices.Faults, "fault", nil,
		"start the reference with the fault `ID`, a deviation on purpose; may be repeated")
	flags.StringArrayVar(&wanted.choices.Readings, "reading", nil,
		"start the reference with `REQUIREMENT=READING`, in place of its usual reading of what\nthe proposal leaves open; may be repeated")
	flags.StringVar(&options.Runtime, "runtime", "auto",
		"how servers run: `auto|docker|process`; auto is docker where an engine\nanswers, and else process unless DOCKER_HOST names the engine")
	flags.BoolVar(&wanted.bootstrapBase, "bootstrap-base", false,
		"where no registry gives the base image of Synapse, make it from Debian's packages\nby debootstrap, in a temporary folder and as root; in CI (the variable CI is set)\nwithout this flag, too")
	flags.StringVar(&options.Results, "results", "",
		"the `DIR` that results go to, with a folder for each of several candidates\n(default results/<candidate>)")
	flags.StringVar(&options.Baseline, "baseline", "",
		"the `FILE` with what is expected (default baselines/<candidate>.json;\nwithout one no fail is expected)")
	flags.BoolVar(&options.UpdateBaseline, "update-baseline", false,
		"write what this run judged into the baseline")
	flags.BoolVar(&options.Strict, "strict", false,
		"exit status 1 if any check is not a pass, whatever the baseline says: also those\nthat this runtime cannot do; what --run, --shard or --pair leave out does not count")
	flags.BoolVar(&options.RequireRoomVersion, "require-room-version", false,
		"exit status 2 if the candidate does not have the room version, whatever the\nbaseline says")
	flags.IntVar(&options.Parallel, "parallel", 0, fmt.Sprintf("at most `N` checks at a time, up to %d, beside those that wait for a server's time-outs\n(default: one more than there are cores, at most 8; 1 is one in all); fewer run while the\nmachine or the servers are slow", run.MostParallel))
	flags.Int64Var(&options.Shuffle, "shuffle", 0, "run in a random order, the one of this `SEED`")
	flags.Uint64Var(&options.Seed, "seed", 1, "make hostile input from this `SEED`, instead of the usual one")
	flags.StringVar(&options.Shard, "shard", "", "only part `I/N` of the checks, such as 1/3")
	flags.BoolVar(&options.Keep, "keep", false, "leave containers running, or the files of plain processes, and say where")
	flags.BoolVarP(&options.Verbose, "verbose", "v", false, "tell more: each check, observation and finding")
	return command
}

// defaultCandidate is what is judged when nothing is named, with the variable that names it, if one does.
func defaultCandidate(settings complement.Options) (candidate, variable string) {
	if image, variable := settings.Candidate(); image != "" {
		return "image:" + image, variable
	}
	return "dendrite", ""
}

// projectRoot finds the project's root: where run.sh says, else the folder of its go.mod above the one called from or
// above the program.
func projectRoot() (string, error) {
	if root := os.Getenv(rootVariable); root != "" {
		if !isProject(root) {
			return "", fmt.Errorf("%s=%s is not the folder of this project", rootVariable, root)
		}
		return filepath.Abs(root)
	}
	var starts []string
	if folder, err := os.Getwd(); err == nil {
		starts = append(starts, folder)
	}
	if program, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(program))
	}
	for _, start := range starts {
		for folder := start; ; folder = filepath.Dir(folder) {
			if isProject(folder) {
				return folder, nil
			}
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	return "", errors.New("cannot find the project's folder: call run.sh, or set " + rootVariable)
}

// isProject tells whether folder has the go.mod of this project.
func isProject(folder string) bool {
	data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	return err == nil && strings.HasPrefix(string(data), "module msc4014\n")
}
