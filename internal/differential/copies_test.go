package differential

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// No function stands both in the oracle and in the reference, whatever it and its variables are called: a mistake would
// stand in both. Short functions may be alike, but not equal.
func TestNothingIsCopied(t *testing.T) {
	const longEnough = 120 // bytes of the body, with names of one or two letters
	oracle := bodies(t, "../../helpers/pseudoid")
	require.Greater(t, len(oracle), 60)
	equal, alike := map[string]string{}, map[string]string{}
	for _, each := range oracle {
		equal[each.text], alike[each.renamed] = each.name, each.name
	}
	reference := bodies(t, "../../reference")
	require.Greater(t, len(reference), 500)
	for _, each := range reference {
		assert.Empty(t, equal[each.text], "%s is equal", each.name)
		if len(each.renamed) >= longEnough {
			assert.Empty(t, alike[each.renamed], "%s is equal but for names", each.name)
		}
	}
}

// body is the body of a function, formatted, without comments, and once more with its names replaced by numbers.
type body struct{ name, text, renamed string }

// bodies returns the functions below a folder that are not of tests.
func bodies(t *testing.T, folder string) (found []body) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(folder, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		for _, declaration := range parsed.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			text := formatted(t, function.Body)
			rename(function.Body)
			found = append(found, body{file + ": " + function.Name.Name, text, formatted(t, function.Body)})
		}
		return nil
	}))
	return found
}

// rename replaces names by numbers in the order of their first use, and texts by nothing.
func rename(function *ast.BlockStmt) {
	numbers := map[string]string{}
	ast.Inspect(function, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Ident:
			if _, known := numbers[node.Name]; !known {
				numbers[node.Name] = "n" + strconv.Itoa(len(numbers))
			}
			node.Name = numbers[node.Name]
		case *ast.BasicLit:
			if node.Kind == token.STRING {
				node.Value = `""`
			}
		}
		return true
	})
}

func formatted(t *testing.T, node any) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, format.Node(&text, token.NewFileSet(), node))
	return text.String()
}
