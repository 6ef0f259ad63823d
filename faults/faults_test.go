package faults

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is a valid fault.
const row = `
- id: one-key
  does: has one key
  breaks: the text
  requirements: [a/b]
  kills:
    - check: keys differ
      by: the same key
  hunks:
    - file: reference/keys.go
      find: |
        return fresh()
      replace: |
        return first
`

func chapter(text string) fstest.MapFS { return fstest.MapFS{"keys.yaml": {Data: []byte(text)}} }

func TestLoad(t *testing.T) {
	all, err := loadFrom(chapter(row))
	require.NoError(t, err)
	assert.Equal(t, []Fault{{
		ID: "one-key", Does: "has one key", Breaks: "the text", Dialect: "msc4014", Requirements: []string{"a/b"},
		Kills: []Kill{{Check: "keys differ", By: "the same key"}},
		Hunks: []Hunk{{File: "reference/keys.go", Find: "return fresh()\n", Replace: "return first\n"}},
	}}, all)
}

func TestLoadRefuses(t *testing.T) {
	for name, one := range map[string]struct{ before, after, says string }{
		"unknown field":        {"does:", "dose:", "faults/data/keys.yaml: yaml: unmarshal errors: line 3: field dose not found"},
		"no id":                {"id: one-key", "id:", "faults/data/keys.yaml: fault number 1 has an invalid id"},
		"id of another form":   {"id: one-key", "id: One_Key", `fault "One_Key" has an invalid id`},
		"no does":              {"does: has one key", "does:", `faults/data/keys.yaml: fault "one-key" does not say what it does`},
		"no breaks":            {"breaks: the text", "breaks:", `fault "one-key" does not say what it breaks`},
		"dialect":              {"does:", "dialect: french\n  does:", `fault "one-key" has unknown dialect "french"; use one of msc4014, dendrite`},
		"no requirements":      {"[a/b]", "[]", `fault "one-key" has no requirements`},
		"requirement twice":    {"[a/b]", "[a/b, a/b]", `fault "one-key" names requirement a/b twice`},
		"kill without words":   {"by: the same key", "by:", `fault "one-key" has a kill without check or by`},
		"kill without a check": {"check: keys differ", "check:", `fault "one-key" has a kill without check or by`},
		"words of a server":    {"by: the same key", `by: 'rejected"}} the same'`, `fault "one-key" names the check "keys differ" by what a server says`},
		"words that are cut":   {"by: the same key", "by: '… the same'", `fault "one-key" names the check "keys differ" by what a server says`},
		"check twice":          {"  hunks:", "    - {check: keys differ, by: keys}\n  hunks:", `fault "one-key" names check "keys differ" twice`},
		"no hunks":             {row[strings.Index(row, "  hunks:"):], "  hunks: []\n", `fault "one-key" has no hunks`},
		"no file":              {"file: reference/keys.go", "file:", `fault "one-key" has hunk 1 without a file`},
		"file elsewhere":       {"file: reference/keys.go", "file: ../keys.go", `hunk 1 with file "../keys.go"`},
		"file of the suite":    {"file: reference/keys.go", "file: tests/keys.go", `hunk 1 with file "tests/keys.go"`},
		"test file":            {"file: reference/keys.go", "file: reference/keys_test.go", `hunk 1 with file "reference/keys_test.go"`},
		"nothing to find":      {"return fresh()", "", `hunk 1 without lines to find`},
		"empty first line":     {"find: |\n        return", "find: |2\n\n        return", `hunk 1 whose lines to find begin with an empty line`},
		"no change":            {"return first", "return fresh()", `hunk 1 that changes nothing`},
		"id twice":             {row, row + row, `faults/data/keys.yaml: fault "one-key" is in the file twice; give one of them another id`},
		"no faults":            {row, "", "faults/data/keys.yaml: it has no faults"},
		"two documents":        {row, row + "---" + row, "faults/data/keys.yaml: it has more than one YAML document"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, row, one.before)
			_, err := loadFrom(chapter(strings.Replace(row, one.before, one.after, 1)))
			assert.ErrorContains(t, err, one.says)
		})
	}
	_, err := loadFrom(fstest.MapFS{"keys.yaml": {Data: []byte(row)}, "more.yaml": {Data: []byte(row)}})
	assert.EqualError(t, err, `faults/data/more.yaml: fault "one-key" is already in faults/data/keys.yaml; give it another id`)
}

// TestParse: one file is read as all files are.
func TestParse(t *testing.T) {
	rows, err := Parse([]byte(row))
	require.NoError(t, err)
	all, err := loadFrom(chapter(row))
	require.NoError(t, err)
	assert.Equal(t, all, rows)
	_, err = Parse([]byte(strings.Replace(row, "does: has one key", "does:", 1)))
	assert.EqualError(t, err, `fault "one-key" does not say what it does`)
	_, err = Parse([]byte(row + row))
	assert.EqualError(t, err, `fault "one-key" is in the file twice; give one of them another id`)
}

func TestNamed(t *testing.T) {
	all := []Fault{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	named, err := Named(all, []string{"c", "a", "c"})
	require.NoError(t, err)
	assert.Equal(t, []Fault{{ID: "c"}, {ID: "a"}}, named)
	_, err = Named(all, []string{"a", "x"})
	assert.EqualError(t, err, `unknown fault "x"; similar ones are a, b, c (./run.sh list faults tells all)`)
}
