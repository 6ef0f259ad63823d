package debianbase

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notFound is what the engine answers for an image that it does not have.
type notFound struct{ error }

func (notFound) NotFound() {}

// fakeEngine has the image once it was pulled or imported.
type fakeEngine struct {
	present bool
	pull    func(context.Context) (io.ReadCloser, error)

	pulled   []string
	imported map[string]string // path in the archive -> content
	options  image.ImportOptions
}

func (e *fakeEngine) ImageInspect(context.Context, string, ...client.ImageInspectOption) (image.InspectResponse, error) {
	if !e.present {
		return image.InspectResponse{}, notFound{errors.New("no such image")}
	}
	return image.InspectResponse{ID: "sha256:base"}, nil
}

func (e *fakeEngine) ImagePull(ctx context.Context, ref string, _ image.PullOptions) (io.ReadCloser, error) {
	e.pulled = append(e.pulled, ref)
	return e.pull(ctx)
}

func (e *fakeEngine) ImageImport(_ context.Context, source image.ImportSource, _ string, options image.ImportOptions) (io.ReadCloser, error) {
	e.imported, e.options = map[string]string{}, options
	archive := tar.NewReader(source.Source)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		e.imported[header.Name] = string(content)
	}
	e.present = true
	return io.NopCloser(strings.NewReader(`{"status":"sha256:base"}`)), nil
}

// withoutDir cannot bootstrap, whoever runs the test.
func withoutDir() Options {
	return Options{pullAnswers: time.Minute, pullStalls: time.Minute}
}

func TestAPresentImageIsUsed(t *testing.T) {
	engine := &fakeEngine{present: true}
	id, err := Ensure(t.Context(), engine, "sid", withoutDir())
	require.NoError(t, err)
	assert.Equal(t, "sha256:base", id)
	assert.Empty(t, engine.pulled)
}

func TestAMissingImageIsPulled(t *testing.T) {
	engine := &fakeEngine{}
	engine.pull = func(context.Context) (io.ReadCloser, error) {
		engine.present = true
		return io.NopCloser(strings.NewReader(`{"status":"Pulling"}` + "\n" + `{"status":"Done"}`)), nil
	}
	var told []string
	options := withoutDir()
	options.Progress = func(line string) { told = append(told, line) }
	id, err := Ensure(t.Context(), engine, "sid", options)
	require.NoError(t, err)
	assert.Equal(t, "sha256:base", id)
	assert.Equal(t, []string{"debian:sid-slim"}, engine.pulled)
	assert.Equal(t, []string{"pulling debian:sid-slim"}, told)
}

func TestARegistryThatFailsHalfWayIsNamed(t *testing.T) {
	engine := &fakeEngine{pull: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(`{"status":"Pulling"}` + "\n" + `{"error":"toomanyrequests"}`)), nil
	}}
	_, err := Ensure(t.Context(), engine, "sid", withoutDir())
	assert.ErrorContains(t, err, "toomanyrequests")
	assert.ErrorContains(t, err, "could not be made from Debian's packages")
}

func TestARegistryThatIsSilentIsGivenUp(t *testing.T) {
	engine := &fakeEngine{pull: func(ctx context.Context) (io.ReadCloser, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	options := Options{pullAnswers: time.Millisecond, pullStalls: time.Minute}
	_, err := Ensure(t.Context(), engine, "sid", options)
	assert.ErrorContains(t, err, "no registry answered within 1ms")

	engine.pull = func(ctx context.Context) (io.ReadCloser, error) {
		reader, writer := io.Pipe()
		go func() { _, _ = io.WriteString(writer, `{"status":"Pulling"}`+"\n") }()
		context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
		return reader, nil
	}
	options = Options{pullAnswers: time.Minute, pullStalls: time.Millisecond}
	_, err = Ensure(t.Context(), engine, "sid", options)
	assert.ErrorContains(t, err, "the registry stopped answering for 1ms")
}

func TestAnInterruptIsNoReasonToBootstrap(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	engine := &fakeEngine{pull: func(context.Context) (io.ReadCloser, error) {
		cancel()
		return nil, ctx.Err()
	}}
	_, err := Ensure(ctx, engine, "sid", withoutDir())
	assert.ErrorIs(t, err, context.Canceled)
}

func TestSuiteNamesAreChecked(t *testing.T) {
	for _, suite := range []string{"", "-sid", "sid slim", "../sid", "--help"} {
		_, err := Ensure(t.Context(), &fakeEngine{present: true}, suite, withoutDir())
		assert.Error(t, err, suite)
	}
}

// makeRoot makes as much of a root file system as makeSlim and importRoot look at.
func makeRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, file := range []string{
		"bin/sh", "usr/share/doc/base-files/README", "usr/share/man/man1/ls.1", "dev/null", "etc/resolv.conf",
		"var/cache/apt/archives/a.deb", "var/lib/apt/lists/index", "var/lib/dpkg/status",
		"etc/dpkg/dpkg.cfg.d/keep", "etc/apt/apt.conf.d/keep", "usr/sbin/keep",
	} {
		path := filepath.Join(root, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(file), 0o644))
	}
	return root
}

func TestImportLeavesOutWhatASlimImageHasNot(t *testing.T) {
	root := makeRoot(t)
	require.NoError(t, makeSlim(root))
	engine := &fakeEngine{}
	labels := map[string]string{"msc4014.candidate": `a "quoted" one`}
	require.NoError(t, importRoot(t.Context(), engine, root, "debian:sid-slim", labels))

	assert.Contains(t, engine.imported, "./bin/sh")
	assert.Contains(t, engine.imported, "./var/lib/dpkg/status")
	assert.Contains(t, engine.imported, "./usr/share/doc/", "the folders themselves stay")
	assert.Contains(t, engine.imported, "./dev/")
	assert.Empty(t, engine.imported["./etc/resolv.conf"])
	assert.Contains(t, engine.imported["./etc/dpkg/dpkg.cfg.d/docker"], "path-exclude /usr/share/man/*")
	assert.Contains(t, engine.imported["./usr/sbin/policy-rc.d"], "exit 101")
	for path := range engine.imported {
		for _, left := range []string{"README", "ls.1", "dev/null", ".deb", "lists/index"} {
			assert.NotContains(t, path, left)
		}
	}
	assert.Equal(t, []string{`CMD ["bash"]`, `LABEL "msc4014.candidate"="a \"quoted\" one"`}, engine.options.Changes)
}

func TestAnArchiveThatIsCutShortIsNotImported(t *testing.T) {
	engine := &fakeEngine{}
	err := importRoot(t.Context(), engine, filepath.Join(t.TempDir(), "missing"), "debian:sid-slim", nil)
	assert.ErrorContains(t, err, "pack the root file system")
	assert.False(t, engine.present)
}
