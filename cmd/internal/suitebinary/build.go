// Package suitebinary builds the suite's binary (the package tests), asks it for its checks, and runs it as a child process
// whose stream of events it reads.
//
// This file builds it.
package suitebinary

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

	"msc4014/internal/filelock"
	"msc4014/internal/selection"
	"msc4014/runtime/gocommand"
)

// listTimeout bounds how long the binary may take to list its checks.
const listTimeout = 60 * time.Second

// Build compiles the checks below root and returns the path of the binary. It is built under another name and renamed,
// so that concurrent builds, and runs that use the binary, are not disturbed. In an image of the suite it is there already.
func Build(ctx context.Context, root string) (string, error) {
	folder := filepath.Join(root, "bin")
	if Prebuilt(root) != "" {
		return filepath.Join(folder, "suite"), nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("cannot build the checks: %w", err)
	}
	RemoveUnfinished(root)
	work, err := os.MkdirTemp(folder, fmt.Sprintf("%s*-%d", workPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("cannot build the checks: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if lock, err := lockWork(work); err == nil { // some file systems have no locks: there the process ID must do
		defer func() { _ = lock.Close() }()
	}
	target, temporary := filepath.Join(folder, "suite"), filepath.Join(work, "suite")
	// Over a copy of the last binary, the go command links only if something changed.
	_ = copyFile(target, temporary)
	output, err := gocommand.Run(ctx, root, append(os.Environ(), gocommand.TemporaryVariable+"="+work),
		"build", "-buildvcs=false", "-o", temporary, "./tests")
	if err != nil {
		gocommand.EndWorkers(work) // the go command alone may have been killed
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

// Prebuilt returns the commit of which root/bin has all programs, because root is in an image of the suite (dockerfiles/suite), which has no
// Go; else "".
func Prebuilt(root string) (commit string) {
	text, _ := os.ReadFile(filepath.Join(root, "bin", "prebuilt"))
	return strings.TrimSpace(string(text))
}

// workPrefix begins the names of folders in root/bin for unfinished programs and temporary files of go commands: this package's
// and those of run.sh. Their names end in the process ID of the builder, which holds the folder's lock.
const workPrefix = ".building-"

// lockWork takes the lock of a folder until the returned file is closed. Compilers do not inherit it.
func lockWork(work string) (*os.File, error) {
	opened, err := os.Open(work)
	if err != nil {
		return nil, err
	}
	if err := filelock.Try(opened, filelock.Exclusive); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// RemoveUnfinished removes what killed builds left in root/bin, this package's and those of run.sh: programs, temporary
// files, and compilers that are still at work. Live builds are left alone: the process ID tells those that have no lock (yet), the
// lock those in other PID namespaces.
func RemoveUnfinished(root string) {
	left, _ := filepath.Glob(filepath.Join(root, "bin", workPrefix+"*"))
	for _, work := range left {
		number, err := strconv.Atoi(work[strings.LastIndex(work, "-")+1:])
		if err != nil || !errors.Is(syscall.Kill(number, 0), syscall.ESRCH) {
			continue
		}
		lock, err := lockWork(work)
		if errors.Is(err, filelock.ErrLocked) {
			continue
		}
		gocommand.EndWorkers(work)
		_ = os.RemoveAll(work)
		if err == nil {
			_ = lock.Close()
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

// List returns the binary's checks, in its order. Nothing else is started.
func List(ctx context.Context, binary string) ([]selection.Check, error) {
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
	var checks []selection.Check
	if err := json.Unmarshal(output.Bytes(), &checks); err != nil {
		return nil, fmt.Errorf("the suite's list of checks does not parse: %w", err)
	}
	return checks, nil
}
