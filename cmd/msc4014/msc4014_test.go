package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/cmd/internal/run"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/requirements"
	"msc4014/runtime/complement"
)

// captured runs one command line and captures standard output and error.
func captured(t *testing.T, arguments ...string) (status int, output, errors string) {
	t.Helper()
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	read := func(into **os.File) func() string {
		file, err := os.Create(filepath.Join(t.TempDir(), "output"))
		require.NoError(t, err)
		*into = file
		return func() string {
			_, err := file.Seek(0, io.SeekStart)
			require.NoError(t, err)
			data, err := io.ReadAll(file)
			require.NoError(t, err)
			return string(data)
		}
	}
	readOutput, readErrors := read(&os.Stdout), read(&os.Stderr)
	status = execute(context.Background(), nil, arguments)
	return status, readOutput(), readErrors()
}

// withoutResults makes the project one without results: a command line that is refused replaces those that are in its place.
func withoutResults(t *testing.T) (results string) {
	t.Helper()
	project, err := projectRoot()
	require.NoError(t, err)
	entries, err := os.ReadDir(project)
	require.NoError(t, err)
	root := t.TempDir()
	for _, entry := range entries {
		if name := entry.Name(); name != "results" && name != ".git" {
			require.NoError(t, os.Symlink(filepath.Join(project, name), filepath.Join(root, name)))
		}
	}
	t.Setenv(rootVariable, root)
	return filepath.Join(root, "results")
}

