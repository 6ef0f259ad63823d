package report

// The results folder belongs to one run at a time. From the start of a run, its results.json and junit.xml describe that
// run, so that nobody who collects them after a run that was killed or could not be made mistakes an earlier run's for new
// ones. Until the run has a verdict, the earlier results are kept in EarlierFolder. The run collects its files in a folder
// of its own inside the results folder and moves them into place at the end. It removes only what a run has written.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"msc4014/helpers/verdict"
	"msc4014/internal/filelock"
)

// runFolderPattern matches the folders of unfinished runs inside a results folder.
const runFolderPattern = ".run-*"

// lockName is the file in a run's folder that the run locks while it is alive. It holds the run's process ID.
const lockName = ".lock"

// Folder is the results folder of one run. Its methods are for one goroutine.
type Folder struct {
	path    string
	staging string
	lock    *os.File
	made    bool // the results folder did not exist before
	begun   bool // earlier results have been set aside
	// Forms, if set, writes further forms of the results into a folder that has the run's files: those of FormFiles.
	Forms func(folder string, results Results) error
}

// FormFiles are the names of the forms that Folder.Forms may write.
var FormFiles = []string{HTMLFile, MarkdownFile, EARLFile}

// replaced are all files and folders of a run. A signature is of earlier results: it goes.
var replaced = append([]string{ResultsFile, JUnitFile, ChecksFolder, ConfigurationFolder, SignatureFile}, FormFiles...)

// OpenFolder creates the results folder at path if needed, and a folder inside it for this run. It removes what killed runs
// left there. It returns an error if a live run is using the folder, or if the folder has files of these names that are not
// from an earlier run.
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
	unlock, err := lockBriefly(context.Background(), absolute)
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

// Path returns the absolute path of the results folder.
func (f *Folder) Path() string { return f.path }

// Staging returns the absolute path of this run's files until Keep: the suite writes logs and transcripts into it, under
// the same names as in the results folder.
func (f *Folder) Staging() string { return f.staging }

