package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	_ "msc4014/tests/all"
)

// named matches names after the words "check" and "checks"; they may be the beginnings of names.
var (
	named = regexp.MustCompile("checks? ((?:`[^`]+`(?:, | \\.\\.\\.)?)+)")
	code  = regexp.MustCompile("`([^`]+)`")
)

// TestClientBehavioursNamesChecks: docs/client-behaviours.md names checks, which must be there.
func TestClientBehavioursNamesChecks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "client-behaviours.md"))
	require.NoError(t, err)
	all, count := check.Registered().All(), 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for _, names := range named.FindAllStringSubmatch(cells[3], -1) {
			for _, name := range code.FindAllStringSubmatch(names[1], -1) {
				count++
				begins := func(one *check.Check) bool { return strings.HasPrefix(one.Name, name[1]) }
				assert.True(t, slices.ContainsFunc(all, begins), "no check's name begins with %q", name[1])
			}
		}
	}
	assert.Greater(t, count, 50, "the tables were read")
}
