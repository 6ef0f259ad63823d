package mutation

// The rules on a small source, and the programs that come of it.

import (
	"context"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// project makes a project with the given files, by path below its root folder.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module msc4014\n\ngo 1.26\n"
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	return root
}

const example = "reference/pseudonym/rules.go"

// exampleSites returns the sites of testdata/rules.go.txt.
func exampleSites(t *testing.T) (root string, sites []*Site) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rules.go.txt"))
	require.NoError(t, err)
	root = project(t, map[string]string{example: string(text)})
	sites, err = find(context.Background(), root, []string{"reference/pseudonym"}, nil)
	require.NoError(t, err)
	return root, sites
}

// TestRules compares all sites with testdata/rules.txt. Run it with MSC4014_TEST_UPDATE=1 to write that file.
func TestRules(t *testing.T) {
	_, sites := exampleSites(t)
	var text strings.Builder
	for _, one := range sites {
		assert.Equal(t, example, one.File)
		fmt.Fprintf(&text, "%d %s: %s\n%s", one.Line, one.Function, one.Rule, one.Diff())
	}
	golden := filepath.Join("testdata", "rules.txt")
	if os.Getenv("MSC4014_TEST_UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o644))
	}
	expected, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(expected), text.String())
}

// TestReadingsOfAFunction: a site has the readings that its function, or one that it calls, looks at.
func TestReadingsOfAFunction(t *testing.T) {
	root := project(t, map[string]string{example: `package pseudonym

type Reading string

type Readings struct{ Kept, Shown, Other Reading }

type rules struct{ readings Readings }

func (r rules) served(open bool) bool {
	read := r.readings
	if open && read.Shown == "both" {
		return r.readings.Kept == "kept"
	}
	return read.Shown == "one"
}

func closed(a, b bool) bool { return a || b }

func (r rules) opens(a, b bool) bool { return a && r.served(b) }
`})
	sites, err := find(t.Context(), root, []string{"reference/pseudonym"}, nil)
	require.NoError(t, err)
	seen := map[string][]string{}
	for _, one := range sites {
		seen[one.Function] = one.Readings
	}
	assert.Equal(t, map[string][]string{"rules.served": {"Kept", "Shown"}, "rules.opens": {"Kept", "Shown"}, "closed": nil}, seen)
}

// TestChangedSourceParses: what is shown of a change is Go.
func TestChangedSourceParses(t *testing.T) {
	_, sites := exampleSites(t)
	for _, one := range sites {
		var text []byte
		done := 0
		for _, each := range one.shown {
			text = append(append(text, one.source.text[done:each.begin]...), each.by...)
			done = each.end
		}
		_, err := parser.ParseFile(token.NewFileSet(), "", append(text, one.source.text[done:]...), 0)
		assert.NoError(t, err, one.Diff())
	}
}

const main = `package main

import (
	"fmt"
	"os"
	"strings"
)

type kind string

func both(a, b bool) bool { return a && b || !a && !b }

func fails() error { return fmt.Errorf("failed") }

func main() {
	said := []string{}
	say := func(word kind) { said = append(said, string(word)) }
	say("one")
	if err := fails(); err != nil {
		say("two")
	}
	for _, a := range []bool{true, false} {
		for _, b := range []bool{true, false} {
			said = append(said, fmt.Sprint(both(a, b)))
		}
	}
	fmt.Fprintln(os.Stdout, strings.Join(said, " "), len(os.Args) < 2)
}
`

