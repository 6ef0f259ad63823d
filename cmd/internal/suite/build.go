// Package suite builds the suite's binary (the package tests), asks it for its checks, and runs it as a child process
// whose stream of events it reads.
//
// This file builds it.
package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"msc4014/report"
	"msc4014/runtime/gocommand"
)

// listTimeout bounds how long the binary may take to list its checks.
const listTimeout = 60 * time.Second

// Build compiles the checks below root and returns the path of the binary. Two builds at once do not disturb each
// other or a run that uses the binary: it is made under another name and renamed.
func Build(ctx context.Context, root string) (string, error) {
	folder := filepath.Join(root, "bin")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("cannot build the checks: %w", err)
	}
	RemoveUnfinished(root)
	target := filepath.Join(folder, "suite")
	temporary := fmt.Sprintf("%s.new-%d", target, os.Getpid())
	defer func() { _ = os.Remove(temporary) }()
	work := filepath.Join(folder, fmt.Sprintf("%s%d", workPrefix, os.Getpid()))
	if err := os.MkdirAll(work, 0o755); err != nil {
		return "", fmt.Errorf("cannot build the checks: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	// Over a copy of the last one the go command links only when something changed.
	_ = copyFile(target, temporary)
	output, err := gocommand.Run(ctx, root, append(os.Environ(), gocommand.TemporaryVariable+"="+work),
		"build", "-buildvcs=false", "-o", temporary, "./tests")
	if err != nil {
		gocommand.EndWorkers(work) // somebody may have killed the go command alone
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("cannot build the checks (go build ./tests in %s): %w\n%s", root, err, strings.TrimSpace(output))
	}
	if err := os.Rename(temporary, target); err != nil {
		return "", fmt.Errorf("cannot build the checks: %w", err)
	}
	return target, nil
}

// workPrefix begins the names of the folders in root/bin for the temporary files of go commands: this package's and those
// of run.sh. They end, as the names of unfinished programs do, in the number of the process that builds.
const workPrefix = ".building-"

// RemoveUnfinished removes what builds that were killed left in root/bin, this package's and those of run.sh: programs,
// temporary files, and compilers that are still at work. Builds that live are left alone.
func RemoveUnfinished(root string) {
	for _, pattern := range []string{workPrefix + "*", "*.new-*"} {
		left, _ := filepath.Glob(filepath.Join(root, "bin", pattern))
		for _, path := range left {
			number, err := strconv.Atoi(path[strings.LastIndex(path, "-")+1:])
			if err != nil || !errors.Is(syscall.Kill(number, 0), syscall.ESRCH) {
				continue
			}
			if pattern != "*.new-*" {
				gocommand.EndWorkers(path)
			}
			_ = os.RemoveAll(path)
		}
	}
}

// copyFile copies an executable.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// List asks the binary which checks it has, in its order. It starts nothing else.
func List(ctx context.Context, binary string) ([]report.RegisteredCheck, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, binary, "--list")
	command.WaitDelay = 5 * time.Second
	var output, words bytes.Buffer
	command.Stdout, command.Stderr = &output, &words
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("the suite did not list its checks: %w", context.Cause(ctx))
		}
		return nil, fmt.Errorf("the suite cannot start: %w\n%s", err, strings.TrimSpace(words.String()))
	}
	var checks []report.RegisteredCheck
	if err := json.Unmarshal(output.Bytes(), &checks); err != nil {
		return nil, fmt.Errorf("the suite's list of checks does not parse: %w", err)
	}
	return checks, nil
}
