// The pinned versions of a software, and their order.

package candidate

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// versionsFile has one pinned version per line; # begins a comment.
const versionsFile = "versions.txt"

// versionsOf returns the pinned versions of a software, newest first.
func versionsOf(root, software string) ([]string, error) {
	dir := filepath.Join(root, "dockerfiles", software)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var versions []string
	for _, entry := range entries {
		if name := entry.Name(); entry.IsDir() && name[0] >= '0' && name[0] <= '9' {
			versions = append(versions, name)
		}
	}
	lines, err := os.ReadFile(filepath.Join(dir, versionsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(lines)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			versions = append(versions, line)
		}
	}
	slices.SortFunc(versions, func(a, b string) int { return compareVersions(b, a) })
	return slices.Compact(versions), nil
}

// compareVersions orders versions as semantic versioning does: numbers by value, a pre-release before its release.
func compareVersions(a, b string) int {
	aRelease, aPre, _ := strings.Cut(a, "-")
	bRelease, bPre, _ := strings.Cut(b, "-")
	if order := compareParts(aRelease, bRelease); order != 0 {
		return order
	}
	if (aPre == "") != (bPre == "") {
		return cmp.Compare(len(bPre), len(aPre)) // the empty one is the release
	}
	return cmp.Or(compareParts(aPre, bPre), strings.Compare(a, b))
}

func compareParts(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		aNumber, aErr := strconv.Atoi(a)
		bNumber, bErr := strconv.Atoi(b)
		if aErr == nil && bErr == nil {
			return cmp.Compare(aNumber, bNumber)
		}
		return strings.Compare(a, b)
	})
}
