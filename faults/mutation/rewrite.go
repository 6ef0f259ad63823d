package mutation

// Builds a program with many mutants: each site is rewritten so that it asks the package mutant, at run time, whether it is on.

import (
	"cmp"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The environment of a program with mutants (mutant.go.txt).
const (
	// OnVariable has the number of the mutant that is on; without it none is.
	OnVariable = "MSC4014_REFERENCE_MUTANT"
	// ReachedVariable names a file that gets a line with the number of a mutant and the time, in milliseconds since 1970, each time
	// that the mutant is reached, but at most once in RecordInterval. The time is that of the beginning of the interval.
	ReachedVariable = "MSC4014_REFERENCE_MUTANTS_REACHED"
)

// RecordInterval is how precise the recorded times are, as in mutant.go.txt.
const RecordInterval = 10 * time.Millisecond

// switchFile is the file of the package mutant in the overlay. It does not exist on disk.
const switchFile = "reference/internal/mutant/mutant.go"

//go:embed mutant.go.txt
var switchText []byte

// number stands for a site's number in the texts that are inserted.
const number = "\x00"

// wrap inserts text before and after a part of a file. Parts of different wraps are nested or apart.
type wrap struct {
	begin, end    int
	before, after string
	imports       string // a package that the text needs, or ""
}

// Overlay returns the files of a program with mutants, by path relative to the project's root: the number of a mutant is its place
// among the sites, from 1. Lines keep their numbers.
func Overlay(sites []*Site) map[string][]byte {
	overlay := map[string][]byte{switchFile: switchText}
	files := map[*source][]wrap{}
	for i, one := range sites {
		for _, each := range one.wraps {
			each.before = strings.ReplaceAll(each.before, number, strconv.Itoa(i+1))
			each.after = strings.ReplaceAll(each.after, number, strconv.Itoa(i+1))
			files[one.source] = append(files[one.source], each)
		}
	}
	for file, wraps := range files {
		overlay[file.file] = file.rewritten(wraps)
	}
	return overlay
}

// rewritten returns the file with all wraps.
func (s *source) rewritten(wraps []wrap) []byte {
	imports := []string{fmt.Sprintf("; import %q", Module+"/reference/internal/mutant")}
	for _, one := range wraps {
		if one.imports != "" {
			imports = append(imports, fmt.Sprintf("; import %s %q", alias(one.imports), one.imports))
		}
	}
	slices.Sort(imports)
	insertions := []insertion{{at: s.name, text: strings.Join(slices.Compact(imports), "")}}
	// Outer parts first; of equal ones, each contains the next.
	slices.SortStableFunc(wraps, func(a, b wrap) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(b.end, a.end))
	})
	for i, one := range wraps {
		insertions = append(insertions, insertion{one.begin, one.before, i}, insertion{one.end, one.after, -i})
	}
	slices.SortStableFunc(insertions, func(a, b insertion) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order))
	})
	var text []byte
	done := 0
	for _, one := range insertions {
		text = append(append(text, s.text[done:one.at]...), one.text...)
		done = one.at
	}
	return append(text, s.text[done:]...)
}

// insertion is a text that is inserted at an offset, after those of a lower order: ends of parts before beginnings, inner ends
// before outer ones.
type insertion struct {
	at    int
	text  string
	order int
}
