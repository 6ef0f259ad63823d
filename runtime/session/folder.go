// The folder of a run: recognizing and removing it.

package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// runName matches the ID of a run, which is also the name of its folder.
var runName = regexp.MustCompile(`^[0-9a-f]{10}$`)

// isRun reports whether dir is the folder of a run of the suite: its name is an ID, and it has the record of the process that
// opened the run, or no content that could be lost. It returns an error if the folder does not exist or cannot be read.
func isRun(dir string) (bool, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return false, err
	}
	if !info.IsDir() || !runName.MatchString(filepath.Base(dir)) {
		return false, nil
	}
	if opened := readOwner(dir); opened.PID > 0 && opened.Started != "" {
		return true, nil
	}
	// It may be of a run that was killed while opening, or partly removed.
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		switch path := filepath.Join(dir, entry.Name()); entry.Name() {
		case lockName, ownerName:
			if !entry.Type().IsRegular() {
				return false, nil
			}
		case processFolder:
			if inside, err := os.ReadDir(path); err != nil || len(inside) > 0 {
				return false, err
			}
		default:
			return false, nil
		}
	}
	return true, nil
}

// runFolders returns the names of the runs' folders in a folder of runs.
func runFolders(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if own, err := isRun(filepath.Join(folder, entry.Name())); err == nil && own {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// removeFolder removes the folder of a run, its owner's record last, so that isRun recognizes the rest of a folder whose
// removal was interrupted.
func removeFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove a run's folder: %w", err)
	}
	var problems []error
	for _, entry := range entries {
		if entry.Name() != ownerName {
			problems = append(problems, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("remove a run's folder: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove a run's folder: %w", err)
	}
	return nil
}

// emptyTrash removes folders of runs whose removal was interrupted.
func emptyTrash(state string) error {
	names, err := runFolders(trashDir(state))
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range names {
		problems = append(problems, removeFolder(filepath.Join(trashDir(state), name)))
	}
	return errors.Join(problems...)
}