func TestBadCommandLines(t *testing.T) {
	t.Setenv("COMPLEMENT_BASE_IMAGE", "")
	results := withoutResults(t)
	for line, says := range map[string]string{
		"nosuch":                              `unknown candidate "nosuch"; use one of dendrite`,
		"dendrite@0.0.1":                      `version "0.0.1" of dendrite is not pinned`,
		"image:":                              "image:NAME[:TAG]",
		"image:UPPER":                         "image:NAME[:TAG]",
		"--nosuch":                            "unknown flag: --nosuch (./run.sh --help",
		"--parallel many":                     `invalid argument "many" for "--parallel" flag: must be a whole number (./run.sh --help`,
		"report --serve --port 99999":         "flag: value out of range (./run.sh report --help",
		"report --serve --to x":               "--serve writes no report; leave out --to and --merge",
		"report --serve --alone":              "--serve publishes no report; leave out --alone",
		"report --merge --alone --to x .":     "leave out --alone, and make the report to publish from that folder",
		"report --port 4014 .":                "--port is for --serve",
		"report --serve /nowhere":             "there is no results folder /nowhere",
		"report":                              "name the results folders, or candidates, to report on",
		"--runtime":                           "needs an argument",
		"--runtime podman":                    "one of auto, docker, process",
		"--run (":                             "is not a valid regular expression",
		"--run=":                              "--run needs a value",
		"--repeat 0":                          "--repeat 0: must be a number of times from 1 to 100",
		"--repeat 101":                        "--repeat 101: must be",
		"--repeat 2 --shard 1/2":              "--repeat goes neither with --update-baseline nor with --shard",
		"--repeat 2 --update-baseline":        "--repeat goes neither with",
		"--shard 4/3":                         "--shard",
		"--shard=":                            "--shard needs a value",
		"--parallel 0":                        "--parallel 0",
		"--parallel 65":                       "--parallel 65: must be a number of checks from 1 to 64",
		"--parallel 100000":                   "from 1 to 64",
		"prove --parallel 65":                 "--parallel 65: must be a number of trials from 1 to 64",
		"prove --mutants 0":                   "--mutants 0: must be a number of mutants, at least 1",
		"prove --mutants -1":                  "--mutants -1: must be a number of mutants, at least 1",
		"prove --mutants many":                "invalid argument",
		"prove --mutants":                     "needs an argument",
		"prove --mutants 1 --seed 0":          "--seed 0: must be a positive integer",
		"prove --mutants 1 --seed -1":         "invalid argument",
		"prove --seed 1":                      "--seed chooses mutants: give their number with --mutants N",
		"prove --mutants 1 --whole":           "--mutants and --whole do not go together",
		"prove --mutants 1 --sample 2":        "--mutants and --sample do not go together",
		"prove --mutants 1 --record":          "--mutants and --record do not go together",
		"prove --mutants 1 --changed-since x": "--mutants and --changed-since do not go together",
		"prove --mutants 1 --mutant x":        "--mutants and --mutant do not go together",
		"prove --mutants 1 --parallel 65":     "from 1 to 64",
		"prove --mutants 1 --run=":            "--run needs a value",
		"prove --mutant=":                     "--mutant needs a value",
		"prove --twins 0":                     "--twins 0: must be a number of sessions from 8 to 100000",
		"prove --twins 3":                     "--twins 3: must be",
		"twins --sessions 3":                  "--sessions 3: must be",
		"prove --twins 100001":                "--twins 100001: must be",
		"twins --sessions 100001":             "--sessions 100001: must be",
		"prove --twins 8 --whole":             "--twins and --whole do not go together",
		"prove --twins 8 --sample 2":          "--twins and --sample do not go together",
		"prove --twins 8 --mutants 1":         "--mutants and --twins do not go together",
		"prove --twins 8 --formats":           "--formats and --twins do not go together",
		"prove --twins 8 --seed 2":            "--seed chooses mutants",
		"prove --mutant x --run y":            "--mutant and --run do not go together",
		"prove --mutant x --seed 1":           "--seed chooses mutants",
		"--shuffle x":                         "invalid argument",
		"--shuffle 0":                         "--shuffle 0: must be a nonzero integer",
		"--shuffle -0":                        "--shuffle 0: must be a nonzero integer",
		"--seed 0":                            "--seed 0: must be a nonzero integer",
		"--seed 0x0":                          "--seed 0: must be a nonzero integer",
		"--seed -1":                           "invalid argument",
		"dendrite dendrite@0.15.2":            "dendrite and dendrite@0.15.2 are the same candidate",
		"--results /dev/null":                 "cannot use /dev/null for results: it is a file",
		"--baseline /none":                    "cannot read the baseline",
		"list x y":                            `takes one regular expression, got "y", too`,
		"list (":                              "is not a valid regular expression",
		"list faults x y":                     "takes one regular expression",
		"list faults nosuchfault":             `no fault matches "nosuchfault"`,
		"clean --nosuch":                      "unknown flag",
		"run nosuch":                          "unknown candidate",
		"dendrite:/no/such/folder":            `there is no folder "/no/such/folder"`,
		"dendrite:":                           "it names no folder",
		"dendrite:/dev/null":                  `"/dev/null" is a file, not a folder`,
		"dendrite:. --runtime process":        "has no go.mod",
		"dendrite:../..":                      "is not Dendrite: it has no Go files in cmd/dendrite",
		"--pair dendrite,dendrite:/dev/null":  `"/dev/null" is a file`,
		"dendrite dendrite":                   "named twice",
		"doctor dendrite":                     "takes no argument",
		"--pair=":                             "--pair needs a value",
		"--pair dendrite":                     `--pair "dendrite": must be A,B`,
		"--pair a,b dendrite":                 "--pair a,b already names the candidates; omit dendrite",
		"--pair nosuch,x":                     `--pair nosuch,x: unknown candidate "nosuch"`,
		"--pair dendrite,dendrite@0.15.2":     "both are dendrite@0.15.2",
		"dendrite --fault mapping-unsigned":   "--fault mapping-unsigned works only with the candidate reference, not with dendrite",
		"reference dendrite --reading redaction/sender-key-kept=kept": "--reading redaction/sender-key-kept=kept works only with the candidate reference, not with dendrite",
		"--pair reference,dendrite --fault mapping-unsigned":          "works only with the candidate reference, not with dendrite",
		"reference --fault nosuch":                                    `unknown fault "nosuch"; ./run.sh list faults tells all`,
		"reference --fault":                                           "needs an argument",
		"reference --fault=":                                          `unknown fault ""`,
		"reference --reading nosuch":                                  "it is REQUIREMENT=READING",
		"reference --reading redaction/sender-key-kept=x":             "offered are",
		"reference --fault mapping-unsigned --update-baseline":        "no baseline is kept",
		"reference@nosuch":                                            "use one of msc4014, dendrite",
		"list --json=perhaps":                                         "invalid argument",
	} {
		status, output, errors := captured(t, strings.Fields(line)...)
		assert.Equal(t, run.StatusCannot, status, line)
		assert.Contains(t, errors, says, line)
		assert.True(t, strings.HasPrefix(errors, "msc4014: "), line)
		assert.Equal(t, 1, strings.Count(errors, "\n"), "one line for %s: %s", line, errors)
		assert.Empty(t, output, line)
	}
	assert.NoDirExists(t, results, "no folder is made to say that a command line was wrong")
}

