package main

// The root command, which makes a run, and its subcommands.

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/run"
	"msc4014/helpers/plan"
	"msc4014/helpers/pseudoid"
	"msc4014/runtime/complement"
)

// rootVariable names the project's root folder; run.sh sets it.
const rootVariable = "MSC4014_ROOT"

const longHelp = `Tests Matrix homeservers against MSC4014 (pseudonymous identities): starts the candidate, drives it with clients
and a scripted peer, and reports which requirements of the proposal it meets, which it breaks, and how it reads what
the proposal leaves open.

CANDIDATE is one of
  dendrite            the newest pinned version
  dendrite@0.13.8     a pinned version
  dendrite:DIR        a working tree of Dendrite, as it is, with its own go.mod
  synapse             Debian's package, on the image debian:sid-slim (without a registry: --bootstrap-base)
  reference           the suite's own homeserver, which follows the text
  reference@dendrite  the same in the deployed dialect
  image:NAME[:TAG]    any image that meets Complement's image contract
Several candidates are tested one after the other, with one summary. The default is $COMPLEMENT_BASE_IMAGE_HS1 if
set, else $COMPLEMENT_BASE_IMAGE if set, else dendrite.

--pair A,B replaces CANDIDATE, and puts two different candidates into one deployment. The checks that use two
servers run twice: with A on hs1 and B on hs2, then the other way round. Each direction has its own results,
results/A+B and results/B+A; one summary shows both. If a candidate has no pseudo-ID rooms, or the two have no
dialect in common, the checks are unsupported.

Results are written to results/<candidate>/results.json, next to junit.xml and the logs and HTTP transcripts of
checks that did not pass, or that an observation rests on. Only one run at a time can use the folder. baselines/<candidate>.json has the results
expected of a candidate.

Exit status: 0 if results are as the baseline expects; 1 if they are worse, the baseline is out of date, or a check
ended as an error of the suite; 2 if the run could not be made, was interrupted, or judged nothing: no check passed,
failed or matched a baseline. junit.xml has a failure or an error if and only if the exit status is not 0.`

const environmentHelp = `
Environment:
  DOCKER_HOST        address of the Docker engine; if it does not answer, the exit status is 2. Contexts of the docker
                     command are not read: DOCKER_CONTEXT without DOCKER_HOST is exit status 2, too
  NO_COLOR           disable colours on the terminal
  MSC4014_LOG_LEVEL  log level of the candidates: trace, debug, info, warn, error; pass it to containers and
                     processes with COMPLEMENT_SHARE_ENV_PREFIX=X_ and X_MSC4014_LOG_LEVEL=debug
  MSC4014_STATE_DIR  folder that records runs, so that the next run removes what a killed one left behind. It
                     must be missing, empty, or created by the suite; any other folder is not touched, and the
                     exit status is 2 (default: msc4014-UID in the temporary directory)
These have the same meaning as in Complement:
  COMPLEMENT_BASE_IMAGE                   image to test if no candidate is named
  COMPLEMENT_BASE_IMAGE_HS1, ..._HS2      image for this server only; cannot differ from a candidate that is named
  COMPLEMENT_SPAWN_HS_TIMEOUT_SECS        seconds for a started server to answer on both ports (default: 30, up to 120
                                          for a container on a busy machine)
  COMPLEMENT_SHARE_ENV_PREFIX             pass variables with this prefix to servers, without the prefix
  COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS=1   print each server's log when it ends
  COMPLEMENT_DEBUG=1                      print requests and responses; keep those of passing checks too
  COMPLEMENT_POST_TEST_SCRIPT             run before a container is removed, with its ID, the name of the check (or of
                                          the blueprint, if several checks used it), and true if one failed
  COMPLEMENT_HOST_MOUNTS                  HOST-PATH:CONTAINER-PATH[:ro], separated by ;
  COMPLEMENT_CONTAINER_CPU_CORES          CPU limit of each container, such as 1.5
  COMPLEMENT_CONTAINER_MEMORY             memory limit of each container: 2GiB, 512MB, a number of bytes
  COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT  name by which containers reach this machine, if they cannot use the gateway of
                                          their network
  COMPLEMENT_VERSION_CHECK_ITERATIONS     old form of the start-up timeout, in steps of 50 ms
Complement's other variables are ignored. They, and unknown names that begin with COMPLEMENT_ or MSC4014_, are listed
at the start of a run, after its summary and in results.json (notes). An unknown name that looks like it selects the
image under test is an error.
`

