package report

// Whether a run is using a results folder.

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"msc4014/internal/filelock"
)

// ReasonNotEnded begins the reason (Incomplete) of results that a run keeps while it goes.
const ReasonNotEnded = "the run has not ended"

// Unended reports whether results are those of a run that goes, or was killed.
func Unended(results Results) bool { return strings.HasPrefix(results.Incomplete, ReasonNotEnded) }

// Running returns the folder of the files of the run that is using a results folder, and whether there is one.
func Running(folder string) (staging string, running bool, err error) {
	unlock, err := lockBriefly(context.Background(), folder) // a run that is just beginning would take a test of its lock for another run
	if err != nil {
		return "", false, err
	}
	defer unlock()
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", false, err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), strings.TrimSuffix(runFolderPattern, "*")) {
			continue
		}
		staging := filepath.Join(folder, entry.Name())
		lock, err := os.Open(filepath.Join(staging, lockName))
		if err != nil {
			continue
		}
		locked := errors.Is(filelock.Try(lock, filelock.Shared), filelock.ErrLocked)
		_ = lock.Close()
		if locked {
			return staging, true, nil
		}
	}
	return "", false, nil
}

// RunningBelow returns the results folders below root, as a run chooses them, that a run is using.
func RunningBelow(root string) ([]string, error) {
	var folders []string
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, folder := range found {
			if info, err := os.Stat(folder); err != nil || !info.IsDir() {
				continue
			}
			if _, running, err := Running(folder); err == nil && running {
				folders = append(folders, folder)
			}
		}
	}
	return folders, nil
}
