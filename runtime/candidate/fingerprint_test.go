package candidate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
}

func TestPackageFingerprint(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.mod":               "module msc4014\n\ngo 1.26.0\n",
		"go.sum":               "",
		"entry/main.go":        "package main\n\nimport _ \"msc4014/lib\"\n",
		"entry/main_test.go":   "package main",
		"entry/config.tmpl":    "a: 1",
		"lib/lib.go":           "package lib\n\nimport _ \"fmt\"\n",
		"lib/testdata/data.go": "package data",
		"other/other.go":       "package other",
	})
	sum := func() string {
		f := newFingerprint("test")
		require.NoError(t, f.addPackage(root, "msc4014/entry", nil))
		return f.sum()
	}
	first := sum()
	assert.Len(t, first, 12)
	for name, c := range map[string]struct {
		content string
		changes bool
	}{
		"entry/main_test.go":   {"package main // changed", false},
		"other/other.go":       {"package other // changed", false},
		"lib/testdata/data.go": {"package data // changed", false},
		"go.sum":               {"example.org v1.0.0 h1:x", false},
		"go.mod":               {"module msc4014\n\ngo 1.26.0\n\nrequire example.org v1.0.0\n", false},
		"entry/config.tmpl":    {"a: 2", true},
		"lib/lib.go":           {"package lib // changed", true},
	} {
		path := filepath.Join(root, name)
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		write(t, root, map[string]string{name: c.content})
		assert.Equal(t, c.changes, sum() != first, name)
		write(t, root, map[string]string{name: string(before)})
	}
	write(t, root, map[string]string{"go.mod": "module msc4014\n\ngo 1.27.0\n"})
	assert.NotEqual(t, first, sum(), "the language version")

	write(t, root, map[string]string{"lib/more.go": "package lib\n\nimport _ \"example.org/x\"\n"})
	with := sum()
	write(t, root, map[string]string{"go.sum": "example.org v2.0.0 h1:y"})
	assert.NotEqual(t, with, sum(), "with packages of other modules, go.sum is included")
}

func TestOverlayFingerprint(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"go.mod":        "module msc4014\n\ngo 1.26.0\n",
		"entry/main.go": "package main\n\nimport _ \"msc4014/lib\"\n",
		"lib/lib.go":    "package lib\n",
		"more/more.go":  "package more\n",
		"none/none.go":  "package none\n",
	})
	sum := func(overlay map[string]string) (string, error) {
		texts := map[string][]byte{}
		for path, text := range overlay {
			texts[path] = []byte(text)
		}
		f := newFingerprint("test")
		err := f.addPackage(root, "msc4014/entry", texts)
		return f.sum(), err
	}
	plain, err := sum(nil)
	require.NoError(t, err)
	seen := map[string]bool{plain: true}
	for _, text := range []string{"package lib // one\n", "package lib // two\n", "package lib\n\nimport _ \"msc4014/more\"\n"} {
		with, err := sum(map[string]string{"lib/lib.go": text})
		require.NoError(t, err)
		assert.False(t, seen[with], "each overlay has its own sum")
		seen[with] = true
	}
	_, err = sum(map[string]string{"lib/lib.go": "package lib\n\nimport _ \"msc4014/more\"\n", "more/more.go": "package more // other\n"})
	assert.NoError(t, err, "what a file of the overlay imports counts")
	same, err := sum(map[string]string{"lib/lib.go": "package lib\n"})
	require.NoError(t, err)
	assert.Equal(t, plain, same)
	more := map[string]string{"lib/new.go": "package lib\n\nimport _ \"msc4014/new\"\n", "new/new.go": "package new\n"}
	added, err := sum(more)
	require.NoError(t, err, "a file, and a package, that are not on disk")
	assert.NotEqual(t, plain, added)
	more["new/new.go"] = "package new // other\n"
	other, err := sum(more)
	require.NoError(t, err)
	assert.NotEqual(t, added, other)
	for _, path := range []string{"none/none.go", "new/new.go"} {
		_, err = sum(map[string]string{path: "package x"})
		assert.EqualError(t, err, "the overlay replaces "+path+", but msc4014/entry is not built from it")
	}
}

func TestFingerprintKeepsPartsApart(t *testing.T) {
	one, two := newFingerprint("x"), newFingerprint("x")
	one.add("a", "bc")
	two.add("ab", "c")
	assert.NotEqual(t, one.sum(), two.sum())
}

func TestFolderBuild(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "dockerfiles", "foo"), map[string]string{
		"Dockerfile": "FROM scratch", "config/a.yaml": "1", "1.0/pin": "1", "2.0/pin": "2", "versions.txt": "3.0",
	})
	build := func(version string) imageBuild {
		b, err := folderBuild(&task{root: root, candidate: Candidate{Name: "foo", Software: "foo", Version: version}})
		require.NoError(t, err)
		return b
	}
	files, err := build("1.0").files(t.Context())
	require.NoError(t, err)
	assert.Len(t, files, 3)
	for _, name := range []string{"Dockerfile", "config/a.yaml", "1.0/pin"} {
		assert.FileExists(t, files[name])
	}
	one, three := build("1.0").fingerprint, build("3.0").fingerprint
	write(t, filepath.Join(root, "dockerfiles", "foo"), map[string]string{"1.0/pin": "changed"})
	assert.NotEqual(t, one, build("1.0").fingerprint)
	assert.Equal(t, three, build("3.0").fingerprint)
}
