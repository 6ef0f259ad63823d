// Package suite tests the image of the suite.
package suite

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/report"
	"msc4014/runtime/candidate/candidatetest"
)

const root = "../.."

// run runs a program in folder with more variables, and returns its exit status and all that it said.
func run(t *testing.T, folder string, variables []string, program string, arguments ...string) (status int, said string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir, command.Env = folder, append(os.Environ(), variables...)
	output, err := command.CombinedOutput()
	var ended *exec.ExitError
	require.True(t, err == nil || errors.As(err, &ended), "%v", err)
	return command.ProcessState.ExitCode(), string(output)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o755))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	write(t, to, string(text))
}

// TestRunWithoutGo: run.sh builds nothing where the programs of the image are.
func TestRunWithoutGo(t *testing.T) {
	folder := t.TempDir()
	copyFile(t, filepath.Join(root, "run.sh"), filepath.Join(folder, "run.sh"))
	copyFile(t, filepath.Join(root, "go.mod"), filepath.Join(folder, "go.mod"))
	write(t, filepath.Join(folder, "bin", "msc4014"), "#!/bin/sh\necho \"$MSC4014_ROOT $*\"\nexit 1\n")
	tools := t.TempDir()
	for _, tool := range []string{"dirname", "sed"} {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(tools, tool)))
	}
	status, said := run(t, folder, []string{"PATH=" + tools}, "/bin/sh", "run.sh", "list")
	assert.Equal(t, 2, status)
	assert.Contains(t, said, "Go is not installed")
	write(t, filepath.Join(folder, "bin", "prebuilt"), "0123\n")
	status, said = run(t, folder, []string{"PATH=" + tools}, "/bin/sh", "run.sh", "list", "a b")
	assert.Equal(t, 1, status)
	assert.Equal(t, folder+" list a b\n", said)
}

func TestImageThatCannotBeBuilt(t *testing.T) {
	folder, programs := t.TempDir(), t.TempDir()
	script := filepath.Join(folder, "dockerfiles", "suite", "build.sh")
	copyFile(t, "build.sh", script)
	variables := []string{"PATH=" + programs + ":" + os.Getenv("PATH"), "GIT_CEILING_DIRECTORIES=" + folder}
	docker := func(text string) { write(t, filepath.Join(programs, "docker"), "#!/bin/sh\n"+text+"\n") }
	status, said := run(t, folder, variables, script)
	assert.Equal(t, 2, status)
	assert.Contains(t, said, "is not a git repository")

	for _, arguments := range [][]string{{"init", "--quiet"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "-m", "x"}} {
		status, said := run(t, folder, nil, "git", arguments...)
		require.Zero(t, status, said)
	}
	docker("exit 1")
	status, said = run(t, folder, variables, script)
	assert.Equal(t, 2, status)
	assert.Contains(t, said, "no container engine answers: start it, or set DOCKER_HOST")
	docker("[ $1 = version ] && echo amd64")
	status, said = run(t, folder, variables, script)
	assert.Equal(t, 2, status)
	assert.Contains(t, said, "the engine has neither debian:sid-slim nor msc4014/debian:sid, and no registry gives the former")
}

