package report

// The results folder belongs to one run at a time. From the beginning of a run its results.json and junit.xml tell of that
// run, so that whoever collects them after a run that was killed or could not be made does not take an earlier run's for
// new. Until the run has a verdict of its own, the earlier results are kept beside it (EarlierFolder). The run gathers its
// files in a folder of its own inside and puts them in place in the end. Nothing is ever removed that a run did not write.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"msc4014/helpers/verdict"
	"msc4014/internal/filelock"
)

// runFolderPattern is how the folders of unfinished runs are named inside a results folder.
const runFolderPattern = ".run-*"

// lockName is the file in a run's folder whose lock says that the run is alive. It holds the number of its process.
const lockName = ".lock"

// Folder is the results folder of one run. Its methods are for one goroutine.
type Folder struct {
	path    string
	staging string
	lock    *os.File
	made    bool // the results folder did not exist before
	begun   bool // earlier results are out of the way
}

// OpenFolder makes the results folder at path where needed and a folder inside it for this run. It removes what runs
// that were killed left there. It refuses a folder that a living run is using, and one that holds files of these names
// that are not of an earlier run.
func OpenFolder(path string) (*Folder, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s for results: %w", path, err)
	}
	info, err := os.Stat(absolute)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("cannot use %s for results: %w", path, err)
	case there && !info.IsDir():
		return nil, fmt.Errorf("cannot use %s for results: it is a file; name a folder with --results", path)
	}
	if err := refuseForeign(absolute); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(absolute, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the results folder: %w", err)
	}
	unlock, err := lockBriefly(absolute)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := refuseLiving(absolute); err != nil {
		return nil, err
	}
	staging, err := os.MkdirTemp(absolute, runFolderPattern)
	if err != nil {
		return nil, fmt.Errorf("cannot write into the results folder: %w", err)
	}
	lock, err := lockFolder(staging)
	if err != nil {
		_ = os.RemoveAll(staging)
		return nil, err
	}
	if err := os.Chmod(staging, 0o755); err != nil {
		return nil, err
	}
	return &Folder{path: absolute, staging: staging, lock: lock, made: !there}, nil
}

// Path is the results folder, absolute.
func (f *Folder) Path() string { return f.path }

// Staging is where this run's files are until Keep, absolute: the suite writes logs and transcripts into it, under
// the names that they have in the results folder.
func (f *Folder) Staging() string { return f.staging }

// Keep writes results.json and junit.xml and puts them and the run's logs in the place of what was there. It is called as
// the run begins, with results that have no verdict yet, and when it has ended.
func (f *Folder) Keep(results Results) error {
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write results.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(f.staging, ResultsFile), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write results.json: %w", err)
	}
	junit, err := os.Create(filepath.Join(f.staging, JUnitFile))
	if err != nil {
		return fmt.Errorf("cannot write junit.xml: %w", err)
	}
	if err := errors.Join(WriteJUnit(junit, results), junit.Close()); err != nil {
		return fmt.Errorf("cannot write junit.xml: %w", err)
	}
	if err := refuseForeign(f.path); err != nil {
		return err
	}
	if !f.begun {
		if err := f.setAside(); err != nil {
			return fmt.Errorf("cannot set the earlier results in %s aside: %w", f.path, err)
		}
		f.begun = true
	}
	for _, name := range []string{ResultsFile, JUnitFile, ChecksFolder, ConfigurationFolder} {
		if err := f.replace(name); err != nil {
			return fmt.Errorf("cannot put %s in its place in %s: %w", name, f.path, err)
		}
	}
	if judged(results) {
		if err := f.replace(EarlierFolder); err != nil {
			return fmt.Errorf("cannot remove the earlier results in %s: %w", f.path, err)
		}
	}
	return nil
}

