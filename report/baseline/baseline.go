// Package baseline stores the results expected of a candidate: the verdicts of its checks, with the reason for each that is
// not a pass, and the readings of open requirements. If a run differs from its baseline, the candidate is worse or the
// baseline is out of date.
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
	"slices"
	"strings"
	"time"

	"msc4014/helpers/verdict"
)

// Todo is the prefix of reasons that --update-baseline copied from a run and nobody has rewritten yet.
const Todo = "TODO: "

// Baseline is one file of baselines/: the expectations for one candidate.
type Baseline struct {
	Candidate string `json:"candidate"`
	// Catalogue is the version of the catalogue of requirements at its creation.
	Catalogue int `json:"catalogue"`
	// Format is what the entries tell: withManner, or 0 for verdicts alone, so that nothing else is compared.
	Format int `json:"format,omitempty"`
	// Checks has an entry for each judged check, by name.
	Checks map[string]Expectation `json:"checks"`
	// Monitors has an entry for each requirement that the passive monitors find broken, in all runs or in some, by ID.
	Monitors map[string]Expectation `json:"monitors,omitempty"`
	// Observations has the reading, or readings joined by " + ", of each open requirement.
	Observations map[string]string `json:"observations,omitempty"`
}

// withManner is the Format of baselines whose entries tell how a check came to its verdict, as far as that is the same in every run:
// texts of servers, event IDs and names are not.
const withManner = 2

