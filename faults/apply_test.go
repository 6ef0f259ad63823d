package faults

import (
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const source = `package keys

import (
	"errors"
	"strings"
)

// Key makes a key.
func Key(name string) (string, error) {
	if name == "" {
		return "", errors.New("no name")
	}

	if strings.Contains(name, " ") {
		name = strings.TrimSpace(name)
	}
	return name, nil
}

func again(name string) string {
	for range 2 {
		if strings.Contains(name, " ") {
			name = strings.TrimSpace(name)
		}
	}
	return name
}
`

// applied applies faults to a file with the given text, and returns the patched text.
func applied(t *testing.T, text string, faults ...Fault) (string, error) {
	t.Helper()
	root := t.TempDir()
	file := filepath.Join(root, "reference", "keys.go")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	for i := range faults {
		for j := range faults[i].Hunks {
			faults[i].Hunks[j].File = "reference/keys.go"
		}
	}
	patched, err := Apply(root, faults)
	if err != nil {
		assert.Nil(t, patched)
		return "", err
	}
	assert.Len(t, patched, 1)
	formatted, err := format.Source(patched["reference/keys.go"])
	require.NoError(t, err)
	assert.Equal(t, string(formatted), string(patched["reference/keys.go"]), "it is formatted")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, text, string(kept), "the source is unchanged")
	return string(formatted), nil
}

func fault(id string, hunks ...Hunk) Fault { return Fault{ID: id, Hunks: hunks} }

func TestApply(t *testing.T) {
	// Imports are added and removed, lines match at any indentation, and the result is formatted.
	text, err := applied(t, source, fault("a", Hunk{
		Find:    "if name == \"\" {\n\treturn \"\", errors.New(\"no name\")\n}\n",
		Replace: "name=os.Getenv(\"NAME\")\nname = path.Base(name)", Imports: []string{"os", "path"},
	}))
	require.NoError(t, err)
	assert.Contains(t, text, "import (\n\t\"os\"\n\t\"path\"\n\t\"strings\"\n)\n")
	assert.Contains(t, text, "error) {\n\tname = os.Getenv(\"NAME\")\n\tname = path.Base(name)\n\n\tif strings")

	// The file already has the import.
	text, err = applied(t, source, fault("a", Hunk{Find: "return name, nil", Replace: "return strings.ToUpper(name), nil", Imports: []string{"strings"}}))
	require.NoError(t, err)
	assert.Contains(t, text, "import (\n\t\"errors\"\n\t\"strings\"\n)\n")

	// Indentation can make lines unique, and the last line of a file needs no line break.
	text, err = applied(t, source[:len(source)-1], fault("a", Hunk{Find: "\tif strings.Contains(name, \" \") {\n", Replace: "if false {"}),
		fault("b", Hunk{Find: "\treturn name\n}", Replace: "return \"\"\n}"}))
	assert.ErrorContains(t, err, "fault b: the lines to find, beginning with \"return name\", occur 0 times")
	assert.Empty(t, text)
	text, err = applied(t, source, fault("b", Hunk{Find: "\treturn name\n", Replace: "return \"\"\n"}),
		fault("a", Hunk{Find: "\tif strings.Contains(name, \" \") {\n", Replace: "if len(name) > 9 {"}))
	require.NoError(t, err)
	assert.Contains(t, text, "\n\tif len(name) > 9 {\n\t\tname = strings.TrimSpace(name)\n\t}\n\treturn name, nil\n")
	assert.Contains(t, text, "\n\treturn \"\"\n}\n")

	// Adjacent lines do not overlap, and an empty replacement removes lines.
	text, err = applied(t, source, fault("a", Hunk{Find: "return \"\", errors.New(\"no name\")"}, Hunk{Find: "if name == \"\" {", Replace: "if name == \"x\" {"}))
	require.NoError(t, err)
	assert.Contains(t, text, "{\n\tif name == \"x\" {\n\t}\n")
	assert.NotContains(t, text, `"errors"`)
}

func TestApplyRefuses(t *testing.T) {
	some := Hunk{Find: "if name == \"\" {\n", Replace: "if name == \"x\" {\n"}
	for name, one := range map[string]struct {
		text   string
		faults []Fault
		says   string
	}{
		"nowhere": {source, []Fault{fault("a", Hunk{Find: "return nothing\n"})},
			`fault a: the lines to find, beginning with "return nothing", occur 0 times in reference/keys.go, but must occur exactly once`},
		"part of a line": {source, []Fault{fault("a", Hunk{Find: "return name, n"})}, "occur 0 times"},
		"twice": {source, []Fault{fault("a", Hunk{Find: "if strings.Contains(name, \" \") {\n\tname = strings.TrimSpace(name)\n}\n"})},
			`occur 2 times in reference/keys.go`},
		"another depth":                 {source, []Fault{fault("a", Hunk{Find: "\t\treturn name, nil\n"})}, "occur 0 times"},
		"line breaks of another kind":   {source, []Fault{fault("a", Hunk{Find: "return name, nil\r\n"})}, "occur 0 times"},
		"a file with those":             {"package keys\r\n\r\nvar x = 1\r\n", []Fault{fault("a", Hunk{Find: "var x = 1\n"})}, "occur 0 times"},
		"one place":                     {source, []Fault{fault("a", some), fault("b", some)}, "faults a and b change the same place of reference/keys.go"},
		"one place, the end of another": {source, []Fault{fault("b", Hunk{Find: "\t\treturn \"\", errors.New(\"no name\")\n\t}\n"}), fault("a", some, Hunk{Find: "\t\treturn \"\", errors.New(\"no name\")\n"})}, "change the same place of reference/keys.go"},
		"one fault, one place":          {source, []Fault{fault("a", some, some)}, "fault a changes the same place of reference/keys.go twice"},
		"not valid Go":                  {source, []Fault{fault("a", Hunk{Find: "return name, nil\n", Replace: "return name, nil }\n"})}, "fault a: the patched reference/keys.go is not valid Go: reference/keys.go:"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := applied(t, one.text, one.faults...)
			assert.ErrorContains(t, err, one.says)
		})
	}
	_, err := Apply(t.TempDir(), []Fault{fault("a", Hunk{File: "reference/none.go", Find: "x"})})
	assert.ErrorContains(t, err, "fault a: open ")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// The project's own faults.

var root = filepath.Join("..")

func TestEveryFaultApplies(t *testing.T) {
	all, err := All()
	require.NoError(t, err)
	for _, one := range all {
		patched, err := Apply(root, []Fault{one})
		if !assert.NoError(t, err) {
			continue
		}
		for file, text := range patched {
			_, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
			assert.NoError(t, err, one.ID)
			original, err := os.ReadFile(filepath.Join(root, file))
			require.NoError(t, err)
			assert.NotEqual(t, string(original), string(text), "%s changes nothing in %s", one.ID, file)
		}
	}
}
