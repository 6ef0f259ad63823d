package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

// testImage is the image of testdata/homeserver, built once for all tests and removed after them.
var testImage = struct {
	sync.Mutex
	reference string
}{}

func TestMain(m *testing.M) {
	if os.Getenv(imageVariable) != "" {
		hold()
	}
	status := m.Run()
	if issuer, err := sharedAuthority(); err == nil {
		_ = os.RemoveAll(issuer.Dir())
	}
	if testImage.reference != "" {
		if cli, err := engine.Connect(context.Background()); err == nil {
			_, _ = cli.ImageRemove(context.Background(), testImage.reference, image.RemoveOptions{PruneChildren: true})
		}
	}
	os.Exit(status)
}

// connect connects to the engine, or skips the test if there is none.
func connect(t *testing.T) *client.Client {
	t.Helper()
	cli, err := engine.Connect(t.Context())
	if err != nil {
		t.Skipf("this test needs a container engine: %v", err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

// homeserverImage builds testdata/homeserver, and an image that contains only the program.
func homeserverImage(t *testing.T, cli *client.Client) string {
	t.Helper()
	testImage.Lock()
	defer testImage.Unlock()
	if testImage.reference != "" {
		return testImage.reference
	}
	program := filepath.Join(t.TempDir(), "homeserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/homeserver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	data, err := os.ReadFile(program)
	require.NoError(t, err)
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	require.NoError(t, writer.WriteHeader(&tar.Header{Name: "homeserver", Mode: 0o755, Size: int64(len(data))}))
	_, err = writer.Write(data)
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	reference := fmt.Sprintf("msc4014-test-homeserver:%d", os.Getpid())
	answer, err := cli.ImageImport(t.Context(), image.ImportSource{Source: &archive, SourceName: "-"}, reference,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/homeserver"]`, `VOLUME /data`, `EXPOSE 8008 8448`,
			`LABEL ` + runtime.ConfigurationLabel + `=/data/homeserver.conf`}})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, answer)
	require.NoError(t, err)
	require.NoError(t, answer.Close())
	testImage.reference = reference
	return reference
}

// newSession opens a run in the test's own state folder.
func newSession(t *testing.T) *session.Session {
	t.Helper()
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	run, err := session.Open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, run.Close()) })
	return run
}

// sharedAuthority signs the certificates of all tests. TestMain removes its folder.
var sharedAuthority = sync.OnceValues(func() (*authority.Authority, error) {
	dir, err := os.MkdirTemp("", "msc4014-docker-test-")
	if err != nil {
		return nil, err
	}
	return authority.New(dir)
})

func testAuthority(t *testing.T) *authority.Authority {
	t.Helper()
	issuer, err := sharedAuthority()
	require.NoError(t, err)
	return issuer
}

func newRuntime(t *testing.T, options Options) *Runtime {
	t.Helper()
	cli := connect(t)
	reference := homeserverImage(t, cli)
	if options.Session == nil {
		options.Session = newSession(t)
	}
	options.Authority = testAuthority(t)
	if options.Complement.SpawnTimeout == 0 {
		options.Complement.SpawnTimeout = 30 * time.Second
	}
	options.Warn = func(text string) { t.Log("warning:", text) }
	run, err := New(t.Context(), runtime.Artifact{Candidate: "fake@1", Image: reference}, options)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, run.Close(context.Background()))
		left, err := engine.List(context.Background(), cli, session.LabelRun+"="+options.Session.ID)
		assert.NoError(t, err)
		assert.Empty(t, left, "what a closed run left behind")
	})
	return run
}

func start(t *testing.T, run *Runtime, deployment, host string) runtime.Server {
	t.Helper()
	server, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: deployment, Host: host})
	require.NoError(t, err)
	return server
}

// ask calls the server's own test API; an answer other than 200 is an error with its text.
func ask(t *testing.T, server runtime.Server, path string, query ...string) (string, error) {
	t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	response, err := http.Get(server.ClientURL() + path + "?" + values.Encode())
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	return string(body), err
}