const examples = `  ./run.sh                                       test the newest Dendrite
  ./run.sh dendrite@0.13.8 dendrite@0.15.2       two versions, one summary
  ./run.sh --run '^mapping/' --verbose           one chapter, with more output
  ./run.sh image:my-homeserver:dev --strict      your own image; exit status 1 unless everything passes
  ./run.sh dendrite --update-baseline            expect what it does today
  ./run.sh --pair dendrite@0.13.8,synapse        two candidates together, both ways round
  ./run.sh reference --fault one-key-a-user      the suite's own homeserver, with a fault: which checks notice?
  ./run.sh list                                  list requirements and the checks that cover them
  ./run.sh doctor                                check that this machine can run the suite`

// newRootCommand returns the root command and a pointer to its exit status.
func newRootCommand(kill <-chan struct{}) (*cobra.Command, *int) {
	status := new(int)
	root := newRunCommand("./run.sh [CANDIDATE ...]", kill, status, &run.Options{})
	root.Short = "Tests Matrix homeservers against MSC4014 (pseudonymous identities)"
	root.Long = longHelp
	root.Example = examples
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetUsageTemplate(root.UsageTemplate() + `{{if or (not .HasParent) (eq .Name "run")}}` + environmentHelp + "{{else}}\n{{.Root.CommandPath}} --help lists the environment variables.\n{{end}}")
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%s (%s --help shows the flags)", flagProblem(err), command.CommandPath())
	})
	explicit := newRunCommand("run [CANDIDATE ...]", kill, status, &run.Options{})
	explicit.Short = "Test candidates: what ./run.sh does without a command"
	root.AddCommand(
		explicit, newReportCommand(status), newCompareCommand(status), newShowCommand(), newVerifyCommand(status), newListCommand(),
		newProveCommand(kill, status), newTwinsCommand(kill, status), newDoctorCommand(status), newCleanCommand(),
	)
	return root, status
}

// newRunCommand returns the command that makes a run.
func newRunCommand(use string, kill <-chan struct{}, status *int, options *run.Options) *cobra.Command {
	var wanted preparation
	command := &cobra.Command{
		Use:  use,
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, arguments []string) error {
			// Without these, nobody knows where the results are.
			if err := checkValues(command, "results", "pair"); err != nil {
				return err
			}
			settings, notices, invalid := examineVariables(os.Environ())
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
			if err := cmp.Or(checkFlags(command, *options, wanted), invalid); err != nil {
				return errors.Join(err, runner.Refuse(*options, err))
			}
			*status, err = runner.Run(command.Context(), *options)
			return err
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.Run, "run", "", "run only checks whose name, or a requirement's identifier, matches `REGEX`")
	flags.StringVar(&options.Pair, "pair", "",
		"two candidates `A,B` in one deployment: the checks on two servers run with A\non hs1 and B on hs2, then the other way round")
	flags.StringArrayVar(&wanted.variant.Faults, "fault", nil,
		"build the reference with the fault `ID`, a deviation on purpose; may be repeated")
	flags.StringArrayVar(&wanted.variant.Readings, "reading", nil,
		"start the reference with `REQUIREMENT=READING`, in place of its usual reading of what\nthe proposal leaves open; may be repeated")
	flags.StringVar(&options.Runtime, "runtime", "auto",
		"how to run servers: `auto|docker|process`; auto is docker if an engine answers,\nelse process, unless DOCKER_HOST or DOCKER_CONTEXT is set")
	flags.BoolVar(&options.WithClients, "with-clients", false,
		"also run the checks that use real client software, from Debian's packages;\nneeds containers")
	flags.BoolVar(&wanted.bootstrapBase, "bootstrap-base", false,
		"if no registry has the base image of Synapse or of real clients, build it from\nDebian's packages with debootstrap, in a temporary folder and as root; in CI (the\nvariable CI is set) this is the default")
	flags.StringVar(&options.Results, "results", "",
		"write results to `DIR`, with one folder per candidate if there are several\n(default results/<candidate>)")
	flags.StringVar(&options.Baseline, "baseline", "",
		"read expected results from `FILE` (default baselines/<candidate>.json;\nwithout a baseline no fail is expected)")
	flags.BoolVar(&options.UpdateBaseline, "update-baseline", false,
		"update the baseline with what this run judged")
	flags.BoolVar(&options.Strict, "strict", false,
		"exit status 1 unless every check passes, whatever the baseline says; checks that\nthis runtime cannot run count, those that --run, --shard or --pair left out do not")
	flags.BoolVar(&options.RequireRoomVersion, "require-room-version", false,
		"exit status 2 if the candidate does not have the room version, whatever the\nbaseline says")
	flags.StringVar(&options.RoomVersion, "room-version", "",
		"judge the room version `ID`, if the candidate calls it something else than\n"+pseudoid.RoomVersion)
	flags.IntVar(&options.Parallel, "parallel", 0, fmt.Sprintf("run at most `N` checks at a time, up to %d, plus those that wait for a server's\ntimeouts (default: one more than the cores it may use, at most 8; with 1 only one\ncheck runs at a time); fewer while the machine or the servers are slow", run.MostParallel))
	flags.Int64Var(&options.Shuffle, "shuffle", 0, "run checks in a random order, determined by `SEED`")
	flags.Uint64Var(&options.Seed, "seed", 1, "generate hostile input from `SEED`")
	flags.IntVar(&options.Repeat, "repeat", 1, fmt.Sprintf("run each selected check `N` times, up to %d; all verdicts count, and those that\ndiffer are told", run.MostRepeats))
	flags.StringVar(&options.Shard, "shard", "", "run only part `I/N` of the checks, such as 1/3")
	flags.StringVar(&options.Evidence, "evidence", "needed", "which logs and transcripts to keep: `needed|all`; needed is those of checks that did not\npass, or that an observation or a finding rests on; verify finds more in all of them")
	flags.BoolVar(&options.Keep, "keep", false, "keep containers running, or the files of plain processes, and say where they are")
	flags.BoolVarP(&options.Verbose, "verbose", "v", false, "tell each check, observation, finding and step of a build, and all that did not pass\nin full; without it, only what was not expected")
	return command
}