// TestProgram: without a mutant the rewritten program does what the original one does; with one it does what the changed source does;
// and it records what it reaches.
func TestProgram(t *testing.T) {
	root := project(t, map[string]string{"reference/rooms/main.go": main})
	sites, err := find(context.Background(), root, []string{"reference/rooms"}, nil)
	require.NoError(t, err)
	overlay := Overlay(sites)
	assert.Equal(t, strings.Count(main, "\n"), strings.Count(string(overlay["reference/rooms/main.go"]), "\n"), "lines keep their numbers")
	for name, text := range overlay {
		file := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, text, 0o644))
	}
	program := filepath.Join(root, "program")
	build := exec.Command("go", "build", "-o", program, "./reference/rooms")
	build.Dir = root
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	run := func(variables ...string) string {
		command := exec.Command(program)
		command.Env = append(os.Environ(), variables...)
		output, err := command.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(output))
	}
	const plain = "one two true false false true true"
	reached := filepath.Join(root, "reached")
	assert.Equal(t, plain, run(ReachedVariable+"="+reached))
	run(ReachedVariable + "=" + reached) // a second server
	recorded, err := os.ReadFile(reached)
	require.NoError(t, err)
	times := map[int]int{}
	for line := range strings.Lines(string(recorded)) {
		var number int
		var at int64
		_, err := fmt.Sscanf(line, "%d %d\n", &number, &at)
		require.NoError(t, err, line)
		assert.WithinDuration(t, time.Now(), time.UnixMilli(at), time.Hour)
		assert.Zero(t, at%RecordInterval.Milliseconds(), "the beginning of an interval")
		times[number]++
	}
	for i := range sites {
		assert.GreaterOrEqual(t, times[i+1], 2, "each process records each mutant")
	}

	said := map[string]string{}
	for i, one := range sites {
		said[string(one.Rule)+"\n"+one.Diff()] = run(fmt.Sprintf("%s=%d", OnVariable, i+1))
	}
	for diff, expected := range map[string]string{
		"condition negated\n-func both(a, b bool) bool { return a && b || !a && !b }\n" +
			"+func both(a, b bool) bool { return !(a && b || !a && !b) }\n": "one two false true true false true",
		"&& and || swapped\n-func both(a, b bool) bool { return a && b || !a && !b }\n" +
			"+func both(a, b bool) bool { return a || b || !a && !b }\n": "one two true true true true true",
		"&& and || swapped\n-func both(a, b bool) bool { return a && b || !a && !b }\n" +
			"+func both(a, b bool) bool { return a && b && !a && !b }\n": "one two false false false false true",
		"call dropped\n-say(\"one\")\n": "two true false false true true",
		"call dropped\n-if err := fails(); err != nil {\n+if err := error(nil); err != nil {\n":   "one true false false true true",
		"constant changed\n-say(\"two\")\n+say(\"twox\")\n":                                       "one twox true false false true true",
		"condition negated\n-if err := fails(); err != nil {\n+if err := fails(); err == nil {\n": "one true false false true true",
	} {
		assert.Equal(t, expected, said[diff], diff)
	}
}

// TestIDsOutliveMovedLines: a site is the same after lines before it have moved, and another after its own have changed.
func TestIDsOutliveMovedLines(t *testing.T) {
	ids := func(text string) (all []string) {
		sites, err := find(context.Background(), project(t, map[string]string{"reference/rooms/main.go": text}), []string{"reference/rooms"}, nil)
		require.NoError(t, err)
		for _, one := range sites {
			all = append(all, one.ID())
		}
		return all
	}
	before := ids(main)
	assert.Equal(t, before, ids(strings.Replace(main, "type kind", "// A comment.\n\ntype  kind", 1)))
	after := ids(strings.Replace(main, `say("two")`, `say("three")`, 1))
	assert.Len(t, after, len(before))
	differing := 0
	for i := range before {
		if before[i] != after[i] {
			differing++
		}
	}
	assert.Equal(t, 2, differing, "the call and its constant")
	twice := ids(strings.Replace(main, "\tsay(\"one\")\n", "\tsay(\"one\")\n\tsay(\"one\")\n", 1))
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(twice))), len(before)+2, "equal places have IDs of their own")
}

func TestSample(t *testing.T) {
	_, sites := exampleSites(t)
	ids := func(list []*Site) (all []string) {
		for _, one := range list {
			all = append(all, one.ID())
		}
		return all
	}
	some := ids(Sample(sites, 1, 10))
	assert.Len(t, some, 10)
	backwards := slices.Clone(sites)
	slices.Reverse(backwards)
	assert.Equal(t, some, ids(Sample(backwards, 1, 10)))
	assert.Equal(t, some, ids(Sample(sites, 1, 20))[:10], "more begin with the fewer")
	assert.NotEqual(t, some, ids(Sample(sites, 2, 10)))
	assert.Len(t, Sample(sites, 1, 1000), len(sites))
	without := slices.DeleteFunc(slices.Clone(sites), func(one *Site) bool { return one.ID() == some[3] })
	assert.Equal(t, append(slices.Clone(some[:3]), some[4:]...), ids(Sample(without, 1, 9)), "the others keep their order")
}

func TestSourceThatDoesNotCompile(t *testing.T) {
	root := project(t, map[string]string{example: "package pseudonym\n\nvar x = nonsense\n"})
	_, err := find(context.Background(), root, []string{"reference/pseudonym"}, nil)
	assert.ErrorContains(t, err, "undefined: nonsense")
}

func TestSwitchIsFormatted(t *testing.T) {
	formatted, err := format.Source(switchText)
	require.NoError(t, err)
	assert.Equal(t, string(formatted), string(switchText))
}
