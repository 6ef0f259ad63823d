package foreign

import (
	"go/ast"
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

// readers are functions that read a body to its end, or to the end of its JSON.
var readers = map[string]bool{
	"io.ReadAll": true, "io.Copy": true, "io.CopyN": true, "io.ReadFull": true, "json.NewDecoder": true,
	"bufio.NewReader": true, "bufio.NewScanner": true,
}

// exempt are the calls of readers that are allowed in files that import net/http, with the reason.
var exempt = map[string]string{
	"helpers/federation/server.go: io.CopyN":           "discards the body of a request to a closed peer, up to a bound",
	"runtime/readiness/readiness.go: io.Copy":          "discards the answer to a probe, up to a bound",
	"runtime/docker/engine/engine.go: json.NewDecoder": "is the engine's own answer, read up to a bound",
	"report/live/serve.go: io.Copy":                    "serves a file",
	"blueprints/fake/homeserver.go: json.NewDecoder":   "is asked by the suite alone",
	"tests/sabotage/saboteur/main.go: io.ReadAll":      "is asked by the suite alone",
	"tests/sabotage/saboteur/main.go: io.Copy":         "passes connections on",
}

// TestBodiesAreReadWithinBounds finds code that reads HTTP bodies without Read.
func TestBodiesAreReadWithinBounds(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, folder := range []string{"helpers", "blueprints", "runtime", "internal", "tests", "report", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			name, err := filepath.Rel(root, path)
			require.NoError(t, err)
			for _, call := range readersOfHTTP(t, path) {
				place := filepath.ToSlash(name) + ": " + call
				assert.NotEmpty(t, exempt[place], "%s: what a server sends is read by foreign.Read", place)
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// readersOfHTTP returns the calls of readers in a file that imports net/http.
func readersOfHTTP(t *testing.T, path string) (calls []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	byHTTP := false
	for _, each := range file.Imports {
		imported, err := strconv.Unquote(each.Path.Value)
		require.NoError(t, err)
		byHTTP = byHTTP || imported == "net/http"
	}
	ast.Inspect(file, func(node ast.Node) bool {
		called, ok := node.(*ast.CallExpr)
		if !ok || !byHTTP {
			return true
		}
		if selector, ok := called.Fun.(*ast.SelectorExpr); ok {
			if from, ok := selector.X.(*ast.Ident); ok && readers[from.Name+"."+selector.Sel.Name] {
				calls = append(calls, from.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return calls
}
