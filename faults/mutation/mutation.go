// Package mutation makes mutants of the reference homeserver: small changes of its source that nobody chose, at every place
// that a rule finds (rules.go). A sample of them is built into one program, in which the environment turns one on when the
// process starts (rewrite.go), so that many mutants cost one build. The reference knows nothing of them.
//
// Where faults show that each check can fail, mutants show what no check notices.
package mutation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Module is the path of the project's Go module.
const Module = "msc4014"

// Packages are the folders whose source is changed: where MSC4014 lives, and where rooms are decided. reference/choice is left out:
// it reads the names of dialects and readings, and decides nothing.
var Packages = []string{"reference/pdu", "reference/pseudonym", "reference/rooms", "reference/rules"}

// readingType is the type of readings. What a function does may depend on those that it looks at.
const readingType = Module + "/reference/pseudonym.Reading"

// configuration is the file that lists the readings that can be chosen. It is left out, as reference/choice is.
const configuration = "reference/pseudonym/readings.go"

// Site is one place of the source with the one change that a rule makes there: a mutant. Its exported fields are the same after
// other lines of the file have moved, except Line.
type Site struct {
	File     string // relative to the project's root, with slashes
	Function string // "Rules.Judge"; for a place outside functions the variable's name
	Line     int
	Rule     Rule
	// Original and Changed are the lines of the place without their common indentation, before and after the change. They show
	// it: after a dropped call, Changed may have variables that are not used.
	Original, Changed string
	// Occurrence counts the places of a function with the same lines and change, from 1.
	Occurrence int
	// Readings are the fields of pseudonym.Readings that the function, or one of its package that it calls, looks at, sorted.
	Readings []string

	source *source
	shown  []edit
	wraps  []wrap
}

// source is a file that has sites.
type source struct {
	file string
	text []byte
	// name is the end of the package clause.
	name int
}

// ID identifies a site by its content, in eight hexadecimal digits.
func (s *Site) ID() string { return hex.EncodeToString(s.hash(""))[:8] }

// hash hashes what identifies the site, with a prefix.
func (s *Site) hash(prefix string) []byte {
	sum := sha256.New()
	for _, part := range []string{prefix, s.File, s.Function, s.Original, s.Changed, strconv.Itoa(s.Occurrence)} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return sum.Sum(nil)
}

// Package returns the folder of the site's package.
func (s *Site) Package() string { return path.Dir(s.File) }

// Place says where the site is, for people.
func (s *Site) Place() string { return fmt.Sprintf("%s:%d, %s", s.File, s.Line, s.Function) }

// Diff returns the change as the lines of a unified diff.
func (s *Site) Diff() string {
	var text strings.Builder
	for _, side := range []struct{ mark, lines string }{{"-", s.Original}, {"+", s.Changed}} {
		for line := range strings.Lines(side.lines) {
			text.WriteString(side.mark + strings.TrimRight(line, "\n") + "\n")
		}
	}
	return text.String()
}

// Find returns all sites of the project at root, ordered by file and place.
func Find(ctx context.Context, root string) ([]*Site, error) { return find(ctx, root, Packages, nil) }

// find returns all sites in folders of the project at root, with an overlay in place of files on disk.
func find(ctx context.Context, root string, folders []string, overlay map[string][]byte) ([]*Site, error) {
	loaded, err := load(ctx, root, folders, overlay)
	if err != nil {
		return nil, fmt.Errorf("cannot read the source to change: %w", err)
	}
	var all []*Site
	for _, one := range loaded {
		readings := readingsOf(one)
		for _, file := range one.Syntax {
			sites, err := sitesOf(root, one, file, readings)
			if err != nil {
				return nil, err
			}
			if len(sites) > 0 && sites[0].File != configuration {
				all = append(all, sites...)
			}
		}
	}
	ids := map[string]*Site{}
	for _, one := range all {
		if other := ids[one.ID()]; other != nil {
			return nil, fmt.Errorf("%s and %s have the same ID %s; make IDs longer", other.Place(), one.Place(), one.ID())
		}
		ids[one.ID()] = one
	}
	return all, nil
}

// load loads packages with their types.
func load(ctx context.Context, root string, folders []string, overlay map[string][]byte) ([]*packages.Package, error) {
	var patterns []string
	for _, folder := range folders {
		patterns = append(patterns, "./"+folder)
	}
	onDisk := map[string][]byte{}
	for file, text := range overlay {
		onDisk[filepath.Join(root, filepath.FromSlash(file))] = text
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports | packages.NeedExportFile,
		Context: ctx, Dir: root, Overlay: onDisk,
	}, patterns...)
	if err != nil {
		return nil, err
	}
	for _, one := range loaded {
		if len(one.Errors) > 0 {
			return nil, fmt.Errorf("package %s: %w", one.PkgPath, one.Errors[0])
		}
	}
	slices.SortFunc(loaded, func(a, b *packages.Package) int { return strings.Compare(a.PkgPath, b.PkgPath) })
	return loaded, nil
}

// Sample returns count of the sites, or all if there are fewer. The seed decides which; the first sites of a sample are those of
// every smaller one. A site keeps its place in the order when others appear or go.
func Sample(sites []*Site, seed uint64, count int) []*Site {
	prefix := strconv.FormatUint(seed, 10)
	order := map[*Site]string{}
	for _, one := range sites {
		order[one] = string(one.hash(prefix))
	}
	sample := slices.SortedFunc(slices.Values(sites), func(a, b *Site) int { return strings.Compare(order[a], order[b]) })
	return sample[:min(count, len(sample))]
}
