package candidate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// workingTree returns the folder of a small program that is laid out like Dendrite, with a module beside it that go.mod replaces.
func workingTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"dendrite/go.mod": "module example.org/fork/dendrite\n\ngo 1.26\n\nrequire example.org/library v1.0.0\n\nreplace example.org/library => ../library\n",
		"dendrite/cmd/dendrite/main.go": "package main\n\nimport (\n\t\"example.org/fork/dendrite/roomserver\"\n\t\"example.org/library\"\n)\n\n" +
			"func main() { println(roomserver.Text + library.Text) }\n",
		"dendrite/roomserver/roomserver.go":      "package roomserver\n\nimport _ \"embed\"\n\n//go:embed data/text\nvar Text string\n",
		"dendrite/roomserver/data/text":          "one ",
		"dendrite/roomserver/roomserver_test.go": "package roomserver\n",
		"dendrite/roomserver/other_plan9.go":     "package roomserver\n",
		"dendrite/README.md":                     "Dendrite\n",
		"library/go.mod":                         "module example.org/library\n\ngo 1.26\n",
		"library/library.go":                     "package library\n\nconst Text = \"two\"\n",
	})
	return filepath.Join(dir, "dendrite")
}

// projectFolder returns the root folder of this project.
func projectFolder(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	return root
}

func TestWorkingTreeByName(t *testing.T) {
	tree := workingTree(t)
	t.Chdir(tree)
	for _, name := range []string{"dendrite:.", "dendrite:" + tree, "dendrite:../dendrite/"} {
		found, err := Parse(projectFolder(t), name)
		require.NoError(t, err, name)
		assert.Equal(t, Candidate{Name: "dendrite:" + tree, Software: "dendrite", Tree: tree}, found)
		assert.Equal(t, []string{docker, process}, Runtimes(found))
		assert.NotContains(t, found.SafeName(), "/")
	}
	require.NoError(t, os.Mkdir("odd[1]*", 0o755))
	require.NoError(t, os.Rename("go.mod", "odd[1]*/go.mod"))
	require.NoError(t, os.Rename("cmd", "odd[1]*/cmd"))
	_, err := Parse(projectFolder(t), "dendrite:odd[1]*")
	assert.NoError(t, err)
}

func TestWhatIsNoWorkingTreeOfDendrite(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"file": "", "empty/x": "", "other/go.mod": "module other\n", "other/main.go": "package main\n"})
	t.Chdir(dir)
	for name, says := range map[string]string{
		"dendrite:":        "it names no folder",
		"dendrite:nosuch":  "there is no folder " + strconv.Quote(filepath.Join(dir, "nosuch")),
		"dendrite:a\n::b":  `/a\n::b"`,
		"dendrite:file/\n": `/file/\n": not a directory`,
		"dendrite:file":    "is a file, not a folder",
		"dendrite:file/x":  "not a directory",
		"dendrite:empty":   "has no go.mod",
		"dendrite:other":   "is not Dendrite: it has no Go files in cmd/dendrite",
		"dendrite:no\x00t": "invalid argument",
	} {
		_, err := Parse(projectFolder(t), name)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), says)
		assert.Contains(t, err.Error(), "name the root folder of a working tree of Dendrite: dendrite:DIR")
	}
}

// TestCommitOfSourcesInsideAnotherRepository: they have none, unless that repository tracks them.
func TestCommitOfSourcesInsideAnotherRepository(t *testing.T) {
	tree := workingTree(t)
	git := func(arguments ...string) {
		command := exec.Command("git", append([]string{"-C", filepath.Dir(tree), "-c", "user.name=x", "-c", "user.email=x@example.org"}, arguments...)...)
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "--message", "first")
	assert.Empty(t, treeVersion(t.Context(), tree))
	git("add", "dendrite")
	git("commit", "--quiet", "--message", "second")
	assert.Regexp(t, "^[0-9a-f]{12}$", treeVersion(t.Context(), tree))
}