// Expectation is the expected verdict of one check, or of the monitors about one requirement, with the reason if it is not a pass.
type Expectation struct {
	Verdict verdict.Verdict `json:"verdict"`
	// BlockedBy is the requirement that blocks the check.
	BlockedBy string `json:"blocked_by,omitempty"`
	// Died tells the death of a server from a wrong answer.
	Died bool `json:"died,omitempty"`
	// Either has what else the check or the monitors may come to if the candidate itself is unsteady there, without reasons of their own.
	Either []Expectation `json:"either,omitempty"`
	// Until is the last day (2006-01-02, UTC) on which Either holds. After it, the entry is out of date.
	Until  string `json:"until,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Differences are the names of what the check may find, of checks that find several things.
	Differences []string `json:"differences,omitempty"`
	// NotJudged names what the check need not judge of what it covers (check.C.NotJudged).
	NotJudged []string `json:"not_judged,omitempty"`
}

// Differences returns the differences that checks may find, by check.
func (b *Baseline) Differences() map[string][]string {
	all := map[string][]string{}
	if b == nil {
		return all
	}
	for name, expected := range b.Checks {
		if len(expected.Differences) > 0 {
			all[name] = expected.Differences
		}
	}
	return all
}

// unexpected describes what is not as e expects of a check with the verdict that e expects: differences that it found, or what it did
// not judge; "" if there is nothing.
func (e Expectation) unexpected(check verdict.CheckResult) string {
	var parts []string
	if found := missing(check.Differences, e.Differences); check.Verdict == verdict.Fail && len(found) > 0 {
		parts = append(parts, "with new differences: "+strings.Join(found, "; "))
	}
	if lost := missing(check.NotJudged, e.NotJudged); len(lost) > 0 {
		parts = append(parts, "without judging: "+strings.Join(lost, "; "))
	}
	return strings.Join(parts, "; ")
}

// missing returns what is in list and not in from.
func missing(list, from []string) (others []string) {
	for _, name := range list {
		if !slices.Contains(from, name) {
			others = append(others, name)
		}
	}
	return others
}

// union returns what is in one of two lists, sorted, or nil.
func union(a, b []string) []string {
	return slices.Sorted(slices.Values(slices.Concat(a, missing(b, a))))
}

// manner describes the verdict and how the check came to it: "fail, a server died".
func (e Expectation) manner() string {
	switch {
	case e.Died:
		return string(e.Verdict) + ", a server died"
	case e.BlockedBy != "":
		return string(e.Verdict) + " by " + e.BlockedBy
	}
	return string(e.Verdict)
}

// String describes all that is expected: "fail, a server died, or fail (until 2027-01-31)".
func (e Expectation) String() string {
	text := e.manner()
	for _, other := range e.Either {
		text += ", or " + other.manner()
	}
	if e.Until != "" {
		text += " (until " + e.Until + ")"
	}
	return text
}

// expects reports whether got is one of the results that e expects.
func (e Expectation) expects(got Expectation) bool {
	return e.manner() == got.manner() || slices.ContainsFunc(e.Either, func(other Expectation) bool { return other.manner() == got.manner() })
}

// Expects reports whether a check comes to what the baseline expects of it today. A baseline that is nil expects no fail. A result that
// is not final says nothing against a baseline that expects a death, which is known in the end; nor does a check that did not run.
func (b *Baseline) Expects(check verdict.CheckResult, final bool) bool {
	if check.Verdict == verdict.NotRun || check.Closing && check.Verdict == verdict.Pass {
		return true // a pass of a part says nothing of the rest, and the summary of the whole tells it
	}
	if b == nil {
		return check.Verdict != verdict.Fail && check.Verdict != verdict.Error
	}
	expected, known := b.Checks[verdict.Repeated(check.Name)]
	got := Expectation{Verdict: check.Verdict, BlockedBy: check.BlockedBy, Died: check.Died}
	switch {
	case !known:
		return check.Verdict == verdict.Pass || check.Verdict == verdict.Unsupported // new
	case b.Format < withManner:
		return expected.Verdict == check.Verdict
	case expected.isOver(time.Now()):
		return false
	case !final && expected.expectsDeath():
		return true
	}
	return expected.expects(got) && expected.unexpected(check) == ""
}

// expectsDeath reports whether one of the results that e expects is that a server died.
func (e Expectation) expectsDeath() bool {
	return e.Died || slices.ContainsFunc(e.Either, func(other Expectation) bool { return other.Died })
}

// isOver reports whether the day Until had ended at a time.
func (e Expectation) isOver(at time.Time) bool {
	return e.Until != "" && at.UTC().Format(time.DateOnly) > e.Until
}

// on returns the entry as it holds on the day of a run: without Either once Until is over.
func (e Expectation) on(day time.Time) Expectation {
	if e.isOver(day) {
		e.Either, e.Until = nil, ""
	}
	return e
}

// validate returns an error for the first problem in an entry of a baseline with a format, that of a check or of a monitor.
func (e Expectation) validate(ofCheck bool, format int) error {
	switch {
	case !e.Verdict.Valid():
		return fmt.Errorf("the verdict is %q, which is not a verdict", e.Verdict)
	case e.Verdict == verdict.Error:
		return fmt.Errorf("expects %q: an error is the fault of the suite or the machine, never expected", verdict.Error)
	case e.String() != string(e.Verdict) && format != withManner:
		return fmt.Errorf(`has "blocked_by", "died", "either" or "until", which only entries of format %d have`, withManner)
	case (e.BlockedBy != "" || e.Died) && !ofCheck:
		return errors.New(`has "blocked_by" or "died", which only checks have`)
	case (len(e.Either) == 0) != (e.Until == ""):
		return errors.New(`needs both "either" and "until", the day on which that ends, or none`)
	case len(e.Either) > 0 && e.Reason == "":
		return errors.New(`has "either" without a reason`)
	}
	if e.Until != "" {
		if _, err := time.Parse(time.DateOnly, e.Until); err != nil {
			return fmt.Errorf(`has "until": %q, which is not a date such as 2027-01-31`, e.Until)
		}
	}
	for _, other := range e.Either {
		if len(other.Either)+len(other.Differences)+len(other.NotJudged) > 0 || other.Until != "" || other.Reason != "" {
			return errors.New(`has more in "either" than "verdict", "blocked_by" and "died"`)
		}
		if err := other.validate(ofCheck, format); err != nil {
			return fmt.Errorf(`in "either": %w`, err)
		}
	}
	return nil
}

// Load reads the baseline at path. The error is os.ErrNotExist if the file is missing; any other error names the file and
// the entry.
func Load(path string) (*Baseline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the baseline: %w", err)
	}
	var version struct{ Format int }
	if json.Unmarshal(data, &version) == nil && version.Format != 0 && version.Format != withManner {
		return nil, fmt.Errorf("the baseline %s has format %d, and this suite reads only %d and none; use a newer suite", path, version.Format, withManner)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var b Baseline
	if err := decoder.Decode(&b); err != nil {
		return nil, fmt.Errorf("the baseline %s does not parse: %w", path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the baseline %s does not parse: text follows the JSON object", path)
	}
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("the baseline %s is invalid: %w", path, err)
	}
	return &b, nil
}

// validate returns an error for the first problem in b.
func (b *Baseline) validate() error {
	if b.Candidate == "" {
		return errors.New(`it has no "candidate"`)
	}
	if b.Catalogue < 1 {
		return errors.New(`it has no "catalogue", the version of the catalogue at its creation`)
	}
	if b.Checks == nil {
		return errors.New(`it has no "checks"`)
	}
	for kind, entries := range map[string]map[string]Expectation{"check": b.Checks, "monitor": b.Monitors} {
		for name, expected := range entries {
			if err := expected.validate(kind == "check", b.Format); err != nil {
				return fmt.Errorf("%s %q: %w", kind, name, err)
			}
		}
	}
	return nil
}

// Save writes b to path atomically, sorted so that versions can be compared.
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

// Unreviewed counts the reasons that nobody has written yet.
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
