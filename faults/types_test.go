package faults

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// TestEveryFaultCompiles checks the types of the reference with each fault. ./run.sh prove builds the ones that it tries.
func TestEveryFaultCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("the compiler is asked for every package that the reference imports")
	}
	reference := loadReference(t)
	all, err := All()
	require.NoError(t, err)
	for _, one := range all {
		patched, err := Apply(root, []Fault{one})
		if assert.NoError(t, err, one.ID) {
			assert.NoError(t, reference.check(patched), one.ID)
		}
	}
}

// program is the packages of the reference with their types, and those that they import.
type program struct {
	set  *token.FileSet
	root string
	own  []*packages.Package // what a package imports comes before it
	all  map[string]*types.Package
}

func loadReference(t *testing.T) program {
	t.Helper()
	loaded, err := loadOnce()
	require.NoError(t, err)
	return loaded
}

// loadOnce loads the reference for all tests.
var loadOnce = sync.OnceValues(func() (program, error) {
	whole, err := filepath.Abs(root)
	if err != nil {
		return program{}, err
	}
	loaded := program{set: token.NewFileSet(), root: whole, all: map[string]*types.Package{}}
	const mode = packages.NeedName | packages.NeedCompiledGoFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedImports
	roots, err := packages.Load(&packages.Config{Mode: mode, Dir: whole, Fset: loaded.set}, "./reference/...")
	if err != nil {
		return program{}, err
	}
	if packages.PrintErrors(roots) > 0 {
		return program{}, errors.New("the reference does not compile")
	}
	packages.Visit(roots, nil, func(one *packages.Package) {
		loaded.all[one.PkgPath] = one.Types
		if slices.Contains(roots, one) {
			loaded.own = append(loaded.own, one)
		}
	})
	return loaded, nil
})

// with returns the program with another package of one file, which imports no other than those that the reference does.
func (p program) with(path string, text []byte) (program, error) {
	file, err := parser.ParseFile(p.set, path, text, parser.SkipObjectResolution)
	if err != nil {
		return p, err
	}
	config := types.Config{Importer: importer(func(path string) (*types.Package, error) { return p.all[path], nil })}
	added, err := config.Check(path, p.set, []*ast.File{file}, nil)
	p.all = maps.Clone(p.all)
	p.all[path] = added
	return p, err
}

// check checks the types of the packages with patched files, by path below the root, and of all that import them.
func (p program) check(patched map[string][]byte) error {
	checked := maps.Clone(p.all)
	found := 0
	var problems []error
	for _, one := range p.own {
		again := false
		for path := range one.Imports {
			again = again || checked[path] != p.all[path]
		}
		var files []*ast.File
		for i, name := range one.CompiledGoFiles {
			below, err := filepath.Rel(p.root, name)
			if err != nil {
				return err
			}
			text, changed := patched[filepath.ToSlash(below)]
			if !changed {
				files = append(files, one.Syntax[i])
				continue
			}
			again, found = true, found+1
			file, err := parser.ParseFile(p.set, name, text, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			files = append(files, file)
		}
		if !again {
			continue
		}
		config := types.Config{
			Importer: importer(func(path string) (*types.Package, error) {
				if imported := checked[path]; imported != nil {
					return imported, nil
				}
				return nil, fmt.Errorf("no package of the reference imports %s", path)
			}),
			Error: func(err error) { problems = append(problems, err) },
		}
		checked[one.PkgPath], _ = config.Check(one.PkgPath, p.set, files, nil) // Error has the problems
	}
	if found != len(patched) {
		problems = append(problems, errors.New("a patched file does not belong to the reference"))
	}
	return errors.Join(problems...)
}

// importer is a function that finds packages.
type importer func(path string) (*types.Package, error)

func (i importer) Import(path string) (*types.Package, error) { return i(path) }

func TestTypesOfPatchedPackagesAreChecked(t *testing.T) {
	if testing.Short() {
		t.Skip("the compiler is asked for every package that the reference imports")
	}
	reference := loadReference(t)
	const file = "reference/pdu/hash.go"
	original, err := os.ReadFile(filepath.Join(root, file))
	require.NoError(t, err)
	text := string(original)
	require.NoError(t, reference.check(map[string][]byte{file: []byte(text + "\n// end\n")}))
	for wrong, patched := range map[string]string{
		"declared and not used": text + "\nfunc unused() { left := 1 }\n",
		"imported and not used": strings.Replace(text, "import (", "import (\n\t\"net/http\"", 1),
		"undefined":             strings.ReplaceAll(text, "contentHash", "contentHashes"), // by what uses it
	} {
		assert.ErrorContains(t, reference.check(map[string][]byte{file: []byte(patched)}), wrong)
	}
	assert.Error(t, reference.check(map[string][]byte{"reference/missing.go": original}))
}
