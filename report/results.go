// Package report turns the events of a run into results.json, and results.json into the console summary and JUnit XML.
// Everything except the live progress is derived from results.json alone.
//
// This file defines results.json, schema 2, which results.schema.json describes for other programs.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"msc4014/helpers/verdict"
)

// Schema is the version of results.json that this package writes. Within one schema, fields may be added but never removed. It reads
// earlier ones, too: all that was in schema 1 is in schema 2 with the same meaning.
const Schema = 2

// ErrNewer is the error of Read for results of a newer schema.
var ErrNewer = errors.New("a newer version of this suite wrote it: use that version, or run the candidate again with this one")

// EvidenceAll is the value of --evidence that keeps the evidence of checks that pass, too.
const EvidenceAll = "all"

// The names of the files and folders that a run writes into its results folder.
const (
	ResultsFile = "results.json"
	JUnitFile   = "junit.xml"
	// The report for reviewers, in three forms.
	HTMLFile     = "report.html"
	MarkdownFile = "report.md"
	EARLFile     = "earl.jsonld"
	// SignatureFile has a signature of ResultsFile, if somebody signed it.
	SignatureFile = "results.json.sig"
	ChecksFolder  = "checks" // logs and transcripts of checks that did not pass
	// ConfigurationFolder has the candidate's configuration, if it is known.
	ConfigurationFolder = "configuration"
	// EarlierFolder has the results of an earlier run until the latest one has a verdict.
	EarlierFolder = "earlier"
	// CrashFile is what the suite's binary wrote to standard error, if anything.
	CrashFile = ChecksFolder + "/suite-crash.log"
)

// Results is results.json: all results of one run of one candidate.
type Results struct {
	Schema    int               `json:"schema"`
	Suite     Suite             `json:"suite"`
	MSC       MSC               `json:"msc"`
	Candidate verdict.Candidate `json:"candidate"`
	// Environment is nil if the run ended before it was known.
	Environment *verdict.Environment `json:"environment,omitempty"`
	Started     time.Time            `json:"started"`
	DurationMS  int64                `json:"duration_ms"`
	// Incomplete says why the run ended before everything planned was judged; empty otherwise.
	Incomplete string `json:"incomplete,omitempty"`
	// Selection is set when only a part of the checks was asked for.
	Selection *Selection `json:"selection,omitempty"`

	Requirements []Requirement         `json:"requirements"`
	Checks       []verdict.CheckResult `json:"checks"`
	Observations []verdict.Observation `json:"observations"`
	// Findings are the passive monitors' findings, at most findingsKept per requirement.
	Findings []verdict.Finding `json:"findings"`
	// Notes are remarks for people: servers that died, the runtime chosen, a limit reached.
	Notes []string `json:"notes,omitempty"`
	// Unsteady are the checks that came to different verdicts when they ran several times (--repeat).
	Unsteady []Unsteady `json:"unsteady,omitempty"`
	// EvidenceKept is EvidenceAll if the evidence of checks that passed was kept, too; "" if only that which a result needs.
	EvidenceKept string `json:"evidence_kept,omitempty"`
	// Evidence are the files with logs, transcripts and configuration beside results.json.
	Evidence []EvidenceFile `json:"evidence,omitempty"`

	// Counts counts checks; RequirementCounts counts requirements that a server can fail (must and should), without the suite's own
	// demands, which OwnCounts counts.
	Counts            Counts `json:"counts"`
	RequirementCounts Counts `json:"requirement_counts"`
	OwnCounts         Counts `json:"own_requirement_counts"`

	// Baseline is the comparison with the expected results.
	Baseline *Comparison `json:"baseline,omitempty"`
	// Strict and RequireRoomVersion report whether the flags were given.
	Strict             bool `json:"strict,omitempty"`
	RequireRoomVersion bool `json:"require_room_version,omitempty"`
	// Exit is the resulting exit status (ExitOf); absent if it was not requested.
	Exit *Exit `json:"exit,omitempty"`
}

// Suite identifies the suite that judged.
type Suite struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
}

// MSC identifies the text judged against, and the version of the catalogue of its requirements.
type MSC struct {
	Number    int    `json:"number"`
	Commit    string `json:"commit"`
	Catalogue int    `json:"catalogue"`
}

// Selection is the part of the checks that was asked for, as on the command line.
type Selection struct {
	Run   string `json:"run,omitempty"`
	Shard string `json:"shard,omitempty"`
	// Pair reports that two candidates shared a deployment, and only the checks of mixed deployments ran.
	Pair bool `json:"pair,omitempty"`
}

