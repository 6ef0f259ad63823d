package report

// The evidence beside results.json, checked against the digests in it.

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"msc4014/helpers/verdict"
)

// ErrEvidence is the error of CheckEvidence for evidence that is not that of the results.
var ErrEvidence = errors.New("the evidence is not that of " + ResultsFile)

// CheckEvidence recomputes the digests of all evidence of a results folder. Its error names each file that is missing, differs, or is not
// listed, and the checks that rest on it.
func CheckEvidence(folder string, results Results) error {
	var problems []error
	add := func(file, format string, arguments ...any) {
		text := file + " " + fmt.Sprintf(format, arguments...)
		for _, check := range results.Checks {
			for _, attempt := range []*verdict.CheckResult{&check, check.First} {
				if attempt != nil && (attempt.Log == file || attempt.Transcript == file) {
					text += fmt.Sprintf(", evidence of the check %q", check.Name)
				}
			}
		}
		problems = append(problems, errors.New(text))
	}
	listed := map[string]bool{}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("cannot read the evidence: %w", err)
	}
	defer func() { _ = root.Close() }()
	for _, file := range results.Evidence {
		listed[file.Path] = true
		sum, size, err := digestIn(root, file.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			add(file.Path, "is missing")
		case err != nil:
			add(file.Path, "cannot be read: %v", err)
		case sum != file.SHA256 || size != file.Bytes:
			add(file.Path, "was changed: its SHA-256 is %s, and %s has %s", sum, ResultsFile, file.SHA256)
		}
	}
	there, err := evidenceIn(folder)
	if err != nil {
		return fmt.Errorf("cannot read the evidence: %w", err)
	}
	if results.Schema >= 2 {
		for _, file := range there {
			if !listed[file.Path] {
				add(file.Path, "is not listed in %s", ResultsFile)
			}
		}
	}
	if problems != nil {
		return fmt.Errorf("%w: %s: %w", ErrEvidence, folder, errors.Join(problems...))
	}
	return nil
}

// digestIn is digest for a file below root, named with slashes.
func digestIn(root *os.Root, file string) (sum string, size int64, err error) {
	if strings.Contains(file, "\\") {
		return "", 0, errors.New("its name is not one of evidence")
	}
	opened, err := root.Open(filepath.FromSlash(file))
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = opened.Close() }()
	hash := sha256.New()
	size, err = io.Copy(hash, opened)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}
