package prove

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/faults"
	"msc4014/internal/selection"
)

func TestChangedSince(t *testing.T) {
	b := newBench(t, script{Verdicts: exact()})
	b.Since = func(_ context.Context, _, commit string) (Changes, error) {
		return map[string]Changes{"none": {}, "row": {Faults: b.Faults[:1]}}[commit], nil
	}
	_, proof := b.proof(t, Options{ChangedSince: "none"})
	assert.Equal(t, Part{0, 3}, proof.Score.Tried)
	assert.Empty(t, proof.Problems, "rows name all checks")
	_, proof = b.proof(t, Options{ChangedSince: "row"})
	assert.Equal(t, Part{1, 3}, proof.Score.Tried)
	assert.Equal(t, "row", proof.ChangedSince)
	assert.Contains(t, b.out.String(), "faults tried, of those that changed   1 of 3, since row")

	// With a sample, both are tried.
	sampled := coverage{sample: 2, seed: "a commit"}
	b.Suite.Commit = sampled.seed
	outside := slices.IndexFunc(b.Faults, func(one faults.Fault) bool { return !sampled.sampled(one) })
	require.GreaterOrEqual(t, outside, 0)
	b.Since = func(context.Context, string, string) (Changes, error) {
		return Changes{Faults: b.Faults[outside : outside+1]}, nil
	}
	_, proof = b.proof(t, Options{Sample: 2})
	alone := proof.Score.Tried.Proven
	_, proof = b.proof(t, Options{Sample: 2, ChangedSince: "row"})
	assert.Equal(t, Part{alone + 1, 3}, proof.Score.Tried)

	b.Since = func(context.Context, string, string) (Changes, error) { return Changes{}, errors.New("no such commit") }
	status, err := b.Prove(t.Context(), Options{ChangedSince: "x"})
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "no such commit")
}

func TestChangedChecks(t *testing.T) {
	c := coverage{registered: []selection.Check{
		{Name: "a lie", File: "tests/mapping/lies.go"},
		{Name: "a join", File: "tests/mapping/joins.go"},
		{Name: "a second", File: "tests/mapping/deep/second.go"},
		{Name: "an alias", File: "tests/routing/aliases.go"},
		{Name: "of no file"},
	}}
	for _, one := range []struct {
		file    string
		changed []string
	}{
		{"tests/mapping/lies.go", []string{"a lie"}},
		{"tests/mapping/scenes.go", []string{"a join", "a lie"}},
		{"tests/mapping/deep/scenes.go", []string{"a join", "a lie", "a second"}},
		{"tests/mapping2/scenes.go", nil},
		{"tests/main.go", nil},
	} {
		assert.Equal(t, one.changed, c.changedChecks(Changes{Files: []string{one.file}}), one.file)
	}
	names := func(checks ...string) (one faults.Fault) {
		for _, check := range checks {
			one.Kills = append(one.Kills, faults.Kill{Check: check})
		}
		return one
	}
	all := []faults.Fault{names("a lie"), names("an alias"), names("a join", "a lie"), names("of no file")}
	for i := range all {
		all[i].ID = string(rune('a' + i))
	}
	assert.Equal(t, map[string]bool{"a": true, "c": true, "d": true},
		c.changedFaults(all, Changes{Files: []string{"tests/mapping/lies.go"}, Faults: all[3:]}))
}

// TestSince reads the project's own faults, from a repository with one commit.
func TestSince(t *testing.T) {
	all, err := faults.All()
	require.NoError(t, err)
	data := filepath.Join("..", "..", "..", "faults", "data")
	root := t.TempDir()
	git := func(arguments ...string) {
		command := exec.Command("git", append([]string{"-C", root, "-c", "user.name=a", "-c", "user.email=a@b"}, arguments...)...)
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	write := func(name, text string) {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	require.NoError(t, os.CopyFS(filepath.Join(root, "faults", "data"), os.DirFS(data)))
	write("tests/mapping/lies.go", "package mapping\n")
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "all")
	changes, err := Since(t.Context(), root, "HEAD")
	require.NoError(t, err)
	assert.Empty(t, changes)

	write("tests/mapping/lies.go", "package mapping // changed\n")
	write("tests/mapping/lies_test.go", "package mapping\n")
	write("README.md", "changed\n")
	git("add", ".")
	changes, err = Since(t.Context(), root, "HEAD")
	require.NoError(t, err)
	assert.Equal(t, Changes{Files: []string{"tests/mapping/lies.go"}}, changes)

	// Before, a row differed and a chapter was missing.
	chapter, err := os.ReadFile(filepath.Join(data, "redaction.yaml"))
	require.NoError(t, err)
	before, err := faults.Parse(chapter)
	require.NoError(t, err)
	write("faults/data/redaction.yaml", string(chapter)+`
- id: once-there
  does: breaks
  breaks: the text
  requirements: [redaction/sender-key-kept]
  hunks: [{file: reference/a.go, find: a, replace: b}]
`)
	require.NoError(t, os.Remove(filepath.Join(root, "faults", "data", "mapping.yaml")))
	git("add", ".")
	git("commit", "-q", "-m", "other faults")
	changes, err = Since(t.Context(), root, "HEAD")
	require.NoError(t, err)
	chapter, err = os.ReadFile(filepath.Join(data, "mapping.yaml"))
	require.NoError(t, err)
	mapping, err := faults.Parse(chapter)
	require.NoError(t, err)
	assert.Len(t, changes.Faults, len(mapping), "the missing chapter; a fault that is gone is not tried")
	write("faults/data/redaction.yaml", "- id: Unreadable\n")
	git("commit", "-q", "-a", "-m", "unreadable faults")
	changes, err = Since(t.Context(), root, "HEAD")
	require.NoError(t, err)
	assert.Len(t, changes.Faults, len(mapping)+len(before), "rows that cannot be read count as changed")
	assert.Less(t, len(changes.Faults), len(all))

	for _, commit := range []string{"nonsense", "--help", "HEAD:README.md", "", "\x1b[31m"} {
		_, err = Since(t.Context(), root, commit)
		assert.EqualError(t, err, fmt.Sprintf("--changed-since %q: git knows no such commit of %s", commit, root))
	}
}

// TestSinceCannot: the error says what kept git from answering.
func TestSinceCannot(t *testing.T) {
	root := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(root))
	_, err := Since(t.Context(), root, "HEAD")
	assert.ErrorContains(t, err, `--changed-since "HEAD": git rev-parse in `+root+`: exit status 128: "fatal: not a git repository`)
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted by SIGINT"))
	_, err = Since(interrupted, root, "HEAD")
	assert.EqualError(t, err, "interrupted by SIGINT")

	// A git that says too much, and writes control characters.
	tools := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(tools, "git"), []byte("#!/bin/sh\nprintf '\\033[31mred' >&2\n"+
		"i=0; while [ $i -lt 1000 ]; do echo words >&2; i=$((i+1)); done; exit 3\n"), 0o755))
	t.Setenv("PATH", tools)
	_, err = Since(t.Context(), root, "HEAD")
	assert.ErrorContains(t, err, `exit status 3: "\x1b[31mredwords words `)
	assert.Less(t, len(err.Error()), 600)
	t.Setenv("PATH", t.TempDir())
	_, err = Since(t.Context(), root, "HEAD")
	assert.EqualError(t, err, `--changed-since "HEAD": git is not installed, or not in PATH`)
}