// TestRefusedCommandLinesLeaveNoStaleResults: what is wrong before the runner has the options replaces earlier results, too.
func TestRefusedCommandLinesLeaveNoStaleResults(t *testing.T) {
	for _, name := range []string{"COMPLEMENT_BASE_IMAGE", "COMPLEMENT_BASE_IMAGE_HS1"} {
		t.Setenv(name, "")
	}
	all := withoutResults(t)
	place := func(t *testing.T, folder string) {
		t.Helper()
		require.NoError(t, os.RemoveAll(folder))
		require.NoError(t, os.CopyFS(folder, os.DirFS(folderOf(t, "dendrite@0.15.2", nil))))
		require.NoError(t, os.WriteFile(filepath.Join(folder, report.JUnitFile), []byte("green"), 0o644))
	}
	for line, says := range map[string]string{
		"":                                 "COMPLEMENT_BASE_IMGE",
		"dendrite":                         "COMPLEMENT_BASE_IMGE",
		"run --strict":                     "COMPLEMENT_BASE_IMGE",
		"--parallel 0":                     "--parallel 0",
		"--shard=":                         "--shard needs a value",
		"--seed 0 --results DIR":           "--seed 0",
		"twins --sessions 0 --results DIR": "--sessions 0: must be a number of sessions",
		"nosuch --results DIR":             "COMPLEMENT_BASE_IMGE",
		"dendrite@0.0.1":                   "COMPLEMENT_BASE_IMGE",
	} {
		t.Run(line, func(t *testing.T) {
			folder := filepath.Join(all, "dendrite")
			if strings.Contains(line, "@") {
				folder = filepath.Join(all, line)
			}
			if strings.Contains(line, "DIR") {
				folder = filepath.Join(t.TempDir(), "own")
			}
			place(t, folder)
			t.Setenv("COMPLEMENT_BASE_IMGE", "my-homeserver")
			status, _, errors := captured(t, strings.Fields(strings.ReplaceAll(line, "DIR", folder))...)
			assert.Equal(t, run.StatusCannot, status)
			assert.Contains(t, errors, says)
			results, err := report.Read(folder)
			require.NoError(t, err)
			assert.Contains(t, results.Incomplete, says)
			assert.Empty(t, results.Checks)
			junit, err := os.ReadFile(filepath.Join(folder, report.JUnitFile))
			require.NoError(t, err)
			assert.Contains(t, string(junit), says)
		})
	}
}

func TestBadEnvironment(t *testing.T) {
	withoutResults(t)
	t.Setenv("COMPLEMENT_SPAWN_HS_TIMEOUT_SECS", "soon")
	status, _, errors := captured(t, "dendrite")
	assert.Equal(t, run.StatusCannot, status)
	assert.Contains(t, errors, "COMPLEMENT_SPAWN_HS_TIMEOUT_SECS")
}

