package candidate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	dockerengine "msc4014/runtime/docker/engine"
	"msc4014/runtime/docker/engine/enginetest"
)

// The tests run this binary again as a suite that uses an artifact, given by its program or image.
const (
	programVariable = "MSC4014_TEST_USES_PROGRAM"
	imageVariable   = "MSC4014_TEST_USES_IMAGE"
)

func TestMain(m *testing.M) {
	artifact := runtime.Artifact{Program: os.Getenv(programVariable), Image: os.Getenv(imageVariable)}
	if artifact.Program == "" && artifact.Image == "" {
		os.Exit(m.Run())
	}
	if err := Hold(context.Background(), artifact); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("holding")
	<-time.After(10 * time.Minute) // the test kills it
}

// user starts a process that uses an artifact, and returns a function that kills it.
func user(t *testing.T, variable, value string) (kill func()) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), variable+"="+value)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	kill = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "holding\n", line)
	return kill
}

// clean removes what was built, and returns the progress lines.
func clean(t *testing.T) string {
	t.Helper()
	var said []string
	require.NoError(t, Clean(t.Context(), func(line string) { said = append(said, line) }))
	return strings.Join(said, "\n")
}

// builtImages returns images, each with a lock in the cache, as a build leaves them.
func builtImages(t *testing.T, c cache, tags ...string) []enginetest.Object {
	t.Helper()
	var images []enginetest.Object
	for _, tag := range tags {
		require.NoError(t, os.WriteFile(c.lockPath(imageLock(tag)), nil, 0o644))
		images = append(images, enginetest.Object{Kind: "image", Name: tag, Labels: map[string]string{Label: "x"}})
	}
	return images
}

func TestCleanLeavesWhatALiveRunUses(t *testing.T) {
	c := ownCache(t)
	t.Setenv("DOCKER_HOST", "unix:///nonexistent.sock")
	place, err := c.folder(t.Context(), "used", quiet, func(string) error { return nil })
	require.NoError(t, err)
	unused := filepath.Join(c.dir, "unused")
	require.NoError(t, os.Mkdir(unused, 0o755))
	require.NoError(t, os.WriteFile(c.lockPath("unused"), nil, 0o644))
	foreign := filepath.Join(c.dir, "foreign")
	require.NoError(t, os.Mkdir(foreign, 0o755))

	programs, images, err := Built(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"unused", "used"}, programs)
	assert.Empty(t, images)
	said := clean(t)
	assert.Contains(t, said, "removed the programs "+unused)
	assert.Contains(t, said, "left the programs "+place+": a live run uses or makes it")
	assert.Contains(t, said, "images were not checked: no container engine answers")
	assert.DirExists(t, place)
	assert.NoDirExists(t, unused)
	assert.DirExists(t, foreign, "this package did not make it")
}

// The command line that prepared a run's programs and images may be killed while the suite's binary continues.
func TestCleanLeavesWhatASuiteUses(t *testing.T) {
	c := ownCache(t)
	const used, unused = "msc4014/a:used", "msc4014/a:unused"
	engine := enginetest.Start(t, builtImages(t, c, used, unused)...)
	place := filepath.Join(c.dir, "programs")
	require.NoError(t, os.Mkdir(place, 0o755))
	require.NoError(t, os.WriteFile(c.lockPath("programs"), nil, 0o644))
	program := filepath.Join(place, "entrypoint")
	require.NoError(t, os.WriteFile(program, nil, 0o755))
	killUser, killOther := user(t, programVariable, program), user(t, imageVariable, used)

	said := clean(t)
	assert.Contains(t, said, "left the programs "+place)
	assert.Contains(t, said, "left the image "+used+": a live run uses or makes it")
	assert.Contains(t, said, "removed the image "+unused)
	assert.FileExists(t, program)
	assert.Equal(t, []string{used}, engine.Names())

	killUser()
	killOther()
	clean(t)
	assert.NoDirExists(t, place)
	assert.Empty(t, engine.Names())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	assert.ErrorContains(t, Hold(ctx, runtime.Artifact{Program: program}), "was removed before it could be used")
	assert.NoError(t, Hold(ctx, runtime.Artifact{Program: "/elsewhere/bin/server"}))
	assert.NoError(t, Hold(ctx, runtime.Artifact{Image: "postgres:latest"}))
}

