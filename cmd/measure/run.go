package main

// One run of one commit, and the git repository that commits come from.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"msc4014/report"
)

// cleanupTime is how long a run may take to end in order.
const cleanupTime = 2 * time.Minute

// outputShown is how much of the end of a run's output is told when it cannot be made.
const outputShown = 2000

// runner makes runs.
type runner struct {
	wanted    options
	work      string
	progress  io.Writer
	abandoned bool // a run had to be killed
}

// state is the state folder of all runs.
func (r *runner) state() string { return filepath.Join(r.work, "state") }

// run makes one run, of the checks that match pattern if it is not "", and measures it.
func (r *runner) run(ctx context.Context, each *side, pattern string) (measured, error) {
	if ctx.Err() != nil {
		return measured{}, context.Cause(ctx)
	}
	results := filepath.Join(r.work, "results-"+each.label)
	if err := errors.Join(os.RemoveAll(results), os.MkdirAll(r.state(), 0o700)); err != nil {
		return measured{}, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, r.wanted.limit, fmt.Errorf("it took longer than -limit %s", r.wanted.limit))
	defer cancel()
	arguments := append([]string{r.wanted.candidate}, r.wanted.flags...)
	if pattern != "" {
		arguments = append(arguments, "--run", pattern) // the last one counts
	}
	command := exec.CommandContext(limited, filepath.Join(each.folder, "run.sh"), append(arguments, "--results", results)...)
	command.Dir = each.folder
	command.Env = append(os.Environ(), "MSC4014_STATE_DIR="+r.state())
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is passed on, once
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = cleanupTime
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output

	before, err := readTimes()
	if err != nil {
		return measured{}, err
	}
	started := time.Now()
	runError := command.Run()
	wall := time.Since(started)
	after, err := readTimes()
	if err != nil {
		return measured{}, err
	}
	switch status := command.ProcessState; {
	case status == nil:
		return measured{}, fmt.Errorf("%s (%.12s) cannot be run: %w", each.label, each.commit, runError)
	case !status.Exited():
		r.abandoned = true
	}
	if limited.Err() != nil {
		return measured{}, fmt.Errorf("%s (%.12s): %w", each.label, each.commit, context.Cause(limited))
	}
	if code := command.ProcessState.ExitCode(); code != 0 && code != 1 { // 1: the verdicts are not those of the baseline
		return measured{}, fmt.Errorf("%s (%.12s): ./run.sh %s: %w; the end of what it wrote:\n%s", each.label, each.commit,
			strings.Join(r.wanted.flags, " "), runError, end(output.String()))
	}
	read, err := report.Read(results)
	if err != nil {
		return measured{}, fmt.Errorf("%s (%.12s): %w", each.label, each.commit, err)
	}
	return measured{wall: wall, spent: after.since(before), checks: judgedIn(read)}, nil
}

// end is the end of a text.
func end(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > outputShown {
		text = "..." + strings.ToValidUTF8(text[len(text)-outputShown:], "")
	}
	return text
}

// repository is the git repository that holds the commits.
type repository struct{ folder string }

// findRepository finds the repository of the folder called from. It refuses one with changes, which no commit has.
func findRepository(ctx context.Context) (repository, error) {
	var here repository
	top, err := here.git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return here, err
	}
	here.folder = top
	changes, err := here.git(ctx, "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return here, err
	}
	if changes != "" {
		return here, fmt.Errorf("%s has changes that are in no commit and would not be measured: commit them, or put them aside (git stash)", top)
	}
	return here, nil
}

// commit is the full name of a commit.
func (r repository) commit(ctx context.Context, name string) (string, error) {
	full, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%q is not a commit of %s", name, r.folder)
	}
	if _, err := r.git(ctx, "cat-file", "-e", full+":run.sh"); err != nil {
		return "", fmt.Errorf("%q has no run.sh: it is not a commit of this suite", name)
	}
	return full, nil
}

// checkOut makes a checkout of a commit, which shares this repository's objects and leaves nothing in it.
func (r repository) checkOut(ctx context.Context, commit, folder string) error {
	if _, err := r.git(ctx, "clone", "--quiet", "--shared", "--no-checkout", r.folder, folder); err != nil {
		return err
	}
	_, err := repository{folder}.git(ctx, "checkout", "--quiet", "--detach", commit)
	return err
}

// git calls git and returns what it says, or an error with what it says against it.
func (r repository) git(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", arguments...)
	command.Dir = r.folder
	var words bytes.Buffer
	command.Stderr = &words
	output, err := command.Output()
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("git %s: %w: %s", arguments[0], err, strings.TrimSpace(words.String()))
	}
	return strings.TrimSpace(string(output)), nil
}
