// Package requirements is the catalogue: every demand of MSC4014 that the suite judges, as data (data/, one file a
// chapter), and the code that loads and validates it. Identifiers are fixed: results and baselines use them.
package requirements

import (
	"fmt"
	"slices"
	"strings"
)

// Kind tells what a demand is worth.
type Kind string

// The three kinds. A server can fail a must or a should; an open requirement is observed, never failed.
const (
	Must   Kind = "must"
	Should Kind = "should"
	Open   Kind = "open"
)

// Requirement is one demand of the catalogue.
type Requirement struct {
	ID      string `json:"id"` // "mapping/foreign-signature-not-honoured"
	Chapter string `json:"-"`  // the part of ID before the slash
	Kind    Kind   `json:"kind"`
	Source  string `json:"source"` // text and section; Catalogue.Sources says how they are numbered
	Demand  string `json:"demand"` // one sentence
	// Readings are the ways to read the texts that the suite can tell apart; of an open requirement only.
	Readings []Reading `json:"readings,omitempty"`
	// Since is the catalogue version in which the requirement first stood; 0 in the data means 1.
	Since int `json:"since,omitempty"`
}

// Reading is one way in which a server can take an open requirement.
type Reading struct {
	Slug  string `json:"reading"`
	Means string `json:"means"`
}

// Reading returns the reading of that slug.
func (r Requirement) Reading(slug string) (Reading, bool) {
	for _, reading := range r.Readings {
		if reading.Slug == slug {
			return reading, true
		}
	}
	return Reading{}, false
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
	// Views are the places in which each requirement of the chapter is judged, where it has such places.
	Views        []string      `json:"views,omitempty"`
	Requirements []Requirement `json:"requirements"`
}

// Text is a text that the catalogue was read from.
type Text struct {
	Name   string `json:"name"` // "MSC4014"
	Title  string `json:"title"`
	Commit string `json:"commit,omitempty"` // of matrix-org/matrix-spec-proposals; the discussion has none
	SHA256 string `json:"sha256"`           // of the text as it was read
}

// Word is a word that the demands use in a fixed sense.
type Word struct {
	Word  string `json:"word"`
	Means string `json:"means"`
}

// Catalogue is all requirements. It does not change after it was loaded.
type Catalogue struct {
	Version int    `json:"version"` // counts up with each change of the set; baselines name it
	Texts   []Text `json:"texts"`
	Sources string `json:"sources"` // how sources are numbered
	Words   []Word `json:"words"`

	chapters []Chapter
	byID     map[string]Requirement
}

// Lookup returns the requirement of that identifier.
func (c *Catalogue) Lookup(id string) (Requirement, bool) {
	requirement, ok := c.byID[id]
	return requirement, ok
}

// MustHave returns an error that names each identifier which the catalogue lacks, with the nearest that it has.
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

// Text returns the text of that name: "MSC4014", "MSC1228", "MSC4014 discussion".
func (c *Catalogue) Text(name string) (Text, bool) {
	for _, text := range c.Texts {
		if text.Name == name {
			return text, true
		}
	}
	return Text{}, false
}

// nearest is the known identifier with the smallest edit distance to id.
func (c *Catalogue) nearest(id string) string {
	best, least := "", -1
	for _, requirement := range c.All() {
		if distance := editDistance(id, requirement.ID); least < 0 || distance < least {
			best, least = requirement.ID, distance
		}
	}
	return best
}

// editDistance counts the bytes to insert, delete or replace on the way from a to b.
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
