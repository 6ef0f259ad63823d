package candidate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// project makes a project's root folder with two softwares: one with versions, one without.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range map[string]string{
		"dendrite/Dockerfile":       "FROM scratch",
		"dendrite/versions.txt":     "# a comment\n0.14.0 # another\n\n0.16.0-rc1\n",
		"dendrite/0.13.8/go.mod":    "module x",
		"dendrite/0.9.9/go.mod":     "module x",
		"dendrite/entrypoint/x.go":  "package main",
		"synapse/Dockerfile":        "FROM debian",
		"clients/Dockerfile":        "FROM debian",
		"notes/README":              "no candidate",
		"conduit/0.1/settings.toml": "no Dockerfile, no candidate",
	} {
		path = filepath.Join(root, "dockerfiles", path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return root
}

func TestParse(t *testing.T) {
	root := project(t)
	for name, want := range map[string]Candidate{
		"dendrite":              {Name: "dendrite", Software: "dendrite", Version: "0.16.0-rc1"},
		"dendrite@0.13.8":       {Name: "dendrite@0.13.8", Software: "dendrite", Version: "0.13.8"},
		"synapse":               {Name: "synapse", Software: "synapse"},
		"image:foo":             {Name: "image:foo", Software: "image", Image: "foo:latest"},
		"image:host:5000/a/b:c": {Name: "image:host:5000/a/b:c", Software: "image", Image: "host:5000/a/b:c"},
	} {
		got, err := Parse(root, name)
		require.NoError(t, err, name)
		assert.Equal(t, want, got)
	}
	names, err := List(root)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"dendrite", "dendrite@0.16.0-rc1", "dendrite@0.14.0", "dendrite@0.13.8", "dendrite@0.9.9", "synapse",
	}, names)
}

func TestParseRefuses(t *testing.T) {
	root := project(t)
	for name, want := range map[string]string{
		"dendrit":        "use one of dendrite, dendrite@0.16.0-rc1, dendrite@0.14.0, dendrite@0.13.8, dendrite@0.9.9, synapse",
		"conduit":        `unknown candidate "conduit"`,
		"clients":        `unknown candidate "clients"`,
		"":               `unknown candidate ""`,
		"../dendrite":    "unknown candidate",
		"dendrite@1.0":   "use one of 0.16.0-rc1, 0.14.0, 0.13.8, 0.9.9",
		"dendrite@":      `version "" of dendrite is not pinned`,
		"synapse@1.0":    "it has no pinned versions",
		"image:":         "is not the name of an image",
		"image:Foo Bar:": "is not the name of an image",
	} {
		_, err := Parse(root, name)
		assert.ErrorContains(t, err, want, name)
	}
	_, err := Parse(t.TempDir(), "dendrite")
	assert.ErrorContains(t, err, "root folder")
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{"0.9.9", "0.13.8", "0.15", "0.15.2-rc1", "0.15.2-rc2", "0.15.2", "1.0", "1.0.0", "10.0.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			assert.Equal(t, i < j, compareVersions(a, b) < 0, "%s < %s", a, b)
		}
	}
}

func TestSafeName(t *testing.T) {
	assert.Equal(t, "dendrite@0.13.8", Candidate{Name: "dendrite@0.13.8"}.SafeName())
	seen := map[string]string{}
	for _, name := range []string{
		"image:foo/bar:tag", "image:foo_bar:tag", "image:foo/bar/tag", "image:a@sha256:b", "..", "/etc/passwd", "a b",
		"image:" + string(make([]byte, 500)),
	} {
		safe := Candidate{Name: name}.SafeName()
		assert.Regexp(t, `^[A-Za-z0-9_@-][A-Za-z0-9._@-]*$`, safe)
		assert.LessOrEqual(t, len(safe), 130)
		assert.Empty(t, seen[safe], safe)
		seen[safe] = name
	}
	assert.Contains(t, Candidate{Name: "image:foo/bar:tag"}.SafeName(), "image_foo_bar_tag-")
}

func TestFullName(t *testing.T) {
	assert.Equal(t, "dendrite@0.15.2", Candidate{Name: "dendrite", Software: "dendrite", Version: "0.15.2"}.FullName())
	assert.Equal(t, "synapse", Candidate{Name: "synapse", Software: "synapse"}.FullName())
	assert.Equal(t, "image:a:b", Candidate{Name: "image:a:b", Software: "image", Image: "a:b"}.FullName())
}

// The project's own folders are as the package comment says.
func TestThisProject(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, name := range []string{"dendrite", "dendrite@0.13.8", "dendrite@0.15.2"} {
		candidate, err := Parse(root, name)
		require.NoError(t, err)
		program, err := pinnedProgram(filepath.Join(root, "dockerfiles", "dendrite", candidate.Version))
		require.NoError(t, err)
		assert.Regexp(t, `^github\.com/.*/dendrite/cmd/dendrite$`, program)
		goMod, err := os.ReadFile(filepath.Join(root, "dockerfiles", "dendrite", candidate.Version, "go.mod"))
		require.NoError(t, err)
		assert.Contains(t, string(goMod), "dendrite v"+candidate.Version+"\n", "the folder's name is the version in its go.mod")
	}
}

// TestNamed: what cannot be parsed any more has the name that it had.
func TestNamed(t *testing.T) {
	assert.Equal(t, "dendrite@0.0.1", Named("dendrite@0.0.1").Name)
	tree := t.TempDir()
	t.Chdir(filepath.Dir(tree))
	gone := Named("dendrite:" + filepath.Base(tree))
	assert.Equal(t, "dendrite:"+tree, gone.Name)
}