// checkFlags returns an error if the flags of a run, apart from those that say where its results are, cannot be meant.
func checkFlags(command *cobra.Command, options run.Options, wanted preparation) error {
	if command.Flags().Changed("parallel") && options.Parallel < 1 {
		return fmt.Errorf("--parallel %d: must be a number of checks from 1 to %d", options.Parallel, run.MostParallel)
	}
	if command.Flags().Changed("repeat") && options.Repeat < 1 {
		return fmt.Errorf("--repeat %d: must be a number of times from 1 to %d", options.Repeat, run.MostRepeats)
	}
	if flag := command.Flag("sessions"); flag != nil && (options.Sessions < plan.FewestSessions || options.Sessions > mostSessions) {
		return fmt.Errorf("--sessions %d: must be a number of sessions from %d to %d", options.Sessions, plan.FewestSessions, mostSessions)
	}
	for _, seed := range []string{"shuffle", "seed"} {
		if flag := command.Flag(seed); flag.Changed && flag.Value.String() == "0" {
			return fmt.Errorf("--%s 0: must be a nonzero integer", seed)
		}
	}
	if arguments := wanted.variant.Arguments(); arguments != "" && options.UpdateBaseline {
		return fmt.Errorf("%s: no baseline is kept of a reference that deviates; leave out --update-baseline", arguments)
	}
	return checkValues(command, "run", "shard", "baseline", "room-version")
}

// checkValues returns an error if a flag was given without a value.
func checkValues(command *cobra.Command, names ...string) error {
	for _, name := range names {
		if command.Flags().Changed(name) && command.Flag(name).Value.String() == "" {
			return fmt.Errorf("--%s needs a value", name)
		}
	}
	return nil
}

// flagProblem returns the text of a flag's error in the user's words, in place of "strconv.ParseInt: parsing "many": invalid syntax".
func flagProblem(err error) string {
	text := notNumber.ReplaceAllString(err.Error(), "must be a whole number")
	return notParsed.ReplaceAllString(text, "")
}

var (
	notNumber = regexp.MustCompile(`strconv\.Parse(?:Int|Uint): parsing "[^"]*": invalid syntax`)
	notParsed = regexp.MustCompile(`strconv\.\w+: parsing "[^"]*": `)
)

// defaultCandidate returns the candidate to test if none is named, and the variable that selects it, if any.
func defaultCandidate(settings complement.Options) (candidate, variable string) {
	if image, variable := settings.Candidate(); image != "" {
		return "image:" + image, variable
	}
	return "dendrite", ""
}

// projectRoot finds the project's root: the one that run.sh sets, else the first folder with its go.mod, searching upwards
// from the working directory and then from the program.
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

// isProject reports whether folder has the go.mod of this project.
func isProject(folder string) bool {
	data, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	return err == nil && strings.HasPrefix(string(data), "module msc4014\n")
}
