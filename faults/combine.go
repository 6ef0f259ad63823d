package faults

// Builds one program with many faults, so that a proof does not compile the server once for each.

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/ast/astutil"
)

// OnVariable has the number of the fault that is on in a combined program (switch.go.txt); without it none is.
const OnVariable = "MSC4014_REFERENCE_FAULT"

// switchPackage is the package of a combined program that knows which fault is on, and switchFile its only file. Neither exists on disk.
const (
	switchPackage = "msc4014/reference/internal/fault"
	switchFile    = "reference/internal/fault/fault.go"
)

//go:embed switch.go.txt
var switchText []byte

// Combined is the source of a program with many faults. The environment turns one on when the process starts.
type Combined struct {
	// Overlay are the files in place of those on disk, by path relative to the project's root.
	Overlay map[string][]byte
	// Numbers are the numbers of its faults, by ID. Faults without a number change more than the bodies of functions.
	Numbers map[string]int
}

// Combine combines those of the faults that only change what functions do: each of the functions begins with a switch that goes to its
// body with the fault that is on.
func Combine(root string, faults []Fault) (Combined, error) {
	done := Combined{Numbers: map[string]int{}}
	files := map[string]*combination{}
	for _, one := range faults {
		patched, err := Apply(root, []Fault{one})
		if err != nil {
			return done, err
		}
		changes := map[string]change{}
		for file, text := range patched {
			if files[file] == nil {
				if files[file], err = newCombination(root, file); err != nil {
					return done, err
				}
			}
			var ok bool
			if changes[file], ok = files[file].change(text); !ok {
				changes = nil
				break
			}
		}
		if changes == nil {
			continue
		}
		number := len(done.Numbers) + 1
		done.Numbers[one.ID] = number
		for file, change := range changes {
			files[file].add(number, change)
		}
	}
	done.Overlay = map[string][]byte{switchFile: switchText}
	for file, one := range files {
		if len(one.variants) == 0 {
			continue
		}
		text, err := one.combined()
		if err != nil {
			return done, fmt.Errorf("faults of %s cannot be combined: %w", file, err)
		}
		done.Overlay[file] = text
	}
	return done, nil
}

// combination is a file with the bodies of its functions with each fault.
type combination struct {
	name     string
	text     []byte
	parsed   *declarations
	variants map[string][]variant // by the function's header
	imports  map[string]string    // paths, by name in the file
	added    []imported
}

// variant is the body of a function with a fault.
type variant struct {
	number int
	body   string
}

// imported is an import that a variant needs; name is "" if it is the package's.
type imported struct{ name, path string }

// change is what a fault changes in a file.
type change struct {
	bodies  map[string]string // by the function's header
	imports []imported
}

func newCombination(root, file string) (*combination, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		return nil, err
	}
	parsed, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	c := &combination{name: file, text: text, parsed: parsed, variants: map[string][]variant{}, imports: map[string]string{}}
	for _, one := range parsed.imports {
		c.imports[one.local()] = one.path
	}
	return c, nil
}

// local returns the name under which a file uses an import: by its path, if it gives no name.
func (i imported) local() string {
	if i.name != "" {
		return i.name
	}
	return path.Base(i.path)
}

// change returns what a patched file changes. It is not ok if that is more than bodies of functions, or if they cannot stand beside others.
func (c *combination) change(patched []byte) (done change, ok bool) {
	after, err := parse(c.name, patched)
	if err != nil || !slices.Equal(c.parsed.headers, after.headers) || !slices.Equal(c.parsed.others, after.others) {
		return done, false
	}
	done.bodies = map[string]string{}
	for header, body := range after.bodies {
		if body == c.parsed.bodies[header] {
			continue
		}
		if after.apart[header] || c.parsed.apart[header] {
			return done, false
		}
		done.bodies[header] = body
	}
	if len(done.bodies) == 0 {
		return done, false // as a change of comments alone, which may be directives
	}
	for _, one := range after.imports {
		switch other, known := c.imports[one.local()]; {
		case known && other != one.path:
			return done, false
		case !known:
			done.imports = append(done.imports, one)
		}
	}
	return done, true
}