// Runs with another cache have their locks elsewhere, and are recognized by what they have in the engine.
func TestCleanLeavesImagesInUseInTheEngine(t *testing.T) {
	c := ownCache(t)
	const inContainer, noted, unused, elsewhere = "msc4014/a:1", "msc4014/a:2", "msc4014/a:3", "msc4014/a:4"
	objects := append(builtImages(t, c, inContainer, noted, unused, sid.ownBase()),
		enginetest.Object{Kind: "image", Name: elsewhere, Labels: map[string]string{Label: "x"}},
		enginetest.Object{Kind: "image", Name: sid.registryBase(), Labels: map[string]string{Label: "x"}},
		enginetest.Object{Kind: "container", Name: "server", Image: inContainer},
		enginetest.Object{Kind: "network", Name: "access", Labels: map[string]string{dockerengine.LabelImages: "postgres " + noted}},
	)
	engine := enginetest.Start(t, objects...)
	_, images, err := Built(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{inContainer, noted, unused, sid.ownBase()}, images)
	said := clean(t)
	for _, line := range []string{
		"left the image " + inContainer + ": a container or a live run uses it",
		"left the image " + noted + ": a container or a live run uses it",
		"removed the image " + unused,
		"removed the image " + sid.ownBase(),
		"left the image " + elsewhere + ": it was built by another user, or with another XDG_CACHE_HOME",
	} {
		assert.Contains(t, said, line)
	}
	assert.NotContains(t, said, sid.registryBase())
	assert.NotContains(t, engine.Names(), unused)
	assert.NotContains(t, engine.Names(), sid.ownBase())
	assert.Len(t, engine.Names(), len(objects)-2)
}

// A run in containers whose image exists keeps the programs that the image was made from, which take minutes to build.
func TestRunInContainersKeepsThePrograms(t *testing.T) {
	c := ownCache(t)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	enginetest.Start(t)
	task := &task{root: root, candidate: Candidate{Software: referenceSoftware}, runtime: docker, progress: quiet, cache: c}
	opened, err := openEngine(t.Context())
	require.NoError(t, err)
	defer opened.close()
	built, err := task.referenceProgram(t.Context(), opened.platform)
	require.NoError(t, err)
	place := filepath.Join(c.dir, built.name)
	require.NoError(t, os.Mkdir(place, 0o755))
	require.NoError(t, os.WriteFile(c.lockPath(built.name), nil, 0o644))
	tag := repository + referenceSoftware + ":" + built.sum
	engine := enginetest.Start(t, builtImages(t, c, tag)...)

	artifact, err := task.reference(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tag, artifact.Image)
	clean(t)
	assert.DirExists(t, place)
	assert.Equal(t, []string{tag}, engine.Names())
}

func TestCleanLeavesABuildUnderWay(t *testing.T) {
	c := ownCache(t)
	const tag = "msc4014/a:1"
	engine := enginetest.Start(t, builtImages(t, c, tag)...)
	lockedByAnother(t, c.lockPath(imageLock(tag)))
	assert.Contains(t, clean(t), "left the image "+tag+": a live run uses or makes it")
	assert.Equal(t, []string{tag}, engine.Names())
}

// While a lock is released to be taken in another mode, a cleaner can take it.
func TestOnceRepeatsWhatIsRemovedBeforeItIsLocked(t *testing.T) {
	c := ownCache(t)
	made, asked := 0, 0
	err := c.once(t.Context(), "x", quiet, func() bool {
		asked++
		if asked == 4 { // the first look under the lock that keeps it
			made--
		}
		return made > 0
	}, func() error {
		made++
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 1, made)
	assert.Equal(t, 7, asked, "it exists under the lock that keeps it")

	err = c.once(t.Context(), "y", quiet, func() bool { return false }, func() error { return nil })
	assert.ErrorContains(t, err, "y was built, but does not exist")
	err = c.once(t.Context(), "y", quiet, func() bool { return false }, func() error { return errors.New("no luck") })
	assert.ErrorContains(t, err, "no luck")
}

// An engine prunes for one client at a time, and refuses others.
func TestCleanIgnoresAConcurrentPrune(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	enginetest.Start(t).Prunes()
	assert.NoError(t, Clean(t.Context(), func(line string) { t.Error(line) }))
}