// TestImageHasTheFilesThatGitKnows: the programs are built from them, too, and an image of changed files does not take the name of a commit.
func TestImageHasTheFilesThatGitKnows(t *testing.T) {
	folder, programs := t.TempDir(), t.TempDir()
	script := filepath.Join(folder, "dockerfiles", "suite", "build.sh")
	copyFile(t, "build.sh", script)
	copyFile(t, "Dockerfile", filepath.Join(folder, "dockerfiles", "suite", "Dockerfile"))
	write(t, filepath.Join(folder, "dockerfiles", "debian", "base.sh"), "")
	for _, name := range []string{"main.go", "removed.go"} {
		write(t, filepath.Join(folder, name), name)
	}
	git := func(arguments ...string) string {
		t.Helper()
		status, said := run(t, folder, nil, "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.org"}, arguments...)...)
		require.Zero(t, status, said)
		return strings.TrimSpace(said)
	}
	git("init", "--quiet")
	git("add", ".")
	git("commit", "--quiet", "-m", "x")
	commit := git("rev-parse", "HEAD")
	write(t, filepath.Join(folder, "untracked.go"), "")
	write(t, filepath.Join(programs, "docker"), `#!/bin/sh
case $1 in
version) echo amd64 ;;
build)
	echo "tag $3"
	for context; do :; done
	(cd "$context" && ls && cat suite/main.go suite/bin/prebuilt)
	;;
esac
`)
	write(t, filepath.Join(programs, "go"), "#!/bin/sh\nls *.go\n")
	variables := []string{"PATH=" + programs + ":" + os.Getenv("PATH")}
	const context = "Dockerfile\nsuite\n"
	status, said := run(t, folder, variables, script)
	assert.Zero(t, status, said)
	tag := "msc4014-suite:" + commit[:12]
	each := "main.go\nremoved.go\n"
	assert.Equal(t, each+each+each+"tag "+tag+"\n"+context+"main.go"+commit+"\nbuilt "+tag+"\n", said)

	require.NoError(t, os.Remove(filepath.Join(folder, "removed.go")))
	write(t, filepath.Join(folder, "main.go"), "changed ")
	before := git("status", "--porcelain")
	status, said = run(t, folder, variables, script)
	assert.Zero(t, status, said)
	each = "main.go\n"
	assert.Equal(t, each+each+each+"tag "+tag+"-changes\n"+context+"changed "+commit+"+changes\nbuilt "+tag+"-changes\n", said)
	assert.Equal(t, before, git("status", "--porcelain"), "the index stays")

	require.NoError(t, os.RemoveAll(filepath.Join(folder, ".git", "objects")))
	status, said = run(t, folder, variables, script)
	assert.Equal(t, 2, status, said)
	assert.NotContains(t, said, "built")
}

func TestNoNamesOfImages(t *testing.T) {
	programs := t.TempDir()
	for _, program := range []string{"docker", "go"} {
		write(t, filepath.Join(programs, program), "#!/bin/sh\necho called\n")
	}
	for _, arguments := range [][]string{{"--help"}, {"-t"}, {"a", "b"}} {
		status, said := run(t, root, []string{"PATH=" + programs + ":" + os.Getenv("PATH")}, "dockerfiles/suite/build.sh", arguments...)
		assert.Equal(t, 2, status, arguments)
		assert.Contains(t, said, "usage: dockerfiles/suite/build.sh [NAME[:TAG]]")
		assert.NotContains(t, said, "called")
	}
}

// TestImage builds the image, and judges the reference in a container of it.
func TestImage(t *testing.T) {
	if os.Getenv("MSC4014_TEST_IMAGE") == "" {
		t.Skip("set MSC4014_TEST_IMAGE=1 to build the image of the suite and run it with the engine's socket: it takes minutes")
	}
	const name = "msc4014-suite:test"
	status, said := run(t, root, nil, "dockerfiles/suite/build.sh", name)
	require.Zero(t, status, said)
	t.Cleanup(func() { assert.NoError(t, exec.Command("docker", "image", "rm", "--force", name).Run()) })
	reference := candidatetest.Prepare(t, root, "reference", "docker", 0).Image
	work := t.TempDir()
	inside := func(options []string, arguments ...string) (int, string) {
		all := append([]string{"run", "--rm", "-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", work + ":/work"}, options...)
		return run(t, root, nil, "docker", append(append(all, name), arguments...)...)
	}
	status, said = inside(nil, "doctor")
	assert.Zero(t, status, said)
	assert.Contains(t, said, "a container can connect to this machine")

	for _, options := range [][]string{nil, {"--hostname", "runner-1"}, {"--network", "host"}} {
		status, said = inside(options, "image:"+reference, "--run", "^(mapping/no-hijack|resilience/restart)$", "--results", "/work/results")
		assert.Zero(t, status, said)
		results, err := report.Read(filepath.Join(work, "results"))
		require.NoError(t, err)
		assert.NotZero(t, results.Counts["pass"])
		assert.NotEmpty(t, results.Suite.Commit)
	}
	status, said = inside(nil, "reference")
	assert.Equal(t, 2, status)
	assert.Contains(t, said, "the program \"go\" was not found")
	assert.NotContains(t, strings.ToLower(said), "panic")
}
