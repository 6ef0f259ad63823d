// Loading and validating the catalogue.

package requirements

import (
	"bytes"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"

	"msc4014/helpers/verdict"
)

//go:embed data/*.json
var data embed.FS

var (
	idForm   = regexp.MustCompile(`^([a-z]+(?:-[a-z]+)*)/[a-z0-9]+(?:-[a-z0-9]+)*$`)
	slugForm = regexp.MustCompile(`^[a-z0-9]+(?:-[a-z0-9]+)*$`)
)

// Load returns the catalogue embedded in the program. Its error lists every fault of the data.
func Load() (*Catalogue, error) {
	files, err := fs.Sub(data, "data")
	if err != nil {
		return nil, fmt.Errorf("the catalogue's data: %w", err)
	}
	return LoadFrom(files)
}

// LoadFrom reads a catalogue from files: catalogue.json, and <chapter>.json for each chapter that it names. Its error lists
// every fault: unknown fields and kinds; malformed or duplicate identifiers, or those of another chapter; missing texts;
// too few readings, or readings where none belong; chapter files that the catalogue does not name.
func LoadFrom(files fs.FS) (*Catalogue, error) {
	var head struct {
		Catalogue
		Chapters []string `json:"chapters"`
	}
	if err := decode(files, "catalogue.json", &head); err != nil {
		return nil, err
	}
	catalogue := head.Catalogue
	catalogue.byID = map[string]Requirement{}
	faults := checkHead(&catalogue)
	named := map[string]bool{"catalogue.json": true}
	for _, name := range head.Chapters {
		file := name + ".json"
		if named[file] {
			faults = append(faults, fmt.Errorf("catalogue.json names the chapter %q twice", name))
			continue
		}
		named[file] = true
		var chapter Chapter
		if err := decode(files, file, &chapter); err != nil {
			faults = append(faults, err)
			continue
		}
		if chapter.Name != name {
			faults = append(faults, fmt.Errorf("%s contains the chapter %q", file, chapter.Name))
		}
		faults = append(faults, catalogue.add(chapter)...)
	}
	faults = append(faults, catalogue.addConsequences()...)
	present, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	for _, file := range present {
		if !named[path.Base(file)] {
			faults = append(faults, fmt.Errorf("%s is not a chapter that catalogue.json names", file))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("the catalogue is not valid: %w", errors.Join(faults...))
	}
	return &catalogue, nil
}

// addConsequences gives requirements what it means for users when a server breaks them.
func (c *Catalogue) addConsequences() []error {
	var faults []error
	means := map[string]string{}
	for _, consequence := range c.Consequences {
		for _, id := range consequence.Requirements {
			if requirement, ok := c.byID[id]; !ok || requirement.Kind == Open || means[id] != "" || consequence.Means == "" {
				faults = append(faults, fmt.Errorf("catalogue.json: the consequence %q: %q is not a requirement that can fail, or has another consequence", consequence.Means, id))
			}
			means[id] = consequence.Means
		}
	}
	for i := range c.chapters {
		for j := range c.chapters[i].Requirements {
			requirement := &c.chapters[i].Requirements[j]
			requirement.Consequence = means[requirement.ID]
			c.byID[requirement.ID] = *requirement
		}
	}
	return faults
}

func decode(files fs.FS, name string, into any) error {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("the catalogue's data: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if decoder.More() {
		return fmt.Errorf("%s: text follows the JSON value", name)
	}
	return nil
}

func checkHead(c *Catalogue) []error {
	var faults []error
	if c.Version < 1 {
		faults = append(faults, fmt.Errorf("catalogue.json: version %d, but versions start at 1", c.Version))
	}
	for _, name := range []string{"MSC4014", "MSC1228"} {
		if text, ok := c.Text(name); !ok || !isHex(text.Commit, 20) {
			faults = append(faults, fmt.Errorf("catalogue.json: %s has no commit of 40 hexadecimal digits", name))
		}
	}
	for _, text := range c.Texts {
		if !isHex(text.SHA256, 32) {
			faults = append(faults, fmt.Errorf("catalogue.json: sha256 of %s is not 64 hexadecimal digits", text.Name))
		}
	}
	return faults
}

func isHex(text string, size int) bool {
	decoded, err := hex.DecodeString(text)
	return err == nil && len(decoded) == size
}

// add validates a chapter's requirements and adds them.
func (c *Catalogue) add(chapter Chapter) []error {
	var faults []error
	if chapter.Title == "" || len(chapter.Requirements) == 0 {
		faults = append(faults, fmt.Errorf("chapter %q lacks a title or requirements", chapter.Name))
	}
	for i := range chapter.Requirements {
		requirement := &chapter.Requirements[i]
		requirement.Chapter = chapter.Name
		if requirement.Since == 0 {
			requirement.Since = 1
		}
		for _, fault := range c.faultsOf(*requirement) {
			faults = append(faults, fmt.Errorf("requirement %q: %w", requirement.ID, fault))
		}
		c.byID[requirement.ID] = *requirement
	}
	c.chapters = append(c.chapters, chapter)
	return faults
}

func (c *Catalogue) faultsOf(r Requirement) []error {
	var faults []error
	form := idForm.FindStringSubmatch(r.ID)
	if form == nil {
		faults = append(faults, errors.New("its identifier is not of the form chapter/short-name"))
	} else if form[1] != r.Chapter {
		faults = append(faults, fmt.Errorf("it is in the chapter %q", r.Chapter))
	}
	if _, twice := c.byID[r.ID]; twice {
		faults = append(faults, errors.New("it is a duplicate"))
	}
	if r.Demand == "" || r.Source == "" {
		faults = append(faults, errors.New("it lacks its demand or its source"))
	}
	if r.Since < 1 || r.Since > c.Version {
		faults = append(faults, fmt.Errorf("its since is %d, in a catalogue of version %d", r.Since, c.Version))
	}
	switch r.Kind {
	case Must, Should:
		if len(r.Readings) > 0 {
			faults = append(faults, fmt.Errorf("it is a %s with readings, which only an open requirement can have", r.Kind))
		}
	case Open:
		if len(r.Readings) < 2 {
			faults = append(faults, fmt.Errorf("it is open and has %d readings; it needs at least two", len(r.Readings)))
		}
	default:
		faults = append(faults, fmt.Errorf("its kind %q is not one of must, should, open", r.Kind))
	}
	seen := map[string]bool{}
	for _, reading := range r.Readings {
		switch {
		case !slugForm.MatchString(reading.Slug) || reading.Means == "":
			faults = append(faults, fmt.Errorf("its reading %q lacks a meaning, or is not lower-case words joined by hyphens", reading.Slug))
		case reading.Slug == verdict.NoneSeen:
			faults = append(faults, fmt.Errorf("its reading %q is reserved for observations of no reading", reading.Slug))
		case seen[reading.Slug]:
			faults = append(faults, fmt.Errorf("its reading %q is a duplicate", reading.Slug))
		}
		seen[reading.Slug] = true
	}
	return faults
}
