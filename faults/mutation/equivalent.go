package mutation

// Mutants that are equivalent to the reference.

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Equivalent names a site whose mutant no answer on the wire tells from the reference, by its content, so that it is still found
// after other lines have moved.
type Equivalent struct {
	File     string `yaml:"file"`
	Function string `yaml:"function"`
	Original string `yaml:"original"`
	Changed  string `yaml:"changed"`
	// Occurrence is the site's; 0 means 1.
	Occurrence int `yaml:"occurrence"`
	// Why says why no answer differs.
	Why string `yaml:"why"`
}

//go:embed equivalent.yaml
var equivalentText []byte

// EquivalentFile is where equivalent mutants are listed.
const EquivalentFile = "faults/mutation/equivalent.yaml"

// Equivalents returns the list of equivalent mutants.
func Equivalents() ([]Equivalent, error) { return readEquivalents(equivalentText) }

func readEquivalents(text []byte) (list []Equivalent, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&list); err != nil {
		// The library breaks the line after each of its messages.
		return nil, fmt.Errorf("%s: %s", EquivalentFile, strings.Join(strings.Fields(err.Error()), " "))
	}
	return list, nil
}

// Match returns why mutants are equivalent, by the IDs of their sites. The error names the entries that name no site, or the site of
// another entry, or do not say why.
func Match(list []Equivalent, sites []*Site) (why map[string]string, err error) {
	byContent := map[Equivalent]string{}
	for _, one := range sites {
		byContent[Equivalent{one.File, one.Function, one.Original, one.Changed, one.Occurrence, ""}] = one.ID()
	}
	why = map[string]string{}
	var problems []error
	for i, one := range list {
		problem := func(what string) {
			problems = append(problems, fmt.Errorf("%s: entry %d, %s in %s, %s", EquivalentFile, i+1, one.Function, one.File, what))
		}
		content := Equivalent{one.File, one.Function, strings.TrimSpace(one.Original), strings.TrimSpace(one.Changed), max(one.Occurrence, 1), ""}
		id, known := byContent[content]
		switch {
		case !known:
			problem("names no mutant: the source has changed; update or remove it")
		case strings.TrimSpace(one.Why) == "":
			problem("does not say why no answer differs")
		case why[id] != "":
			problem("names mutant " + id + " again; remove it")
		default:
			why[id] = strings.Join(strings.Fields(one.Why), " ")
		}
	}
	return why, errors.Join(problems...)
}
