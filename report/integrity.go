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
)

// CheckEvidence recomputes the digests of all evidence of a results folder. Its error names each file that is missing, differs, or is not
// listed.
func CheckEvidence(folder string, results Results) error {
	var problems []error
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
			problems = append(problems, fmt.Errorf("%s is missing", file.Path))
		case err != nil:
			problems = append(problems, fmt.Errorf("%s cannot be read: %w", file.Path, err))
		case sum != file.SHA256 || size != file.Bytes:
			problems = append(problems, fmt.Errorf("%s was changed: its SHA-256 is %s, and results.json has %s", file.Path, sum, file.SHA256))
		}
	}
	there, err := evidenceIn(folder)
	if err != nil {
		return fmt.Errorf("cannot read the evidence: %w", err)
	}
	if results.Schema >= 2 {
		for _, file := range there {
			if !listed[file.Path] {
				problems = append(problems, fmt.Errorf("%s is not listed in %s", file.Path, ResultsFile))
			}
		}
	}
	if problems != nil {
		return fmt.Errorf("the evidence in %s is not that of its %s: %w", folder, ResultsFile, errors.Join(problems...))
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
