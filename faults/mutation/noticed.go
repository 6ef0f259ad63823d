package mutation

// Which mutants the suite noticed when they were tried last: the record that ./run.sh prove --mutants N --record writes.

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed noticed.json
var noticedText []byte

// NoticedFile is where the record is.
const NoticedFile = "faults/mutation/noticed.json"

// Record says what became of a sample of mutants.
type Record struct {
	Suite   string         `json:"suite,omitempty"` // its commit
	Day     string         `json:"day,omitempty"`   // "2026-11-30"
	Seed    uint64         `json:"seed,omitempty"`
	Counts  map[string]int `json:"counts,omitempty"` // of the mutants that are not equivalent, by outcome
	Noticed []Noticed      `json:"noticed"`
}

// Noticed is a mutant that was noticed, and by what at first. Of a check, Requirement is empty.
type Noticed struct {
	ID          string `json:"id"`
	Rule        Rule   `json:"rule"`
	Place       string `json:"place"` // "reference/rooms/view.go, ordinaryView"
	Check       string `json:"check,omitempty"`
	Requirement string `json:"requirement,omitempty"` // whose finding or reading it was
}

// LastRecord returns the record that the program was built with.
func LastRecord() (Record, error) {
	var record Record
	if err := json.Unmarshal(noticedText, &record); err != nil {
		return Record{}, fmt.Errorf("%s: %w", NoticedFile, err)
	}
	return record, nil
}
