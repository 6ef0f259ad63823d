package prove

// The proof: the combined outcome of all trials. It defines prove.json; the text on the terminal is derived from it.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/report"
	"msc4014/requirements"
)

// File is the name of the proof in its results folder.
const File = "prove.json"

// earlierFile is the File of an earlier proof.
const earlierFile = "prove-earlier.json"

// Proof is prove.json.
type Proof struct {
	Schema     int          `json:"schema"`
	Suite      report.Suite `json:"suite"`
	Started    time.Time    `json:"started"`
	DurationMS int64        `json:"duration_ms"`
	Parallel   int          `json:"parallel"`         // trials in parallel
	Run        string       `json:"run,omitempty"`    // the pattern that limited the proof
	Whole      bool         `json:"whole,omitempty"`  // the whole suite ran with each fault
	Sample     int          `json:"sample,omitempty"` // one in Sample faults was tried
	// ChangedSince is the commit since which faults, or their checks, changed that were tried too.
	ChangedSince string `json:"changed_since,omitempty"`

	Score Score `json:"score"`
	// Problems are all differences from the expected outcomes; if there are none, the suite is proven.
	Problems []string `json:"problems"`

	Honest    []HonestTrial  `json:"honest"`
	Faults    []FaultTrial   `json:"faults"`
	Readings  []ReadingTrial `json:"readings"`
	Untried   []Untried      `json:"untried,omitempty"`   // readings that the reference cannot take
	Unseen    []string       `json:"unseen,omitempty"`    // faults none of whose requirements has a check
	Elsewhere []string       `json:"elsewhere,omitempty"` // checks that need containers, which trials do not use
	// FaultsElsewhere are faults whose checks need containers.
	FaultsElsewhere []string `json:"faults_elsewhere,omitempty"`
	Requirements    []Proven `json:"requirements"`
}

// Score counts what was proven.
type Score struct {
	Checks       Part `json:"checks"`       // that some fault makes fail, or that distinguish readings
	Requirements Part `json:"requirements"` // all of whose checks are proven
	Faults       Part `json:"faults"`       // that make exactly the requirements in their row fail
	Tried        Part `json:"tried"`        // faults in the sample, or that changed
	Readings     Part `json:"readings"`     // that the report shows when the reference takes them
}

// Part is a count out of a total.
type Part struct {
	Proven int `json:"proven"`
	Of     int `json:"of"`
}

func (p Part) String() string { return fmt.Sprintf("%d of %d", p.Proven, p.Of) }

func (p *Part) count(proven bool) {
	p.Of++
	if proven {
		p.Proven++
	}
}

// HonestTrial is the reference without faults, in one dialect.
type HonestTrial struct {
	Dialect      string        `json:"dialect"`
	Checks       report.Counts `json:"checks"`
	Requirements report.Counts `json:"requirements"`
	// OtherWords are requirements that fail because the dialect spells names differently from the MSC.
	OtherWords []string `json:"other_words,omitempty"`
	Problems   []string `json:"problems,omitempty"`
	DurationMS int64    `json:"duration_ms"`
}

// FaultTrial is the reference with one fault: a column of the matrix.
type FaultTrial struct {
	ID         string   `json:"id"`
	Does       string   `json:"does"`
	Breaks     string   `json:"breaks"`
	Expected   []string `json:"expected"` // requirements
	Failed     []string `json:"failed"`
	Kills      []string `json:"kills"` // checks that failed, as they must
	Problems   []string `json:"problems,omitempty"`
	DurationMS int64    `json:"duration_ms"`
}

// ReadingTrial is the reference with one reading of an open requirement.
type ReadingTrial struct {
	Requirement string   `json:"requirement"`
	Reading     string   `json:"reading"`
	Seen        []string `json:"seen"`
	Problems    []string `json:"problems,omitempty"`
	DurationMS  int64    `json:"duration_ms"`
}

// Untried is a reading that the catalogue lists and the reference cannot take.
type Untried struct {
	Requirement string `json:"requirement"`
	Reading     string `json:"reading"`
}

// Proven is a requirement and its checks: a row of the matrix.
type Proven struct {
	ID     string            `json:"id"`
	Kind   requirements.Kind `json:"kind"`
	Checks []ProvenCheck     `json:"checks"`
	// Readings are the readings of an open requirement that were distinguished.
	Readings []string `json:"readings,omitempty"`
}

// ProvenCheck is a check and the faults that make it fail.
type ProvenCheck struct {
	Name     string   `json:"name"`
	Path     string   `json:"path,omitempty"`
	KilledBy []string `json:"killed_by"`
	NamedBy  []string `json:"named_by,omitempty"` // faults outside the sample whose rows name it
}

