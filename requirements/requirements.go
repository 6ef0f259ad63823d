// Package requirements is the catalogue: every requirement of MSC4014 that the suite judges, as data (data/, one file per
// chapter), and the code that loads and validates it. Identifiers never change, because results and baselines use them.
package requirements

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is the strength of a requirement.
type Kind string

// The three kinds. A server can fail a must or a should; an open requirement is observed, never failed.
const (
	Must   Kind = "must"
	Should Kind = "should"
	Open   Kind = "open"
)

// Requirement is one requirement of the catalogue.
type Requirement struct {
	ID      string `json:"id"` // "mapping/foreign-signature-not-honoured"
	Chapter string `json:"-"`  // the part of ID before the slash
	Kind    Kind   `json:"kind"`
	Source  string `json:"source"` // text and section; Catalogue.Sources says how they are numbered
	Demand  string `json:"demand"` // one sentence
	// Readings are the ways to read the texts that the suite can distinguish; only open requirements have them.
	Readings []Reading `json:"readings,omitempty"`
	// Consequence says in one sentence what it means for users when a server breaks it. Only requirements that protect users have one.
	Consequence string `json:"-"`
	// Since is the catalogue version that first had the requirement; 0 in the data means 1.
	Since int `json:"since,omitempty"`
}

// Reading is one way in which a server can interpret an open requirement.
type Reading struct {
	Slug  string `json:"reading"`
	Means string `json:"means"`
}

// Reading returns the reading with the given slug.
func (r Requirement) Reading(slug string) (Reading, bool) {
	for _, reading := range r.Readings {
		if reading.Slug == slug {
			return reading, true
		}
	}
	return Reading{}, false
}

// Own reports whether the requirement is the suite's own demand: nothing but common sense or robustness is behind it.
func (r Requirement) Own() bool {
	for source := range strings.SplitSeq(r.Source, "; ") {
		if source != "common sense" && source != "robustness" {
			return false
		}
	}
	return true
}

// Slugs lists the slugs of the requirement's readings, in order.
func (r Requirement) Slugs() []string {
	slugs := make([]string, len(r.Readings))
	for i, reading := range r.Readings {
		slugs[i] = reading.Slug
	}
	return slugs
}

// Chapter is a group of requirements about one subject.
type Chapter struct {
	Name  string `json:"chapter"`
	Title string `json:"title"`
	About string `json:"about"`
	// Views are the places in which each requirement of the chapter is judged, if the chapter has any.
	Views        []string      `json:"views,omitempty"`
	Requirements []Requirement `json:"requirements"`
}

// Text is a text from which the catalogue was derived.
type Text struct {
	Name   string `json:"name"` // "MSC4014"
	Title  string `json:"title"`
	Commit string `json:"commit,omitempty"` // in matrix-org/matrix-spec-proposals; the discussion has none
	SHA256 string `json:"sha256"`           // of the text at that time
	// File is its path in the repository at that commit, and Lines are the lines at which its sections and their items begin.
	File  string         `json:"file,omitempty"`
	Lines map[string]int `json:"lines,omitempty"`
}

// Word is a term that the requirements use in a fixed sense.
type Word struct {
	Word  string `json:"word"`
	Means string `json:"means"`
}

// Consequence is what users suffer when a server breaks any of its requirements.
type Consequence struct {
	Means        string   `json:"means"` // one sentence, true whichever of them is broken
	Requirements []string `json:"requirements"`
}

// Catalogue is the set of all requirements. It does not change once loaded.
type Catalogue struct {
	Version int    `json:"version"` // increases with each change of the set; baselines record it
	Texts   []Text `json:"texts"`
	Sources string `json:"sources"` // explains how sources are numbered
	Words   []Word `json:"words"`
	// Consequences say what it means for users when a server breaks requirements that protect them.
	Consequences []Consequence `json:"consequences"`

	chapters []Chapter
	byID     map[string]Requirement
}

// Lookup returns the requirement with the given identifier.
func (c *Catalogue) Lookup(id string) (Requirement, bool) {
	requirement, ok := c.byID[id]
	return requirement, ok
}

// MustHave returns an error that lists the identifiers missing from the catalogue, each with the nearest existing one.
func (c *Catalogue) MustHave(ids ...string) error {
	var unknown []string
	for _, id := range ids {
		if _, ok := c.byID[id]; !ok {
			unknown = append(unknown, fmt.Sprintf("%q (nearest: %s)", id, c.nearest(id)))
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("not in the catalogue, version %d: %s", c.Version, strings.Join(unknown, ", "))
}

// Chapters returns the chapters in the catalogue's order.
func (c *Catalogue) Chapters() []Chapter { return slices.Clone(c.chapters) }

// All returns the requirements in the catalogue's order.
func (c *Catalogue) All() []Requirement {
	var all []Requirement
	for _, chapter := range c.chapters {
		all = append(all, chapter.Requirements...)
	}
	return all
}

// Text returns the text with the given name: "MSC4014", "MSC1228" or "MSC4014 discussion".
func (c *Catalogue) Text(name string) (Text, bool) {
	for _, text := range c.Texts {
		if text.Name == name {
			return text, true
		}
	}
	return Text{}, false
}

// nearest returns the identifier in the catalogue with the smallest edit distance to id.
func (c *Catalogue) nearest(id string) string {
	best, least := "", -1
	for _, requirement := range c.All() {
		if distance := editDistance(id, requirement.ID); least < 0 || distance < least {
			best, least = requirement.ID, distance
		}
	}
	return best
}

// editDistance returns the number of bytes to insert, delete or replace to turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