// setAside moves the results of an earlier run to EarlierFolder, if there is a verdict in them: without junit.xml, which
// collectors find by its name.
func (f *Folder) setAside() error {
	earlier, err := Read(f.path)
	if err != nil || !judged(earlier) {
		return nil // refuseForeign has looked: there is nothing, or nothing to keep
	}
	aside := filepath.Join(f.staging, EarlierFolder)
	if err := os.Mkdir(aside, 0o755); err != nil {
		return err
	}
	// results.json is copied: whatever else is in the folder is an earlier run's only as long as it is there.
	data, err := os.ReadFile(filepath.Join(f.path, ResultsFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(aside, ResultsFile), data, 0o644)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{ChecksFolder, ConfigurationFolder} {
		if err := os.Rename(filepath.Join(f.path, name), filepath.Join(aside, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return f.replace(EarlierFolder)
}

// judged reports whether any check has a verdict.
func judged(results Results) bool {
	return slices.ContainsFunc(results.Checks, func(check verdict.CheckResult) bool { return check.Verdict != verdict.NotRun })
}

// replace puts one entry of the run's folder in the place of the earlier one, or removes the earlier one.
func (f *Folder) replace(name string) error {
	made, target := filepath.Join(f.staging, name), filepath.Join(f.path, name)
	there, err := exists(made)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(target); err == nil && (info.IsDir() || !there) {
		old, err := os.MkdirTemp(f.staging, ".old-*")
		if err != nil {
			return err
		}
		if err := os.Rename(target, filepath.Join(old, name)); err != nil {
			return err
		}
	}
	if !there {
		return nil
	}
	return os.Rename(made, target)
}

// Close removes the run's own folder, and the results folder if it was made for this run and
// nothing was put into it.
func (f *Folder) Close() error {
	err := os.RemoveAll(f.staging)
	if f.made {
		_ = os.Remove(f.path) // fails, as it should, when it is not empty
	}
	return errors.Join(err, f.lock.Close())
}

// refuseForeign returns an error when folder holds an entry that a run would replace and that no run wrote: there is
// no results.json of this suite beside it.
func refuseForeign(folder string) error {
	for _, name := range []string{ChecksFolder, ConfigurationFolder, JUnitFile, ResultsFile} {
		there, err := exists(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("cannot use %s for results: %w", folder, err)
		}
		if !there {
			continue
		}
		if _, err := Read(folder); err != nil {
			return fmt.Errorf("%s has a %q that is not of an earlier run; name another folder with --results",
				folder, name)
		}
	}
	aside := filepath.Join(folder, EarlierFolder)
	if there, _ := exists(aside); there {
		if _, err := Read(aside); err != nil {
			return fmt.Errorf("%s has a %q that is not of an earlier run; name another folder with --results", folder, EarlierFolder)
		}
	}
	return nil
}

// refuseLiving returns an error when a run is using a results folder, and removes what dead runs left there. The caller
// holds the folder's lock, so a run's folder without a lock of its own is not just being made.
func refuseLiving(folder string) error {
	removeDead(folder)
	left, _ := filepath.Glob(filepath.Join(folder, runFolderPattern))
	for _, staging := range left {
		number, err := os.ReadFile(filepath.Join(staging, lockName))
		if errors.Is(err, os.ErrNotExist) {
			_ = os.RemoveAll(staging)
			continue
		}
		who := "another run"
		if len(number) > 0 {
			who += " (process " + strings.TrimSpace(string(number)) + ")"
		}
		return fmt.Errorf("%s is using the results folder %s; wait until it has ended, or name another folder with --results", who, folder)
	}
	return nil
}

// removeDead removes the folders that killed runs left in a results folder.
func removeDead(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, runFolderPattern))
	for _, staging := range left {
		lock, err := os.OpenFile(filepath.Join(staging, lockName), os.O_RDWR, 0)
		if err != nil {
			continue // being made by another run at this moment, or not ours
		}
		if filelock.Try(lock, filelock.Exclusive) == nil {
			_ = os.RemoveAll(staging)
		}
		_ = lock.Close()
	}
}

// RemoveDead removes what killed runs left in the results folders below root, for the clean command.
func RemoveDead(root string) {
	for _, pattern := range []string{"*", "*/*"} {
		folders, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, folder := range folders {
			removeDead(folder)
		}
	}
}

// lockFolder locks a run's folder for as long as the returned file is open.
func lockFolder(staging string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(staging, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the run's results folder: %w", err)
	}
	if err := filelock.Try(lock, filelock.Exclusive); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", lock.Name(), err)
	}
	if _, err := lock.WriteString(strconv.Itoa(os.Getpid())); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("cannot write into the results folder: %w", err)
	}
	return lock, nil
}

// lockBriefly keeps two runs from taking one folder at the same moment. It locks the folder itself, which leaves no file
// behind.
func lockBriefly(folder string) (unlock func(), err error) {
	opened, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the results folder: %w", err)
	}
	if err := filelock.Wait(context.Background(), opened, filelock.Exclusive); err != nil {
		_ = opened.Close()
		return nil, fmt.Errorf("cannot lock the results folder %s: %w", folder, err)
	}
	return func() { _ = opened.Close() }, nil
}