// Keep writes results.json and junit.xml, and replaces what was there with them and the run's logs. It is called at the
// start of the run, with results that have no verdict yet, and at its end.
func (f *Folder) Keep(results Results) error {
	var err error
	if results.Evidence, err = evidenceIn(f.staging); err != nil {
		return fmt.Errorf("cannot read the evidence: %w", err)
	}
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
	if f.Forms != nil {
		if err := f.Forms(f.staging, results); err != nil {
			return err
		}
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
	for _, name := range replaced {
		if err := f.replace(name); err != nil {
			return fmt.Errorf("cannot move %s into %s: %w", name, f.path, err)
		}
	}
	if judged(results) {
		if err := f.replace(EarlierFolder); err != nil {
			return fmt.Errorf("cannot remove the earlier results in %s: %w", f.path, err)
		}
	}
	return nil
}

// evidenceIn returns the files in a folder that are evidence, sorted by path.
func evidenceIn(folder string) ([]EvidenceFile, error) {
	var files []EvidenceFile
	for _, name := range []string{ChecksFolder, ConfigurationFolder} {
		err := filepath.WalkDir(filepath.Join(folder, name), func(file string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the run kept none
			}
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			relative, err := filepath.Rel(folder, file)
			if err != nil {
				return err
			}
			sum, size, err := digest(file)
			files = append(files, EvidenceFile{Path: filepath.ToSlash(relative), SHA256: sum, Bytes: size})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// digest returns the SHA-256 digest of a file, in hexadecimal, and its size.
func digest(file string) (sum string, size int64, err error) {
	opened, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = opened.Close() }()
	hash := sha256.New()
	size, err = io.Copy(hash, opened)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// setAside moves the results of an earlier run to EarlierFolder if they have a verdict, but not junit.xml, which collectors
// would find by its name.
func (f *Folder) setAside() error {
	earlier, err := Read(f.path)
	if err != nil || !judged(earlier) {
		return nil // refuseForeign has checked: there is nothing, or nothing to keep
	}
	aside := filepath.Join(f.staging, EarlierFolder)
	if err := os.Mkdir(aside, 0o755); err != nil {
		return err
	}
	// Copy results.json: only its presence marks the other files in the folder as an earlier run's.
	data, err := os.ReadFile(filepath.Join(f.path, ResultsFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(aside, ResultsFile), data, 0o644)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{ChecksFolder, ConfigurationFolder, SignatureFile} {
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

// replace replaces an earlier entry with that of the run's folder, or removes it if the run has none.
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

// Close removes the run's own folder, and the results folder if it was created for this run and is empty.
func (f *Folder) Close() error {
	err := os.RemoveAll(f.staging)
	if f.made {
		_ = os.Remove(f.path) // fails, as it should, when it is not empty
	}
	return errors.Join(err, f.lock.Close())
}

// refuseForeign returns an error if folder has an entry that a run would replace and that no run wrote, because there is no
// results.json of this suite next to it.
func refuseForeign(folder string) error {
	for _, name := range replaced {
		there, err := exists(filepath.Join(folder, name))
		if err != nil {
			return fmt.Errorf("cannot use %s for results: %w", folder, err)
		}
		if !there {
			continue
		}
		if _, err := Read(folder); errors.Is(err, ErrNewer) {
			return fmt.Errorf("%w; or name another folder with --results", err)
		} else if err != nil {
			return fmt.Errorf("%s has a %q that is not from an earlier run; name another folder with --results",
				folder, name)
		}
	}
	aside := filepath.Join(folder, EarlierFolder)
	if there, _ := exists(aside); there {
		if _, err := Read(aside); err != nil && !errors.Is(err, ErrNewer) {
			return fmt.Errorf("%s has a %q that is not from an earlier run; name another folder with --results", folder, EarlierFolder)
		}
	}
	return nil
}

// refuseLiving returns an error if a run is using a results folder, and removes what dead runs left there. The caller holds
// the folder's lock, so a run's folder without a lock file is not one that is being created.
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

// Supersede replaces the results of an earlier run at path with those of a run that could not claim the folder. It does nothing
// if no run of this suite has left results there, or if a live run is using the folder: nothing in it can pass for the new run's.
func Supersede(path string, results Results, forms func(folder string, results Results) error) (err error) {
	if _, err := Read(path); err != nil {
		return nil
	}
	if _, running, err := Running(path); err == nil && running {
		return nil
	}
	folder, err := OpenFolder(path)
	if err == nil {
		defer func() { err = errors.Join(err, folder.Close()) }()
		folder.Forms = forms
		err = folder.Keep(results)
	}
	if err != nil {
		return fmt.Errorf("the results in %s are still an earlier run's: %w", path, err)
	}
	return nil
}

// removeDead removes the folders that killed runs left in a results folder.
func removeDead(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, runFolderPattern))
	for _, staging := range left {
		lock, err := os.OpenFile(filepath.Join(staging, lockName), os.O_RDWR, 0)
		if err != nil {
			continue // another run is just creating it, or it is not ours
		}
		if filelock.Try(lock, filelock.Exclusive) == nil {
			_ = os.RemoveAll(staging)
		}
		_ = lock.Close()
	}
}

// RemoveDead removes what killed runs left in the results folders below root. The clean command uses it.
func RemoveDead(ctx context.Context, root string) error {
	var problems []error
	for _, pattern := range []string{"*", "*/*"} {
		folders, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, folder := range folders {
			if left, _ := filepath.Glob(filepath.Join(folder, runFolderPattern)); len(left) == 0 {
				continue
			}
			unlock, err := lockBriefly(ctx, folder) // the folder of a run that is just beginning looks like a dead run's
			switch {
			case err == nil:
				removeDead(folder)
				unlock()
			case !errors.Is(err, os.ErrNotExist): // it went with its run
				problems = append(problems, err)
			}
		}
	}
	return errors.Join(problems...)
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

// lockBriefly prevents two runs from claiming a folder at the same moment. It locks the folder itself, which leaves no file
// behind.
func lockBriefly(ctx context.Context, folder string) (unlock func(), err error) {
	opened, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the results folder: %w", err)
	}
	if err := filelock.Wait(ctx, opened, filelock.Exclusive); err != nil {
		_ = opened.Close()
		return nil, fmt.Errorf("cannot lock the results folder %s: %w", folder, err)
	}
	return func() { _ = opened.Close() }, nil
}
