// Processes of a run, recorded in its folder so that they can be ended after the run was killed.

package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is the content of processes/<pid> and of owner.json. The start time distinguishes the process from a later one
// with the same ID, and the boot ID from one that started at the same time in a later boot.
type process struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
	Boot    string `json:"boot,omitempty"`
}

// RecordProcess records that the running process pid belongs to the run and ends with it. If it leads a process group, the
// group ends with it.
func (s *Session) RecordProcess(pid int) error {
	started, err := startTime(pid)
	if err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	data, err := json.Marshal(process{PID: pid, Started: started, Boot: bootID()})
	if err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	// Rename it into place, so that a cleaner never reads an incomplete record.
	path := s.processPath(pid)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("record process %d: %w", pid, err)
	}
	return nil
}

// ForgetProcess undoes RecordProcess, once the process has been waited for.
func (s *Session) ForgetProcess(pid int) error {
	if err := os.Remove(s.processPath(pid)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget process %d: %w", pid, err)
	}
	return nil
}

func (s *Session) processPath(pid int) string {
	return filepath.Join(s.Dir, processFolder, strconv.Itoa(pid))
}

// endProcesses ends the recorded processes of the run in dir and returns how many of them were still running.
func endProcesses(ctx context.Context, dir string) (ended int, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, processFolder))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list the processes of the run: %w", err)
	}
	var problems []error
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, processFolder, entry.Name()))
		var recorded process
		if err == nil && json.Unmarshal(data, &recorded) != nil {
			continue // an incomplete record
		}
		if err != nil || recorded.PID <= 1 {
			continue
		}
		was, err := endProcess(ctx, recorded)
		if was {
			ended++
		}
		problems = append(problems, err)
	}
	return ended, errors.Join(problems...)
}

// endProcess kills the process and waits until it has ended. It reports whether the process was running.
func endProcess(ctx context.Context, recorded process) (was bool, err error) {
	// Take the handle first (a pidfd on Linux): if the start time then matches, it refers to the recorded process.
	handle, err := os.FindProcess(recorded.PID)
	if err != nil {
		return false, nil // it has ended
	}
	defer func() { _ = handle.Release() }()
	if !isRunning(recorded) {
		return false, nil
	}
	if group, err := unix.Getpgid(recorded.PID); err == nil && group == recorded.PID {
		_ = unix.Kill(-group, unix.SIGKILL)
	}
	if err := handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return true, fmt.Errorf("end process %d: %w", recorded.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for isRunning(recorded) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return true, fmt.Errorf("end process %d: it is still running after SIGKILL: %w", recorded.PID, ctx.Err())
		}
	}
	return true, nil
}

// isRunning reports whether the recorded process is still running. A zombie is not; only its parent can remove it.
func isRunning(recorded process) bool {
	if recorded.Boot != "" && recorded.Boot != bootID() {
		return false
	}
	started, err := startTime(recorded.PID)
	return err == nil && started == recorded.Started
}

// startTime returns when the process pid started, in the system's own format: field 22 of /proc/<pid>/stat (clock ticks
// since boot) on Linux, the output of ps elsewhere. It returns an error if the process has ended, even if it is a zombie.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		if _, noProc := os.Stat("/proc/self/stat"); noProc == nil {
			return "", fmt.Errorf("no process %d: %w", pid, os.ErrProcessDone)
		}
		out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
		if started := strings.TrimSpace(string(out)); err == nil && started != "" {
			return started, nil
		}
		return "", fmt.Errorf("no process %d: %w", pid, os.ErrProcessDone)
	}
	// Field 2 is the program's name in parentheses, which may contain any character; count fields from its end.
	_, rest, found := cutLast(string(stat), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has an unknown format", pid)
	}
	// The first thread may end before the others; the process keeps its files open until the last has ended.
	if state, threads := fields[0], fields[17]; state == "X" || state == "Z" && (threads == "1" || threads == "0") {
		return "", fmt.Errorf("process %d has ended: %w", pid, os.ErrProcessDone)
	}
	return fields[19], nil
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}
