// Package imports tests which packages import which.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "msc4014/"

// edge is an import between two packages of the project, without the module's name.
type edge struct {
	from, to string
	test     bool // of a test file
}

// rules say which packages of the project those below a folder may import: only some, or all but some.
var rules = []struct {
	from      string
	only, not []string
	rule      string
}{
	{
		from: "helpers", not: []string{"blueprints", "tests", "internal/suite", "cmd", "report"},
		rule: "helpers do not import what is built on them",
	},
	{from: "helpers/pseudoid", only: []string{"helpers/pseudoid"}, rule: "the oracle imports nothing of the project"},
	{from: "runtime", only: []string{"runtime", "internal/filelock"}, rule: "runtime imports nothing of the project but file locks"},
	{
		from: "reference", only: []string{"reference"},
		rule: "the reference imports nothing of the suite",
	},
	{
		from: "internal/differential", only: []string{"helpers/pseudoid", "reference/identity", "reference/pdu"},
		rule: "the comparison of oracle and reference imports nothing else",
	},
	{from: "faults", only: []string{"faults", "internal"}, rule: "faults import nothing of the project but internal/"},
}

// testsMay lists exceptions for test files.
var testsMay = []edge{
	{"helpers/stage", "blueprints", true}, // actors are tested on deployments of fake servers
	{"helpers/stage", "blueprints/fake", true},
}

// broken returns the rule that an import breaks, or "".
func broken(e edge) string {
	if slices.Contains(testsMay, e) {
		return ""
	}
	for _, each := range rules {
		in := func(folder string) bool { return below(e.to, folder) }
		if below(e.from, each.from) && (each.only != nil && !slices.ContainsFunc(each.only, in) || slices.ContainsFunc(each.not, in)) {
			return each.rule
		}
	}
	switch {
	case !below(e.to, "tests") || e.from == "tests" || e.from == "tests/all" || e.from == e.to:
		return ""
	case e.to == "tests/all" && e.test && below(e.from, "tests"):
		return ""
	case !below(e.from, "tests"):
		return "nothing imports tests"
	case chapter(e.from) != chapter(e.to):
		return "chapters do not import each other; what they share is in helpers"
	}
	return ""
}

// below reports whether a package is in a folder or below it.
func below(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// chapter returns the folder below tests that a package is in, "" for tests itself.
func chapter(name string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "tests/"), "/")
	return strings.TrimPrefix(first, "tests")
}

func TestImports(t *testing.T) {
	found := edges(t, filepath.Join("..", ".."))
	assert.Greater(t, len(found), 200, "the tree was read")
	for _, each := range found {
		if rule := broken(each); rule != "" {
			t.Errorf("%s imports %s: %s", each.from, each.to, rule)
		}
	}
}

// edges returns the imports of all packages of the project, for all platforms.
func edges(t *testing.T, root string) (found []edge) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "results"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		for _, each := range parsed.Imports {
			imported, err := strconv.Unquote(each.Path.Value)
			if err != nil {
				return err
			}
			if to, own := strings.CutPrefix(imported, module); own {
				found = append(found, edge{path.Dir(filepath.ToSlash(relative)), to, strings.HasSuffix(name, "_test.go")})
			}
		}
		return err
	})
	require.NoError(t, err)
	return found
}

func TestBroken(t *testing.T) {
	for _, each := range []struct {
		from, to, rule string
	}{
		{"tests/mapping", "tests/routing", "chapters"},
		{"tests/mapping/ledger", "tests/routing", "chapters"},
		{"tests/mapping", "tests", "chapters"},
		{"tests/mapping", "tests/mapping/ledger", ""},
		{"tests", "tests/mapping", ""},
		{"tests/mapping", "helpers/stage", ""},
		{"cmd/msc4014", "tests/mapping", "nothing imports tests"},
		{"internal/suite", "tests", "nothing imports tests"},
		{"internal/suite", "testsuite", ""},
		{"helpers/stage", "blueprints", "helpers do not import"},
		{"helpers/check", "tests/mapping", "helpers do not import"},
		{"helpers/check", "internal/suite", "helpers do not import"},
		{"helpers/plan", "cmd/internal/run", "helpers do not import"},
		{"helpers/plan", "report/baseline", "helpers do not import"},
		{"helpers/plan", "runtime", ""},
		{"helpers/pseudoid", "helpers/foreign", "the oracle imports nothing"},
		{"runtime/candidate", "reference/choice", "runtime imports nothing"},
		{"runtime", "helpers/pseudoid", "runtime imports nothing"},
		{"runtime/session", "report", "runtime imports nothing"},
		{"runtime/docker", "runtime/docker/engine", ""},
		{"reference/rooms", "helpers/csapi", "the reference imports nothing"},
		{"reference/rooms", "helpers/pseudoid", "the reference imports nothing"},
		{"reference", "runtime", "the reference imports nothing"},
		{"reference/rooms", "faults", "the reference imports nothing"},
		{"runtime/candidate", "faults", "runtime imports nothing"},
		{"internal/differential", "helpers/pseudoid", ""},
		{"internal/differential", "reference/pdu", ""},
		{"internal/differential", "helpers/csapi", "the comparison of oracle and reference"},
		{"faults", "reference/choice", "faults import nothing"},
		{"faults", "internal/filelock", ""},
		{"cmd/msc4014", "faults", ""},
		{"blueprints", "helpers/stage", ""},
	} {
		rule := broken(edge{each.from, each.to, false})
		assert.Equal(t, each.rule == "", rule == "", "%s imports %s: %s", each.from, each.to, rule)
		assert.Contains(t, rule, each.rule, "%s imports %s", each.from, each.to)
	}
	assert.Empty(t, broken(edge{"helpers/stage", "blueprints", true}))
	assert.Empty(t, broken(edge{"tests/all", "tests/mapping", false}))
	assert.Empty(t, broken(edge{"tests/sabotage", "tests/all", true}))
	assert.NotEmpty(t, broken(edge{"tests/sabotage", "tests/all", false}))
}
