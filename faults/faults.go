// Package faults lists the faults that the reference homeserver can be built with. Each changes one decision of the server,
// as a hurried implementer would get it wrong, and breaks one sentence of the proposal or of the Matrix specification. The
// server does not know of them. A fault is data, in data/<chapter>.yaml: a row that says what it breaks and which checks must
// detect it, and a patch of the server's source, which the go command builds as an overlay, alone (Apply) or with others (Combine).
//
// In the rows, "MSC4014, Proposal 2" is the second item of the proposal's section of that name, and sub-items follow a full
// stop. Sentences are paraphrased.
package faults

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
	"go.yaml.in/yaml/v3"
)

// Fault is one deliberate deviation of the server.
type Fault struct {
	// ID names the fault, in lower-case words with hyphens between them.
	ID string `yaml:"id"`
	// Does says in one sentence what the server does with this fault.
	Does string `yaml:"does"`
	// Breaks says which sentence of which text this breaks, with its section.
	Breaks string `yaml:"breaks"`
	// Dialect is the spelling on the wire with which the fault is tried.
	Dialect string `yaml:"dialect"`
	// Containers says that the checks that must fail need containers.
	Containers bool `yaml:"containers"`
	// Requirements are the requirements of the catalogue that a server with this fault does not meet: all those that have a
	// check.
	Requirements []string `yaml:"requirements"`
	// Kills are the checks that must fail, and by which assertion.
	Kills []Kill `yaml:"kills"`
	// Hunks are the patch. Together they change one decision.
	Hunks []Hunk `yaml:"hunks"`
}

// Kill is a check that a fault must make fail.
type Kill struct {
	Check string `yaml:"check"`
	By    string `yaml:"by"` // part of the reason that it gives, in the suite's own words
}

// answer matches JSON and text that is cut: parts of a reason that quote a server, and are cut elsewhere in the next run.
var answer = regexp.MustCompile(`\{"|"\}|…|\.\.\.`)

// Hunk is one place of the source that a fault changes.
type Hunk struct {
	File    string   `yaml:"file"`    // a Go file, relative to the project's root, with slashes
	Imports []string `yaml:"imports"` // what Replace needs in addition to the file's imports
	// Find are whole lines that occur exactly once in the file. If the first is not indented, they may occur at any
	// indentation, otherwise only at that of the first. Their indentation relative to each other must match exactly.
	Find string `yaml:"find"`
	// Replace are the lines that replace them in the patched file. Any indentation will do, as the result is formatted.
	Replace string `yaml:"replace"`
}

// dialects are the dialects that a fault can be tried with, the default first.
var dialects = []string{"msc4014", "dendrite"}

//go:embed data/*.yaml
var data embed.FS

var load = sync.OnceValues(func() ([]Fault, error) {
	files, err := fs.Sub(data, "data")
	if err != nil {
		return nil, err
	}
	return loadFrom(files)
})

// All returns the faults by chapter, in the order of their files. Its error names everything that is wrong with the data.
func All() ([]Fault, error) {
	all, err := load()
	return slices.Clone(all), err
}

// Named returns those of all faults that have the IDs, each once. The error for an unknown ID lists the known ones.
func Named(all []Fault, ids []string) (named []Fault, err error) {
	for i, id := range ids {
		at := slices.IndexFunc(all, func(one Fault) bool { return one.ID == id })
		if at < 0 {
			return nil, unknown(all, id)
		}
		if !slices.Contains(ids[:i], id) {
			named = append(named, all[at])
		}
	}
	return named, nil
}

// unknown says that there is no such fault, and names those that are nearest.
func unknown(all []Fault, id string) error {
	var near []string
	for _, one := range all {
		if id != "" && (strings.Contains(one.ID, id) || levenshtein.ComputeDistance(one.ID, id) <= 1+len(id)/4) {
			near = append(near, one.ID)
		}
	}
	if len(near) == 0 || len(near) > 8 {
		return fmt.Errorf("unknown fault %q; ./run.sh list faults tells all %d", id, len(all))
	}
	return fmt.Errorf("unknown fault %q; similar ones are %s (./run.sh list faults tells all)", id, strings.Join(near, ", "))
}

