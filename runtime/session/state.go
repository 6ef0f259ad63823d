// The state folder: finding, making and checking it.

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

// stateVariable names the state folder in the environment.
const stateVariable = "MSC4014_STATE_DIR"

// Names inside the state folder, beside its lock.
const (
	// markerName is the file that says that the folder is the suite's.
	markerName = "msc4014-state"
	runsName   = "runs"
	trashName  = "trash"
)

const markerText = `The conformance suite for MSC4014 records its runs here, and removes what dead runs left here.
Without this file it does not touch the folder.
`

// StateDir returns the folder in which the runs of this user are recorded: $MSC4014_STATE_DIR, or msc4014-<uid> in the
// folder for temporary files. It makes the folder if it is missing, and takes it if it is empty. Any other folder without
// the suite's marker is an error, and nothing in it is touched, since the suite deletes and ends processes by what it finds
// there; so is a folder that another user owns or can write to.
func StateDir() (string, error) {
	dir, usual := os.Getenv(stateVariable), false
	if dir == "" {
		dir, usual = filepath.Join(os.TempDir(), fmt.Sprintf("msc4014-%d", os.Getuid())), true
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the state folder (set %s to use another): %w", stateVariable, err)
	}
	if info, err := os.Lstat(dir); usual && err == nil && !info.IsDir() {
		return "", refuse(dir, "it is a symbolic link, which anybody can make there")
	}
	// One folder must have one name, as the name is what engine objects are labelled with.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	if err := take(dir, usual); err != nil {
		return "", err
	}
	for _, folder := range []string{runsDir(dir), trashDir(dir)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", fmt.Errorf("make the folders of runs: %w", err)
		}
		if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
			return "", refuse(dir, fmt.Sprintf("%s in it is not a folder", filepath.Base(folder)))
		}
	}
	// Whatever removes old files from the folder for temporary files leaves the marker of a folder in use.
	now := time.Now()
	_ = os.Chtimes(filepath.Join(dir, markerName), now, now)
	return dir, nil
}

// refuse is the error of a folder that cannot be the state folder.
func refuse(dir, why string) error {
	return fmt.Errorf("the folder %q cannot be the state folder: %s; nothing in it was touched; set %s to a folder that is "+
		"new or empty, and yours", dir, why, stateVariable)
}

// take checks that the folder is the suite's, and makes an empty one the suite's.
func take(dir string, usual bool) error {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return fmt.Errorf("look at the state folder %s: %w", dir, err)
	}
	if int(stat.Uid) != os.Getuid() {
		return refuse(dir, fmt.Sprintf("it belongs to user %d, not to you", stat.Uid))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look at the state folder: %w", err)
	}
	open := stat.Mode&0o022 != 0
	switch {
	case len(entries) == 0 && !usual && stat.Mode&unix.S_ISVTX == 0:
		// As if it had just been made: a umask of 002 is common.
		if err := os.Chmod(dir, 0o700); err != nil {
			return fmt.Errorf("make the state folder yours alone: %w", err)
		}
		if entries, err = os.ReadDir(dir); err != nil {
			return fmt.Errorf("look at the state folder: %w", err)
		}
	case open:
		return refuse(dir, fmt.Sprintf("others can write to it (mode %04o); chmod go-w closes it", stat.Mode&0o7777))
	}
	if len(entries) > 0 && !hasMarker(dir) {
		if foreign := foreignNames(dir, entries, usual); len(foreign) > 0 {
			return refuse(dir, fmt.Sprintf("it is not empty, the suite's marker %s is missing, and these are not the suite's: %s",
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

// hasMarker reports whether the suite has marked the folder. It is the first thing that the suite writes into it.
func hasMarker(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, markerName))
	return err == nil && info.Mode().IsRegular()
}

// foreignNames returns what makes a folder without a marker somebody else's. It is empty for a state folder of a version of
// the suite that made no markers: its lock, folders of runs that are the suite's, and nothing else.
func foreignNames(dir string, entries []os.DirEntry, usual bool) []string {
	var foreign []string
	for _, entry := range entries {
		switch name := entry.Name(); {
		case (name == runsName || name == trashName) && entry.IsDir():
			inside, err := foreignRuns(filepath.Join(dir, name))
			if err != nil {
				inside = []string{name} // what cannot be read is not taken
			}
			foreign = append(foreign, inside...)
		case name == lockName && isEmptyFile(entry):
		default:
			foreign = append(foreign, name)
		}
	}
	hasLock := slices.ContainsFunc(entries, func(entry os.DirEntry) bool { return entry.Name() == lockName })
	if len(foreign) == 0 && !hasLock && !usual {
		for _, entry := range entries {
			foreign = append(foreign, entry.Name())
		}
	}
	return foreign
}

// foreignRuns returns what is in a folder of runs and is not a run of the suite, each below the state folder.
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

// foreign returns what is in the state folder and not the suite's.
func foreign(state string) ([]string, error) {
	entries, err := os.ReadDir(state)
	if err != nil {
		return nil, fmt.Errorf("look at the state folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		switch entry.Name() {
		case markerName, lockName:
		case runsName, trashName:
			inside, err := foreignRuns(filepath.Join(state, entry.Name()))
			if err != nil {
				return nil, fmt.Errorf("look at the state folder: %w", err)
			}
			names = append(names, inside...)
		default:
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// listed writes a few names, quoted, as a file's name may hold anything.
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

// trashDir holds folders that are on their way out.
func trashDir(state string) string { return filepath.Join(state, trashName) }
