// The state folder: finding, creating and checking it.

package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// StateVariable names the state folder in the environment.
const StateVariable = "MSC4014_STATE_DIR"

// Names inside the state folder, in addition to its lock.
const (
	// markerName is the file that marks the folder as the suite's.
	markerName = "msc4014-state"
	runsName   = "runs"
	trashName  = "trash"
)

const markerText = `The MSC4014 conformance suite records its runs in this folder, and removes what dead runs left in it.
It does not use a folder without this file, unless the folder is empty.
`

// StateDir returns the folder in which the runs of this user are recorded: $MSC4014_STATE_DIR, or msc4014-<uid> in the
// folder for temporary files. It creates the folder if it does not exist, and accepts it if it is empty. Since the suite
// deletes files and kills processes according to what it finds there, StateDir returns an error, and changes nothing, for any
// other folder without the suite's marker, and for a folder that another user owns or can write to.
func StateDir() (string, error) {
	dir, isDefault := os.Getenv(StateVariable), false
	if dir == "" {
		dir, isDefault = filepath.Join(os.TempDir(), fmt.Sprintf("msc4014-%d", os.Getuid())), true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create the state folder (set %s to use another): %w", StateVariable, err)
	}
	if info, err := os.Lstat(dir); isDefault && err == nil && !info.IsDir() {
		return "", refuse(dir, "it is a symbolic link, which anybody can create there")
	}
	// A folder must have only one name, as engine objects are labelled with it.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	if err := take(dir, isDefault); err != nil {
		return "", err
	}
	for _, folder := range []string{runsDir(dir), trashDir(dir)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", fmt.Errorf("create the folders of runs: %w", err)
		}
		if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
			return "", refuse(dir, fmt.Sprintf("%s in it is not a folder", filepath.Base(folder)))
		}
	}
	// Renew the marker, so that programs that remove old temporary files keep it.
	now := time.Now()
	_ = os.Chtimes(filepath.Join(dir, markerName), now, now)
	return dir, nil
}

// refuse returns the error for a folder that cannot be the state folder.
func refuse(dir, why string) error {
	return fmt.Errorf("the folder %q cannot be the state folder: %s; nothing in it was changed; set %s to a new or empty "+
		"folder that you own", dir, why, StateVariable)
}

// take checks that the folder is the suite's, and marks an empty one as the suite's.
func take(dir string, isDefault bool) error {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return fmt.Errorf("inspect the state folder %s: %w", dir, err)
	}
	if int(stat.Uid) != os.Getuid() {
		return refuse(dir, fmt.Sprintf("it belongs to user %d, not to you", stat.Uid))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("inspect the state folder: %w", err)
	}
	open := stat.Mode&0o022 != 0
	switch {
	case len(entries) == 0 && !isDefault && stat.Mode&unix.S_ISVTX == 0:
		// Treat it as newly created: a umask of 002 is common.
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("make the state folder private: %w", err)
		}
		if entries, err = os.ReadDir(dir); err != nil {
			return fmt.Errorf("inspect the state folder: %w", err)
		}
	case open:
		return refuse(dir, fmt.Sprintf("others can write to it (mode %04o); use chmod go-w to prevent that", stat.Mode&0o7777))
	}
	if len(entries) > 0 && !hasMarker(dir) {
		if foreign := foreignNames(dir, entries, isDefault); len(foreign) > 0 {
			return refuse(dir, fmt.Sprintf("it is not empty, the suite's marker %s is missing, and it contains files that are not the suite's: %s",
				markerName, listed(foreign)))
		}
	}
	marker, err := os.OpenFile(filepath.Join(dir, markerName), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if hasMarker(dir) {
			return nil
		}
		return refuse(dir, markerName+" in it is not a file")
	}
	if err != nil {
		return fmt.Errorf("mark the state folder: %w", err)
	}
	_, err = marker.WriteString(markerText)
	if err := errors.Join(err, marker.Close()); err != nil {
		return fmt.Errorf("mark the state folder: %w", err)
	}
	return nil
}

// hasMarker reports whether the suite has marked the folder. The marker is the first thing that the suite writes into it.
func hasMarker(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, markerName))
	return err == nil && info.Mode().IsRegular()
}

// foreignNames returns the files of a folder without a marker that are not the suite's. It returns none for a state folder
// of an old version of the suite, which wrote no marker: it contains only the lock and folders of the suite's runs.
func foreignNames(dir string, entries []os.DirEntry, isDefault bool) []string {
	var foreign []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case (name == runsName || name == trashName) && entry.IsDir():
			inside, err := foreignRuns(filepath.Join(dir, name))
			if err != nil {
				inside = []string{name} // do not accept what cannot be read
			}
			foreign = append(foreign, inside...)
		case name == lockName && isEmptyFile(entry):
		default:
			foreign = append(foreign, name)
		}
	}
	hasLock := slices.ContainsFunc(entries, func(entry os.DirEntry) bool { return entry.Name() == lockName })
	if len(foreign) == 0 && !hasLock && !isDefault {
		for _, entry := range entries {
			foreign = append(foreign, entry.Name())
		}
	}
	return foreign
}

// foreignRuns returns what is in a folder of runs but is not a run of the suite, as paths relative to the state folder.
func foreignRuns(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var foreign []string
	for _, entry := range entries {
		own, err := isRun(filepath.Join(folder, entry.Name()))
		if own || errors.Is(err, fs.ErrNotExist) { // it ended just now
			continue
		}
		foreign = append(foreign, filepath.Join(filepath.Base(folder), entry.Name()))
	}
	return foreign, nil
}

// foreign returns what is in the state folder but is not the suite's.
func foreign(state string) ([]string, error) {
	entries, err := os.ReadDir(state)
	if err != nil {
		return nil, fmt.Errorf("inspect the state folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		switch entry.Name() {
		case markerName, lockName:
		case runsName, trashName:
			inside, err := foreignRuns(filepath.Join(state, entry.Name()))
			if err != nil {
				return nil, fmt.Errorf("inspect the state folder: %w", err)
			}
			names = append(names, inside...)
		default:
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// listed lists at most a few names, quoted because a file's name may contain any character.
func listed(names []string) string {
	const most = 3
	var quoted []string
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

func isEmptyFile(entry os.DirEntry) bool {
	info, err := entry.Info()
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

func runsDir(state string) string { return filepath.Join(state, runsName) }

// trashDir returns the folder for folders that are being removed.
func trashDir(state string) string { return filepath.Join(state, trashName) }
