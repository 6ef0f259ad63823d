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
var blames = regexp.MustCompile(`(?:\b(?:Blaming|Need|Blocked)\(|\bNeeds:\s*|\bbreaks\s*=\s*|\bboth\()"([a-z-]+/[a-z-]+)"`)

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
			for _, match := range blames.FindAllStringSubmatch(string(source), -1) {
				named[match[1]] = true
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