// loadFrom reads the faults from all YAML files in a folder.
func loadFrom(files fs.FS) ([]Fault, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var (
		all      []Fault
		problems []error
	)
	seen := map[string]string{} // the file, by ID
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		chapter, wrong := read(text)
		for _, problem := range wrong {
			problems = append(problems, fmt.Errorf("faults/data/%s: %w", name, problem))
		}
		for _, one := range chapter {
			if other, twice := seen[one.ID]; twice && one.ID != "" && other != name {
				problems = append(problems, fmt.Errorf("faults/data/%s: fault %q is already in faults/data/%s; give it another id", name, one.ID, other))
			}
			seen[one.ID] = name
		}
		all = append(all, chapter...)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return all, nil
}

// Parse reads the faults of one file. Its error names everything that is wrong with them.
func Parse(text []byte) ([]Fault, error) {
	chapter, wrong := read(text)
	return chapter, errors.Join(wrong...)
}

// read reads the faults of one file, and says what is wrong with them.
func read(text []byte) (chapter []Fault, wrong []error) {
	chapter, err := decode(text)
	if err != nil {
		return nil, []error{err}
	}
	seen := map[string]bool{}
	for i := range chapter {
		one := &chapter[i]
		named := fmt.Sprintf("fault %q", one.ID)
		if one.ID == "" {
			named = fmt.Sprintf("fault number %d", i+1)
		}
		for _, problem := range one.check() {
			wrong = append(wrong, fmt.Errorf("%s %w", named, problem))
		}
		if seen[one.ID] && one.ID != "" {
			wrong = append(wrong, fmt.Errorf("%s is in the file twice; give one of them another id", named))
		}
		seen[one.ID] = true
	}
	return chapter, wrong
}

func decode(text []byte) (chapter []Fault, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&chapter); err != nil && !errors.Is(err, io.EOF) {
		// The library breaks the line after each of its messages.
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	if len(chapter) == 0 {
		return nil, errors.New("it has no faults; remove it")
	}
	if decoder.Decode(new(any)) == nil {
		return nil, errors.New("it has more than one YAML document; make it one list")
	}
	return chapter, nil
}

var idForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// check returns what is wrong with a fault. If the fault has no dialect, check sets the default one.
func (f *Fault) check() (problems []error) {
	problem := func(format string, arguments ...any) { problems = append(problems, fmt.Errorf(format, arguments...)) }
	if !idForm.MatchString(f.ID) {
		problem("has an invalid id; use lower-case-words")
	}
	if f.Does == "" {
		problem("does not say what it does")
	}
	if f.Breaks == "" {
		problem("does not say what it breaks")
	}
	if f.Dialect == "" {
		f.Dialect = dialects[0]
	}
	if !slices.Contains(dialects, f.Dialect) {
		problem("has unknown dialect %q; use one of %s", f.Dialect, strings.Join(dialects, ", "))
	}
	if len(f.Requirements) == 0 || slices.Contains(f.Requirements, "") {
		problem("has no requirements, or an empty one")
	}
	if twice := repeated(f.Requirements); twice != "" {
		problem("names requirement %s twice", twice)
	}
	var checks []string
	for _, kill := range f.Kills {
		if kill.Check == "" || strings.TrimSpace(kill.By) == "" {
			problem("has a kill without check or by: %+v", kill)
		}
		if answer.MatchString(kill.By) {
			problem("names the check %q by what a server says: by %q", kill.Check, kill.By)
		}
		checks = append(checks, kill.Check)
	}
	if twice := repeated(checks); twice != "" {
		problem("names check %q twice", twice)
	}
	if len(f.Hunks) == 0 {
		problem("has no hunks")
	}
	for i, hunk := range f.Hunks {
		if err := hunk.check(); err != nil {
			problem("has hunk %d %w", i+1, err)
		}
	}
	return problems
}

func (h Hunk) check() error {
	switch {
	case h.File == "":
		return errors.New("without a file")
	case !fs.ValidPath(h.File) || !strings.HasPrefix(h.File, "reference/") || path.Ext(h.File) != ".go" ||
		strings.HasSuffix(h.File, "_test.go"):
		return fmt.Errorf("with file %q; use a Go file below reference/ that is not a test", h.File)
	case strings.TrimSpace(h.Find) == "":
		return errors.New("without lines to find")
	case strings.TrimSpace(firstLine(h.Find)) == "":
		return errors.New("whose lines to find begin with an empty line")
	case lines(h.Find) == lines(h.Replace):
		return errors.New("that changes nothing")
	case slices.Contains(h.Imports, ""):
		return errors.New("with an empty import")
	}
	return nil
}

// repeated returns the first element of a list that occurs twice, or "" if there is none.
func repeated(list []string) string {
	for i, one := range list {
		if slices.Contains(list[:i], one) {
			return one
		}
	}
	return ""
}
