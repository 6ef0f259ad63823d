// Package baseline keeps what is expected of a candidate: the verdicts of its checks, with the reason for each that is
// not a pass, and the readings of open requirements. A run that misses its baseline is worse, or the baseline is out
// of date.
//
// This file reads and writes baseline files.
package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"msc4014/helpers/verdict"
)

// Todo begins the reasons that --update-baseline took over from a run and that nobody has put into words yet.
const Todo = "TODO: "

// Baseline is one file of baselines/: the expectations of one candidate.
type Baseline struct {
	Candidate string `json:"candidate"`
	// Catalogue is the version of the catalogue of requirements that it was made with.
	Catalogue int `json:"catalogue"`
	// Checks has an entry for each check that was judged, by its name.
	Checks map[string]Expectation `json:"checks"`
	// Monitors has an entry for each requirement that the passive monitors found broken.
	Monitors map[string]Expectation `json:"monitors,omitempty"`
	// Observations has the reading, or readings joined by " + ", of each open requirement.
	Observations map[string]string `json:"observations,omitempty"`
}

// Expectation is the verdict expected of one check, and why when it is not a pass.
type Expectation struct {
	Verdict verdict.Verdict `json:"verdict"`
	Reason  string          `json:"reason,omitempty"`
}

// Load reads the baseline at path. A missing file is os.ErrNotExist; anything else that is wrong is an error that
// names the file and the entry.
func Load(path string) (*Baseline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the baseline: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var b Baseline
	if err := decoder.Decode(&b); err != nil {
		return nil, fmt.Errorf("the baseline %s does not parse: %w", path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the baseline %s does not parse: more text follows its JSON object", path)
	}
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("the baseline %s is wrong: %w", path, err)
	}
	return &b, nil
}

// validate tells the first thing wrong with b.
func (b *Baseline) validate() error {
	if b.Candidate == "" {
		return errors.New(`it has no "candidate"`)
	}
	if b.Catalogue < 1 {
		return errors.New(`it has no "catalogue", the version of the catalogue that it was made with`)
	}
	if b.Checks == nil {
		return errors.New(`it has no "checks"`)
	}
	for kind, entries := range map[string]map[string]Expectation{"check": b.Checks, "monitor": b.Monitors} {
		for name, expected := range entries {
			if !expected.Verdict.Valid() {
				return fmt.Errorf("the verdict of %s %q is %q, which is none", kind, name, expected.Verdict)
			}
			if expected.Verdict == verdict.Error {
				return fmt.Errorf("%s %q expects %q: an error is the suite's or the machine's, never expected",
					kind, name, verdict.Error)
			}
		}
	}
	return nil
}

// Save writes b to path, sorted so that two versions of it can be read side by side; the file is whole at any moment.
func (b *Baseline) Save(path string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(b); err != nil {
		return fmt.Errorf("cannot write the baseline %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot write the baseline: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("cannot write the baseline: %w", err)
	}
	_, err = temporary.Write(text.Bytes())
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return fmt.Errorf("cannot write the baseline %s: %w", path, err)
	}
	return nil
}

// Unreviewed counts the reasons that nobody has put into words yet.
func (b *Baseline) Unreviewed() int {
	count := 0
	for _, entries := range []map[string]Expectation{b.Checks, b.Monitors} {
		for _, expected := range entries {
			if expected.Verdict != verdict.Pass && (expected.Reason == "" || strings.HasPrefix(expected.Reason, Todo)) {
				count++
			}
		}
	}
	return count
}
