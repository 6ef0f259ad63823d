// Package docs tests what the documentation says about the source.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// place matches `file.go`: `Function`, `Type.Method` ...
var place = regexp.MustCompile("`([a-z/_]+\\.go)`:((?: `[A-Za-z.]+`,?)+)")

// TestReferenceNamesFunctions: docs/reference.md names functions by file, which must be there.
func TestReferenceNamesFunctions(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference.md"))
	require.NoError(t, err)
	named := 0
	for _, match := range place.FindAllStringSubmatch(string(text), -1) {
		file := match[1]
		if !strings.Contains(file, "/") {
			file = "reference/pseudonym/" + file
		}
		found := functions(t, filepath.Join(root, filepath.FromSlash(file)))
		for _, name := range strings.FieldsFunc(match[2], func(r rune) bool { return r == ' ' || r == '`' || r == ',' }) {
			assert.Contains(t, found, name, file)
			named++
		}
	}
	assert.Greater(t, named, 50, "the table was read")
}

// functions returns the functions and methods of a file, as "function" and "Type.Method".
func functions(t *testing.T, file string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, declaration := range parsed.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := function.Name.Name
		if function.Recv != nil {
			receiver := function.Recv.List[0].Type
			if pointer, ok := receiver.(*ast.StarExpr); ok {
				receiver = pointer.X
			}
			name = receiver.(*ast.Ident).Name + "." + name
		}
		names = append(names, name)
	}
	return names
}
