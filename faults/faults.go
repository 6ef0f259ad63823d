// Package faults lists the faults that the reference homeserver can be built with: each changes one decision of the server,
// as a hurried implementer would get it wrong, and breaks one sentence of the proposal or of the Matrix specification. The
// server knows nothing of them. A fault is data, in data/<chapter>.yaml: a row that says what it breaks and what must notice,
// and a patch of the server's source, which the go command builds as an overlay (Apply).
//
// In the rows, "MSC4014, Proposal 2" is the second item of the proposal's section of that name, and sub-items follow a full
// stop; the sentences are told in own words.
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

	"go.yaml.in/yaml/v3"
)

// Fault is one deliberate deviation of the server.
type Fault struct {
	// ID names the fault, in lower-case words with hyphens between them.
	ID string `yaml:"id"`
	// Does says in one sentence what the server does with this fault.
	Does string `yaml:"does"`
	// Breaks says which sentence of which text that breaks, with its section.
	Breaks string `yaml:"breaks"`
	// Dialect is the spelling on the wire in which the fault is shown.
	Dialect string `yaml:"dialect"`
	// Containers says that the checks that must fail take containers.
	Containers bool `yaml:"containers"`
	// Requirements are the requirements of the catalogue that a server with this fault does not meet: all of them that any
	// check judges.
	Requirements []string `yaml:"requirements"`
	// Kills are the checks that must fail, and by which assertion.
	Kills []Kill `yaml:"kills"`
	// Hunks are the patch. Together they are one decision.
	Hunks []Hunk `yaml:"hunks"`
}

// Kill is a check that a fault must make fail.
type Kill struct {
	Check string `yaml:"check"`
	By    string `yaml:"by"` // words of the reason that it gives
}

// Hunk is one place of the source that a fault changes.
type Hunk struct {
	File    string   `yaml:"file"`    // a Go file, relative to the project's root, with slashes
	Imports []string `yaml:"imports"` // what Replace needs beside what the file imports already
	// Find are whole lines that stand exactly once in the file. If the first is not indented, they may stand at any depth;
	// otherwise at that depth. Their indentation relative to each other counts, byte by byte.
	Find string `yaml:"find"`
	// Replace are the lines that stand there in the patched file. Their indentation is free: the result is formatted.
	Replace string `yaml:"replace"`
}

// The dialects that a fault can be shown in, the usual one first.
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

// All returns the faults by chapter, and in the order of their file. Its error names everything that is wrong with the data.
func All() ([]Fault, error) {
	all, err := load()
	return slices.Clone(all), err
}

// Named returns those of all faults that have the IDs, each once. The error for an ID that none has says which there are.
func Named(all []Fault, ids []string) (named []Fault, err error) {
	for i, id := range ids {
		at := slices.IndexFunc(all, func(one Fault) bool { return one.ID == id })
		if at < 0 {
			var known []string
			for _, one := range all {
				known = append(known, one.ID)
			}
			return nil, fmt.Errorf("there is no fault %q; there are %s", id, strings.Join(known, ", "))
		}
		if !slices.Contains(ids[:i], id) {
			named = append(named, all[at])
		}
	}
	return named, nil
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
		chapter, err := decode(files, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("faults/data/%s: %w", name, err))
		}
		for i := range chapter {
			one := &chapter[i]
			named := fmt.Sprintf("faults/data/%s: fault %q", name, one.ID)
			if one.ID == "" {
				named = fmt.Sprintf("faults/data/%s: the fault at place %d", name, i+1)
			}
			for _, problem := range one.check() {
				problems = append(problems, fmt.Errorf("%s %w", named, problem))
			}
			if other, twice := seen[one.ID]; twice && one.ID != "" {
				problems = append(problems, fmt.Errorf("%s is in faults/data/%s already; give it another id", named, other))
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

func decode(files fs.FS, name string) (chapter []Fault, err error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
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

// check returns what is wrong with a fault, and gives it the usual dialect if it names none.
func (f *Fault) check() (problems []error) {
	problem := func(format string, arguments ...any) { problems = append(problems, fmt.Errorf(format, arguments...)) }
	if !idForm.MatchString(f.ID) {
		problem("has an id of another form than lower-case-words")
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
		problem("has dialect %q; there are %s", f.Dialect, strings.Join(dialects, ", "))
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
		return fmt.Errorf("with file %q; it is a Go file below reference/, and no test", h.File)
	case strings.TrimSpace(h.Find) == "":
		return errors.New("without lines to find")
	case strings.TrimSpace(first(h.Find)) == "":
		return errors.New("whose lines to find begin with an empty one")
	case lines(h.Find) == lines(h.Replace):
		return errors.New("that changes nothing")
	case slices.Contains(h.Imports, ""):
		return errors.New("with an empty import")
	}
	return nil
}

// repeated returns what stands in a list twice, "" for nothing.
func repeated(list []string) string {
	for i, one := range list {
		if slices.Contains(list[:i], one) {
			return one
		}
	}
	return ""
}