// Requirement is the result of one requirement of the catalogue.
type Requirement struct {
	ID      string `json:"id"`
	Chapter string `json:"chapter"`
	Kind    string `json:"kind"` // must, should or open
	// Own reports that the suite demands it (common sense, robustness), and not the proposal.
	Own bool `json:"own,omitempty"`
	// Demand is the requirement in one sentence, Source where it comes from.
	Demand string `json:"demand"`
	Source string `json:"source"`
	// Verdict combines those of the checks. An open requirement cannot fail: it is pass when a reading was seen.
	Verdict verdict.Verdict `json:"verdict"`
	Checks  []string        `json:"checks"`
	Reason  string          `json:"reason,omitempty"`
	// Since is the version of the catalogue that first had it: an older baseline cannot have it.
	Since int `json:"since"`
	// Readings are the readings seen of an open requirement, and Possible are those that the catalogue lists.
	Readings []string  `json:"readings,omitempty"`
	Possible []Reading `json:"possible_readings,omitempty"`
	// Links lead to the lines of the texts that Source names.
	Links []Link `json:"links,omitempty"`
	// Faults are the deviations of the reference that are known to make it fail: what its checks can notice.
	Faults []Fault `json:"faults,omitempty"`
	// Consequence says what it means for users when a server breaks it; only requirements that protect them have one.
	Consequence string `json:"consequence,omitempty"`
}

// Reading is a reading of an open requirement, with its meaning.
type Reading struct {
	Reading string `json:"reading"`
	Means   string `json:"means"`
}

// Link is a link to a place in a text.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// Fault is a deviation of the reference from the texts.
type Fault struct {
	ID   string `json:"id"`
	Does string `json:"does"`
}

// Unsteady is a check with the verdicts of all its times.
type Unsteady struct {
	Check  string `json:"check"`
	Counts Counts `json:"counts"`
}

// EvidenceFile is a file in the results folder.
type EvidenceFile struct {
	Path   string `json:"path"` // relative to the folder, with slashes
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Counts counts results by verdict; every verdict has an entry, even if it is zero.
type Counts map[verdict.Verdict]int

// newCounts returns counts with an entry for every verdict.
func newCounts() Counts {
	counts := Counts{}
	for _, v := range verdict.All {
		counts[v] = 0
	}
	return counts
}

// String lists the verdicts that occur: "50 pass, 8 fail".
func (c Counts) String() string {
	var parts []string
	for _, v := range verdict.All {
		if c[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c[v], v))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// Comparison is the comparison of a run with its baseline.
type Comparison struct {
	// File is the baseline's; empty when the candidate has none and no fail was expected.
	File string `json:"file,omitempty"`
	// Differences turn a run red; New are entries that the baseline does not have yet, which do not.
	Differences []Difference `json:"differences"`
	New         []Difference `json:"new,omitempty"`
	// Expected are the entries that are not a pass but are as the baseline expects, with its reason.
	Expected []Expected `json:"expected,omitempty"`
	// Compared counts the entries that were judged in this run and looked up in the baseline.
	Compared int `json:"compared"`
	// Unreviewed counts the baseline's entries whose reason nobody has written yet.
	Unreviewed int `json:"unreviewed,omitempty"`
}

// DifferenceKind says how something differs from the baseline.
type DifferenceKind string

// The kinds of difference. Gone is for entries of the baseline that the suite no longer has.
const (
	Worse   DifferenceKind = "worse"
	Better  DifferenceKind = "better"
	Changed DifferenceKind = "changed"
	Gone    DifferenceKind = "gone"
	New     DifferenceKind = "new"
)

// The subjects of an entry of a comparison.
const (
	WhatCheck       = "check"
	WhatMonitor     = "monitor"
	WhatObservation = "observation"
)

// Difference is one entry in which a run differs from its baseline. Expected and Got are verdicts, or the readings of
// an observation; Expected is empty where the baseline has no entry.
type Difference struct {
	Kind     DifferenceKind `json:"kind"`
	What     string         `json:"what"` // WhatCheck, WhatMonitor or WhatObservation
	Name     string         `json:"name"`
	Expected string         `json:"expected,omitempty"`
	Got      string         `json:"got,omitempty"`
	Reason   string         `json:"reason,omitempty"` // the run's
	// ExpectedReason is the baseline's, for what it expected.
	ExpectedReason string `json:"expected_reason,omitempty"`
}

// Expected is one entry that is not a pass but is as the baseline expects, with the baseline's reason.
type Expected struct {
	What    string          `json:"what"` // WhatCheck or WhatMonitor
	Name    string          `json:"name"`
	Verdict verdict.Verdict `json:"verdict"`
	Reason  string          `json:"reason,omitempty"`
}

// Read reads results.json in folder. The error names the file and, if it is not a results.json of this schema, says so.
func Read(folder string) (Results, error) {
	file := filepath.Join(folder, ResultsFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return Results{}, fmt.Errorf("%s has no %s: no run has written its results there: %w", folder, ResultsFile, err)
	}
	if err != nil {
		return Results{}, fmt.Errorf("cannot read results: %w", err)
	}
	var results Results
	if err := json.Unmarshal(data, &results); err != nil {
		return Results{}, fmt.Errorf("%s is not a results file: %w", file, err)
	}
	switch {
	case results.Schema > Schema:
		return Results{}, fmt.Errorf("%s has schema %d, and this suite reads up to %d: %w", file, results.Schema, Schema, ErrNewer)
	case results.Schema < 1:
		return Results{}, fmt.Errorf("%s is not a results file: it has no schema", file)
	}
	if results.Candidate.Name == "" {
		return Results{}, fmt.Errorf("%s names no candidate", file)
	}
	return results, nil
}

// exists reports whether there is something at path.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