// weigh combines all outcomes into the proof.
func (p *proving) weigh(outcomes []outcome, rest []Untried) *Proof {
	proof := &Proof{
		Schema: 1, Problems: []string{}, Honest: []HonestTrial{}, Faults: []FaultTrial{}, Readings: []ReadingTrial{}, Untried: rest,
		Requirements: []Proven{},
	}
	killers := map[string][]string{}         // by check
	named := map[string][]string{}           // faults outside the sample, by check
	readings := map[string]map[string]bool{} // that were seen as expected, by requirement
	for _, one := range outcomes {
		for _, problem := range one.problems {
			proof.Problems = append(proof.Problems, one.name+": "+problem)
		}
		switch {
		case one.fault != nil:
			for _, name := range one.killed {
				killers[name] = append(killers[name], one.fault.ID)
			}
			proof.Score.Faults.count(len(one.problems) == 0)
			proof.Faults = append(proof.Faults, FaultTrial{
				one.fault.ID, one.fault.Does, one.fault.Breaks, one.fails, some(one.failed), some(one.killed), one.problems,
				one.results.DurationMS,
			})
		case one.honest():
			proof.Honest = append(proof.Honest, HonestTrial{
				string(one.dialect), one.results.Counts, one.results.RequirementCounts, one.fails, one.problems, one.results.DurationMS,
			})
			noteReadings(readings, one.results.Requirements)
		default:
			proof.Score.Readings.count(len(one.problems) == 0)
			trial := ReadingTrial{
				Requirement: one.requirement, Reading: one.takes[one.requirement], Seen: []string{}, Problems: one.problems,
				DurationMS: one.results.DurationMS,
			}
			for _, requirement := range one.results.Requirements {
				if requirement.ID == one.requirement {
					trial.Seen = some(requirement.Readings)
				}
			}
			proof.Readings = append(proof.Readings, trial)
			if len(one.problems) == 0 {
				noteReadings(readings, []report.Requirement{{ID: one.requirement, Readings: trial.Seen}})
			}
		}
	}
	for _, one := range p.Faults {
		switch {
		case len(p.of(one.Requirements...)) == 0:
			proof.Unseen = append(proof.Unseen, one.ID)
		case !p.concerns(one):
		case one.Containers:
			proof.FaultsElsewhere = append(proof.FaultsElsewhere, one.ID)
		default:
			proof.Score.Tried.count(p.sampled(one))
			for _, kill := range one.Kills {
				if !p.sampled(one) {
					named[kill.Check] = append(named[kill.Check], one.ID)
				}
			}
		}
	}
	p.rows(proof, killers, named, readings)
	return proof
}

func noteReadings(seen map[string]map[string]bool, of []report.Requirement) {
	for _, requirement := range of {
		for _, reading := range requirement.Readings {
			if seen[requirement.ID] == nil {
				seen[requirement.ID] = map[string]bool{}
			}
			seen[requirement.ID][reading] = true
		}
	}
}

// rows builds the rows of the matrix, and records as problems the checks that nothing makes fail. A check that only faults outside the
// sample name is neither proven nor a problem.
func (p *proving) rows(proof *Proof, killers, named map[string][]string, readings map[string]map[string]bool) {
	proven := map[string]bool{} // checks, for all of their requirements
	for _, check := range p.registered {
		proven[check.Name] = true
	}
	for _, requirement := range p.catalogue.All() {
		row := Proven{ID: requirement.ID, Kind: requirement.Kind, Readings: slices.Sorted(maps.Keys(readings[requirement.ID]))}
		all := true
		for _, check := range p.registered {
			if !slices.Contains(check.Requirements, requirement.ID) || !p.selected.Matches(check) {
				continue
			}
			if check.Containers {
				continue
			}
			row.Checks = append(row.Checks, ProvenCheck{check.Name, check.Path, some(killers[check.Name]), named[check.Name]})
			seen, excused := len(killers[check.Name]) > 0, len(named[check.Name]) > 0
			if requirement.Kind == requirements.Open {
				seen, excused = len(row.Readings) > 1, false
			}
			if seen {
				continue
			}
			all, proven[check.Name] = false, false
			if !excused {
				proof.Problems = append(proof.Problems, unproven(requirement, report.CheckTitle(check.Name, check.Path), row.Readings))
			}
		}
		if len(row.Checks) > 0 {
			proof.Requirements = append(proof.Requirements, row)
			proof.Score.Requirements.count(all)
		}
	}
	for _, check := range p.registered {
		if p.selected.Matches(check) && check.Containers {
			proof.Elsewhere = append(proof.Elsewhere, check.Name)
		} else if p.selected.Matches(check) {
			proof.Score.Checks.count(proven[check.Name])
		}
	}
}

// unproven describes what is missing to prove a check.
func unproven(requirement requirements.Requirement, check string, readings []string) string {
	if requirement.Kind != requirements.Open {
		return fmt.Sprintf("%s: no fault makes the check %q fail", requirement.ID, check)
	}
	return fmt.Sprintf("%s: the check %q did not distinguish two readings; it saw only %q", requirement.ID, check, readings)
}

// setAside renames an earlier file of results, so that it does not look new if the new one cannot be written.
func setAside(folder, file, earlier string) error {
	err := os.Rename(filepath.Join(folder, file), filepath.Join(folder, earlier))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot rename the earlier results: %w", err)
	}
	return nil
}

// save writes the proof into its folder and returns the file's path.
func (p *Proof) save(folder string) (string, error) {
	file := filepath.Join(folder, File)
	if err := writeJSON(file, p); err != nil {
		return "", fmt.Errorf("cannot write the proof: %w", err)
	}
	return file, nil
}

// writeJSON writes a file, all at once.
func writeJSON(file string, value any) (err error) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.new-%d", file, os.Getpid())
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	if err := os.WriteFile(temporary, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

// KillsFile is the name of the record in the results folder of a proof.
const KillsFile = "kills.json"

// Failed is a check that failed in the trial of a fault.
type Failed struct {
	Check        string   `json:"check"`
	Requirements []string `json:"requirements"`
	Reason       string   `json:"reason"`
}

// record writes the checks that failed in each trial of a fault, by the fault's ID.
func record(folder string, outcomes []outcome) error {
	failed := map[string][]Failed{}
	for _, one := range outcomes {
		if one.fault == nil {
			continue
		}
		checks := []Failed{}
		for _, check := range one.results.Checks {
			if check.Verdict == verdict.Fail {
				checks = append(checks, Failed{check.Name, check.Requirements, check.Reason})
			}
		}
		failed[one.fault.ID] = checks
	}
	if err := writeJSON(filepath.Join(folder, KillsFile), failed); err != nil {
		return fmt.Errorf("cannot record which checks failed: %w", err)
	}
	return nil
}

// some returns list, or an empty list in place of nil, which JSON would encode as null.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
