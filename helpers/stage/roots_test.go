package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
)

// blames matches the calls by which a step names a requirement.
var blames = regexp.MustCompile(`(?:\b(?:Blaming|Need|Blocked)\(|\btries\([^,\n]+, |\bNeeds:\s*|\bbreaks\s*=\s*|\bboth\()"([a-z-]+/[a-z-]+)"`)

// byVariable matches those of the calls that name it by a variable or a constant.
var byVariable = regexp.MustCompile(`\b(?:Blaming|Need|Blocked)\((\w+)[,)]`)

// namedIn returns the requirements that a source names for steps. Of variables and constants it knows what the source itself sets them to;
// those that stand under Requires are what the checks judge.
func namedIn(source string) (named []string) {
	for _, match := range blames.FindAllStringSubmatch(source, -1) {
		named = append(named, match[1])
	}
	for _, call := range byVariable.FindAllStringSubmatch(source, -1) {
		name := regexp.QuoteMeta(call[1])
		if regexp.MustCompile(`Requires:\s*\[\]string\{[^}]*\b` + name + `\b`).MatchString(source) {
			continue
		}
		for _, match := range regexp.MustCompile(`\b`+name+`(?: string)? :?= "([a-z-]+/[a-z-]+)"`).FindAllStringSubmatch(source, -1) {
			named = append(named, match[1])
		}
	}
	return named
}

func TestNamedIn(t *testing.T) {
	assert.Equal(t, []string{"a/need", "b/tries", "c/first", "c/second"}, namedIn(`
		c.Need("a/need", err)
		p.tries("a thing", "b/tries", step)
		what := "c/first"
		if remote { what = "c/second" }
		s.C.Need(what, err)
		const own = "d/judged"
		Requires: []string{own},
		c.Need(own, err)
		unused := "e/else"`))
}

// Every requirement that the sources name for a step is declared, so that a typing error or an open requirement is found before a run,
// and none is declared in vain.
func TestRootsAreThoseThatStepsName(t *testing.T) {
	named := map[string]bool{}
	for _, folder := range []string{"../../tests", "../../helpers"} {
		require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, root := range namedIn(string(source)) {
				named[root] = true
			}
			return err
		}))
	}
	declared := check.Registered().Roots()
	for root := range named {
		assert.Contains(t, declared, root, "a step names it, and it is not declared (check.Blames)")
	}
	for _, root := range declared {
		assert.True(t, named[root] || slices.Contains(inVariables, root), "no step names %s", root)
	}
}

// inVariables are roots that the sources name by a variable or a constant.
var inVariables = []string{OrdinaryRooms, "client-view/device-lists", "client-view/sender-is-user-id", "resilience/restart"}