func (c *combination) add(number int, change change) {
	for header, body := range change.bodies {
		c.variants[header] = append(c.variants[header], variant{number, body})
	}
	for _, one := range change.imports {
		c.imports[one.local()] = one.path
		c.added = append(c.added, one)
	}
}

// combined returns the file with all variants.
func (c *combination) combined() ([]byte, error) {
	var text bytes.Buffer
	done := 0
	for _, function := range c.parsed.functions {
		variants := c.variants[function.header]
		if len(variants) == 0 {
			continue
		}
		text.Write(c.text[done:function.begin])
		text.WriteString("\nswitch fault.On {\n")
		for _, one := range variants {
			fmt.Fprintf(&text, "case %d:\n%s\n", one.number, one.body)
			if !function.results {
				text.WriteString("return\n")
			}
		}
		text.WriteString("}\n")
		done = function.begin
	}
	text.Write(c.text[done:])
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, c.name, text.Bytes(), parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, one := range append(c.added, imported{path: switchPackage}) {
		astutil.AddNamedImport(set, parsed, one.name, one.path)
	}
	var result bytes.Buffer
	err = format.Node(&result, set, parsed)
	return result.Bytes(), err
}

// declarations are what files are compared by.
type declarations struct {
	imports   []imported
	headers   []string // of functions, in their order
	others    []string // the other declarations, without imports
	functions []function
	bodies    map[string]string // with their braces
	apart     map[string]bool   // functions with a body that may mean something else in a block (apart)
}

// function is a function with a body.
type function struct {
	header  string // "func (r Rules) Allowed(event *pdu.Event) error "
	begin   int    // of what follows the body's opening brace
	results bool
}

func parse(name string, text []byte) (*declarations, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	at := func(pos token.Pos) int { return set.Position(pos).Offset }
	s := &declarations{bodies: map[string]string{}, apart: map[string]bool{}}
	for _, declared := range file.Decls {
		switch declared := declared.(type) {
		case *ast.FuncDecl:
			header := ""
			if declared.Body != nil {
				header = string(text[at(declared.Pos()):at(declared.Body.Lbrace)])
			}
			if declared.Body == nil || slices.Contains(s.headers, header) { // as init may be
				s.others = append(s.others, string(text[at(declared.Pos()):at(declared.End())]))
				continue
			}
			s.headers = append(s.headers, header)
			s.bodies[header] = string(text[at(declared.Body.Lbrace):at(declared.Body.End())])
			s.functions = append(s.functions, function{header, at(declared.Body.Lbrace) + 1, declared.Type.Results != nil})
			s.apart[header] = apart(declared)
		case *ast.GenDecl:
			if declared.Tok == token.IMPORT {
				continue
			}
			s.others = append(s.others, string(text[at(declared.Pos()):at(declared.End())]))
		}
	}
	for _, spec := range file.Imports {
		name, path := parts(spec)
		s.imports = append(s.imports, imported{name, path})
	}
	return s, nil
}

// apart reports whether the body of a function may mean something else in a block of a switch: if it has labels, which are scoped to the
// whole function, or if it assigns to a parameter or result by := beside a function literal that may use it.
func apart(function *ast.FuncDecl) bool {
	own := map[string]bool{}
	for _, list := range []*ast.FieldList{function.Recv, function.Type.Params, function.Type.Results} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				own[name.Name] = true
			}
		}
	}
	assigns := false
	for _, statement := range function.Body.List {
		if assignment, ok := statement.(*ast.AssignStmt); ok && assignment.Tok == token.DEFINE {
			assigns = assigns || slices.ContainsFunc(assignment.Lhs, func(to ast.Expr) bool {
				name, ok := to.(*ast.Ident)
				return ok && own[name.Name]
			})
		}
	}
	found := false
	ast.Inspect(function.Body, func(node ast.Node) bool {
		switch node.(type) {
		case *ast.LabeledStmt:
			found = true
		case *ast.FuncLit:
			found = found || assigns
		}
		return !found
	})
	return found
}