func TestFingerprintOfAWorkingTree(t *testing.T) {
	tree := workingTree(t)
	build := goBuild{dir: tree, path: treeProgram, platform: hostPlatform()}
	sum := func() string {
		made := newFingerprint("programs")
		require.NoError(t, made.addTree(t.Context(), build))
		return made.sum()
	}
	first := sum()
	for name, matters := range map[string]bool{
		"README.md": false, "roomserver/roomserver_test.go": false, "roomserver/other_plan9.go": false, "media/file": false,
		"roomserver/roomserver.go": true, "roomserver/data/text": true, "cmd/dendrite/main.go": true, "go.mod": true,
		"../library/library.go": true, "../library/go.mod": true, "go.sum": true,
	} {
		path := filepath.Join(tree, name)
		before, err := os.ReadFile(path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, append(before, []byte("\n// more\n")...), 0o644))
		if name == "go.sum" {
			require.NoError(t, os.WriteFile(path, []byte("example.org/x v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), 0o644))
		}
		assert.Equal(t, matters, sum() != first, name)
		if err != nil {
			require.NoError(t, os.Remove(path))
		} else {
			require.NoError(t, os.WriteFile(path, before, 0o644))
		}
		assert.Equal(t, first, sum(), "as before")
	}
	moved := filepath.Join(t.TempDir(), "moved")
	require.NoError(t, os.Rename(filepath.Dir(tree), moved))
	build.dir = filepath.Join(moved, "dendrite")
	assert.Equal(t, first, sum(), "it does not matter where the tree is")
	write(t, build.dir, map[string]string{"roomserver/more.go": "package roomserver\n"})
	assert.NotEqual(t, first, sum(), "a new file")
}

// say builds a working tree as a plain process and returns what its program says.
func say(t *testing.T, tree string) string {
	t.Helper()
	found, err := Parse(projectFolder(t), "dendrite:"+tree)
	require.NoError(t, err)
	artifact, err := Prepare(t.Context(), projectFolder(t), found, process, nil)
	require.NoError(t, err)
	assert.Equal(t, found.Name, artifact.Candidate)
	output, err := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(artifact.Program), dendriteProgram)).CombinedOutput()
	require.NoError(t, err)
	return artifact.Version + ": " + string(output)
}

// ownPrograms gives a test its own cache of programs, but not of what the go command downloaded and compiled.
func ownPrograms(t *testing.T) cache {
	t.Helper()
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		output, err := exec.Command("go", "env", name).Output()
		require.NoError(t, err)
		t.Setenv(name, strings.TrimSpace(string(output)))
	}
	return ownCache(t)
}

func TestWorkingTreeIsBuiltAgainWhenItChanges(t *testing.T) {
	ownPrograms(t)
	tree := workingTree(t)
	assert.Equal(t, ": one two\n", say(t, tree))
	git := func(arguments ...string) string {
		command := exec.Command("git", append([]string{"-C", tree, "-c", "user.name=x", "-c", "user.email=x@example.org"}, arguments...)...)
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	git("init", "--quiet")
	git("add", ".")
	git("commit", "--quiet", "--message", "first")
	git("tag", "v1.0.0")
	commit := git("rev-parse", "HEAD")[:12]
	assert.Equal(t, commit+": one two\n", say(t, tree))
	write(t, tree, map[string]string{"roomserver/data/text": "three "})
	assert.Equal(t, commit+"+changes: three two\n", say(t, tree))

	found, err := Parse(projectFolder(t), "dendrite:"+tree)
	require.NoError(t, err)
	prepare := func() error {
		_, err := Prepare(t.Context(), projectFolder(t), found, process, nil)
		return err
	}
	for text, says := range map[string]string{
		"package roomserver\n\nconst Text = nonsense\n":                          "undefined: nonsense",
		"package roomserver\n\nconst Text = \n":                                  "roomserver.go:4",
		"package roomserver\n\nimport _ \"example.org/missing\"\n":               "no required module provides package example.org/missing",
		"package roomserver\n\nimport _ \"example.org/fork/dendrite/missing\"\n": "example.org/fork/dendrite/missing",
	} {
		write(t, tree, map[string]string{"roomserver/roomserver.go": text})
		err := prepare()
		require.Error(t, err)
		assert.Contains(t, err.Error(), "cannot prepare dendrite:"+tree)
		assert.Contains(t, err.Error(), says)
	}
}

func TestWorkingTreeThatChangesWhileItIsBuilt(t *testing.T) {
	c := ownPrograms(t)
	tree := workingTree(t)
	found, err := Parse(projectFolder(t), "dendrite:"+tree)
	require.NoError(t, err)
	work := &task{root: projectFolder(t), candidate: found, runtime: process, progress: quiet, cache: c}
	built, err := work.dendritePrograms(t.Context(), hostPlatform())
	require.NoError(t, err)
	write(t, tree, map[string]string{"roomserver/data/text": "later "})
	_, err = built.folder(t.Context())
	assert.ErrorContains(t, err, tree+" changed while it was built; run again")
	assert.NoDirExists(t, filepath.Join(c.dir, built.name))
}
