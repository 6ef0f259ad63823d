package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const combinable = `package main

import "fmt"

const most = 3

// double returns twice a number.
func double(number int) int {
	// As everybody knows it.
	return 2 * number
}

func show(text string) {
	fmt.Println(text, double(most))
}

func loop() (rounds int) {
outer:
	for range most {
		for range most {
			rounds++
			continue outer
		}
	}
	return rounds
}

func read() (number int) {
	defer func() { fmt.Println(number) }()
	number, ok := 1, true
	if !ok {
		return 0
	}
	return number
}

func main() {
	show("doubled")
	_ = read
	fmt.Println(loop())
}
`

// TestCombine builds one program with several faults, and runs it with each.
func TestCombine(t *testing.T) {
	root := t.TempDir()
	const file = "reference/main.go"
	require.NoError(t, os.MkdirAll(filepath.Join(root, "reference"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module msc4014\n\ngo 1.26\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(combinable), 0o644))
	hunk := func(find, replace string, imports ...string) Hunk {
		return Hunk{File: file, Find: find, Replace: replace, Imports: imports}
	}
	all := []Fault{
		fault("trebles", hunk("return 2 * number", "return 3 * number")),
		fault("is-silent", hunk("fmt.Println(text, double(most))", "")),
		fault("counts-to-four", hunk("const most = 3", "const most = 4")),
		fault("shouts", hunk("fmt.Println(text, double(most))", "fmt.Println(strings.ToUpper(text), double(most))", "strings")),
		fault("stops", hunk("rounds++", "rounds = 0")),
		fault("halves", hunk("return 2 * number", "return half(number)"), hunk("func show(text string) {", "func half(number int) int { return number / 2 }\n\nfunc show(text string) {")),
		fault("reads-two", hunk("number, ok := 1, true", "number, ok := 2, true")),
		fault("comments", hunk("// double returns twice a number.", "// double returns a number.")),
		fault("quadruples", hunk("return 2 * number", "if number > 0 {\nreturn 4 * number\n}\nreturn 0"), hunk(`show("doubled")`, `show("4")`)),
	}
	combined, err := Combine(root, all)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"trebles": 1, "is-silent": 2, "shouts": 3, "quadruples": 4}, combined.Numbers, "the others change more than bodies")

	replace := map[string]string{}
	for name, text := range combined.Overlay {
		changed := filepath.Join(t.TempDir(), filepath.Base(name))
		require.NoError(t, os.WriteFile(changed, text, 0o644))
		replace[filepath.Join(root, name)] = changed
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlayFile := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o644))
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-overlay", overlayFile, "-o", program, "./reference")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for number, says := range map[string]string{
		"": "doubled 6\n3\n", "1": "doubled 9\n3\n", "2": "3\n", "3": "DOUBLED 6\n3\n", "4": "4 12\n3\n", "5": "doubled 6\n3\n",
	} {
		run := exec.Command(program)
		run.Env = append(os.Environ(), OnVariable+"="+number)
		output, err := run.CombinedOutput()
		require.NoError(t, err)
		assert.Equal(t, says, string(output), "with %q", number)
	}
	run := exec.Command(program)
	run.Env = append(os.Environ(), OnVariable+"=one")
	output, err = run.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(output), `"one"`)
}

// TestCombineRefuses: a fault that does not apply, as Apply tells it.
func TestCombineRefuses(t *testing.T) {
	_, err := Combine(root, []Fault{fault("odd", Hunk{File: "reference/pdu/hash.go", Find: "nowhere", Replace: "x"})})
	assert.ErrorContains(t, err, "occur 0 times")
	_, err = Combine(root, []Fault{fault("odd", Hunk{File: "reference/none.go", Find: "nowhere", Replace: "x"})})
	assert.Error(t, err)
}

// TestMostFaultsAreCombined: that is what it is for; and the program has the right types.
func TestMostFaultsAreCombined(t *testing.T) {
	if testing.Short() {
		t.Skip("the compiler is asked for every package that the reference imports")
	}
	all, err := All()
	require.NoError(t, err)
	combined, err := Combine(root, all)
	require.NoError(t, err)
	assert.Greater(t, len(combined.Numbers), len(all)*3/4)
	reference, err := loadReference(t).with(switchPackage, combined.Overlay[switchFile])
	require.NoError(t, err)
	delete(combined.Overlay, switchFile)
	assert.NoError(t, reference.check(combined.Overlay))
}