func TestHelp(t *testing.T) {
	status, output, errors := captured(t, "--help")
	assert.Zero(t, status)
	assert.Empty(t, errors)
	for _, word := range []string{
		"./run.sh [CANDIDATE ...]", "--runtime", "--run", "--results", "--baseline", "--update-baseline", "--strict",
		"--require-room-version", "--bootstrap-base", "--pair", "--fault", "--reading", "--parallel", "--shuffle", "--shard", "--keep", "--verbose", "list", "doctor", "clean", "Exit status", "COMPLEMENT_",
	} {
		assert.Contains(t, output, word)
	}
}

func TestDefaultCandidate(t *testing.T) {
	for _, each := range []struct {
		settings            complement.Options
		candidate, variable string
	}{
		{complement.Options{}, "dendrite", ""},
		{complement.Options{BaseImage: "complement-synapse"}, "image:complement-synapse", "COMPLEMENT_BASE_IMAGE"},
		{complement.Options{BaseImages: map[string]string{"hs1": "of-hs1", "hs2": "of-hs2"}}, "image:of-hs1", "COMPLEMENT_BASE_IMAGE_HS1"},
		{complement.Options{BaseImage: "base", BaseImages: map[string]string{"hs1": "of-hs1"}}, "image:of-hs1", "COMPLEMENT_BASE_IMAGE_HS1"},
		{complement.Options{BaseImages: map[string]string{"hs2": "of-hs2"}}, "dendrite", ""},
	} {
		candidate, variable := defaultCandidate(each.settings)
		assert.Equal(t, each.candidate, candidate)
		assert.Equal(t, each.variable, variable, candidate)
	}
}

func TestProjectRoot(t *testing.T) {
	t.Setenv(rootVariable, "")
	want, err := filepath.Abs("../..")
	require.NoError(t, err)
	root, err := projectRoot()
	require.NoError(t, err)
	assert.Equal(t, want, root, "above the folder called from")
	t.Setenv(rootVariable, "../..")
	root, err = projectRoot()
	require.NoError(t, err)
	assert.Equal(t, want, root)
	t.Setenv(rootVariable, t.TempDir())
	_, err = projectRoot()
	assert.ErrorContains(t, err, "is not the folder of this project")
}

func TestList(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	all := cover(catalogue, []selection.Check{
		{Name: "a lie", Requirements: []string{"mapping/foreign-signature-not-honoured"}, Path: "send_join"},
	})
	var text bytes.Buffer
	require.NoError(t, writeList(&text, catalogue, all))
	assert.Contains(t, text.String(), "  must   mapping/foreign-signature-not-honoured\n           A mapping signed, validly, only by another server than the user ID's domain is not honoured.\n           - a lie [send_join]\n")
	assert.Contains(t, text.String(), "  must   room-version/advertised  (no check yet)\n")
	assert.Contains(t, text.String(), "requirements have a check; 1 checks cover them")
	assert.Len(t, all, len(catalogue.All()))
}

func TestCatalogueForTheReport(t *testing.T) {
	catalogue, err := loadCatalogue()
	require.NoError(t, err)
	assert.Equal(t, 4014, catalogue.MSCNumber)
	assert.Equal(t, "85b59630d03e6b56b1a03c5d129a3a2ab222f68f", catalogue.MSCCommit)
	open := 0
	for _, one := range catalogue.Requirements {
		assert.NotEmpty(t, one.Chapter)
		if one.Kind == report.KindOpen {
			open++
		}
	}
	assert.NotZero(t, open, "the report knows the kind by its word")
}

func TestInterruptible(t *testing.T) {
	ctx, kill := interruptible()
	t.Cleanup(func() { signal.Reset() }) // or a second run would send this one the third signal, which ends the process
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the first signal ends the context")
	}
	assert.EqualError(t, context.Cause(ctx), "interrupted by SIGTERM")
	select {
	case <-kill:
		t.Fatal("the first signal kills nothing")
	default:
	}
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGPIPE))
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
	select {
	case <-kill:
	case <-time.After(10 * time.Second):
		t.Fatal("the second signal kills")
	}
}
