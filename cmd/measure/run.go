package main

// One run of one commit, and the git repository of the commits.

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

// cleanupTime is how long a run may take to clean up.
const cleanupTime = 2 * time.Minute

// outputShown is how many bytes of the end of a failed run's output are shown.
const outputShown = 2000

// runner makes runs.
type runner struct {
	wanted    options
	work      string
	progress  io.Writer
	abandoned bool // a run had to be killed
}

// state returns the state folder of all runs.
func (r *runner) state() string { return filepath.Join(r.work, "state") }

// run makes and measures one run, limited to the checks that match pattern unless it is "".
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
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C reaches it only once, from Cancel
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
	if code := command.ProcessState.ExitCode(); code != 0 && code != 1 { // 1: verdicts differ from the baseline
		return measured{}, fmt.Errorf("%s (%.12s): ./run.sh %s: %w; the end of its output:\n%s", each.label, each.commit,
			strings.Join(r.wanted.flags, " "), runError, end(output.String()))
	}
	read, err := report.Read(results)
	if err != nil {
		return measured{}, fmt.Errorf("%s (%.12s): %w", each.label, each.commit, err)
	}
	return measured{wall: wall, spent: after.since(before), checks: judgedIn(read)}, nil
}

// end returns the end of a text.
func end(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > outputShown {
		text = "..." + strings.ToValidUTF8(text[len(text)-outputShown:], "")
	}
	return text
}

// repository is the git repository that holds the commits.
type repository struct{ folder string }

// findRepository finds the repository of the working directory. It returns an error if there are uncommitted changes.
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
		return here, fmt.Errorf("%s has uncommitted changes, which would not be measured: commit or stash them", top)
	}
	return here, nil
}

// commit returns the full hash of a commit.
func (r repository) commit(ctx context.Context, name string) (string, error) {
	full, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%q is not a commit of %s", name, r.folder)
	}
	if _, err := r.git(ctx, "cat-file", "-e", full+":run.sh"); err != nil {
		return "", fmt.Errorf("%q has no run.sh, so it is not a commit of this suite", name)
	}
	return full, nil
}

// checkOut checks a commit out into a clone that shares this repository's objects and leaves nothing behind in it.
func (r repository) checkOut(ctx context.Context, commit, folder string) error {
	if _, err := r.git(ctx, "clone", "--quiet", "--shared", "--no-checkout", r.folder, folder); err != nil {
		return err
	}
	_, err := repository{folder}.git(ctx, "checkout", "--quiet", "--detach", commit)
	return err
}

// git runs git and returns its output, or an error with its error output.
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
