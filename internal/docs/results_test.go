package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadmeHasTheTableOfTheReport: the table of the README is the first of docs/results/report.md.
func TestReadmeHasTheTableOfTheReport(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	published, err := os.ReadFile(filepath.Join(root, "docs", "results", "report.md"))
	require.NoError(t, err)
	var table []string
	for line := range strings.Lines(string(published)) {
		if strings.HasPrefix(line, "|") {
			table = append(table, line)
		} else if table != nil {
			break
		}
	}
	require.Len(t, table, 6, "four candidates")
	assert.Contains(t, string(readme), strings.Join(table, ""), "copy the table of docs/results/report.md into README.md")
}

// TestPublishedReportIsSmall: git keeps every version of it.
func TestPublishedReportIsSmall(t *testing.T) {
	for name, most := range map[string]int64{"report.png": 200 << 10, "results/report.html": 5_000_000, "results/report.md": 70 << 10} {
		info, err := os.Stat(filepath.Join(root, "docs", filepath.FromSlash(name)))
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), most, name)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "results", "report.html"))
	require.NoError(t, err)
	assert.NotContains(t, string(page), `href="../`, "it is published without the files that evidence is from: make it with --alone")
}
