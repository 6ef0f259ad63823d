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
	"msc4014/runtime/complement"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

// testImage is the image of testdata/homeserver, made once for all tests and removed after them.
var testImage = struct {
	sync.Mutex
	reference string
}{}

func TestMain(m *testing.M) {
	if os.Getenv(imageVariable) != "" {
		hold()
	}
	status := m.Run()
	if testImage.reference != "" {
		if cli, err := engine.Connect(context.Background()); err == nil {
			_, _ = cli.ImageRemove(context.Background(), testImage.reference, image.RemoveOptions{PruneChildren: true})
		}
	}
	os.Exit(status)
}

// connect reaches the engine, or skips the test where there is none.
func connect(t *testing.T) *client.Client {
	t.Helper()
	cli, err := engine.Connect(t.Context())
	if err != nil {
		t.Skipf("this test needs a container engine: %v", err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

// homeserverImage builds testdata/homeserver and makes an image of the program alone.
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
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/homeserver"]`, `VOLUME /data`, `EXPOSE 8008 8448`}})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, answer)
	require.NoError(t, err)
	require.NoError(t, answer.Close())
	testImage.reference = reference
	return reference
}

// newSession opens a run in a state folder of the test's own.
func newSession(t *testing.T) *session.Session {
	t.Helper()
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	run, err := session.Open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, run.Close()) })
	return run
}

func newRuntime(t *testing.T, options Options) *Runtime {
	t.Helper()
	cli := connect(t)
	reference := homeserverImage(t, cli)
	if options.Session == nil {
		options.Session = newSession(t)
	}
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

func TestServersReachEachOtherAndPeers(t *testing.T) {
	authority := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(authority, "ca.crt"), []byte("certificate"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(authority, "ca.key"), []byte("key"), 0o600))
	run := newRuntime(t, Options{
		AuthorityDir: authority,
		Complement:   complement.Options{Environment: []string{"SHARED=yes", "SERVER_NAME=wrong"}},
	})
	one, two := start(t, run, "d1", "hs1"), start(t, run, "d1", "hs2")

	assert.Equal(t, "hs1.d1.msc4014.test", one.Name())
	assert.Equal(t, "hs1", one.Host())
	for path, want := range map[string]string{"/complement/ca/ca.crt": "certificate", "/complement/ca/ca.key": "key"} {
		got, err := ask(t, one, "/file", "path", path)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	name, err := ask(t, one, "/environment", "name", "SERVER_NAME")
	require.NoError(t, err)
	assert.Equal(t, one.Name(), name)
	shared, err := ask(t, one, "/environment", "name", "SHARED")
	require.NoError(t, err)
	assert.Equal(t, "yes", shared)

	for _, address := range []string{two.Name() + ":8448", one.Name() + ":8448"} {
		_, err = ask(t, one, "/dial", "address", address)
		assert.NoError(t, err, address)
	}
	response, err := http.Get("http://" + two.FederationAddress() + "/_matrix/client/versions")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())

	seen := map[string]bool{}
	for range 3 {
		peer, err := run.NewPeer()
		require.NoError(t, err)
		assert.False(t, seen[peer.Name])
		seen[peer.Name] = true
		if _, _, hasPort := strings.Cut(peer.Name, ":"); hasPort {
			continue
		}
		addresses, err := ask(t, one, "/lookup", "name", peer.Name)
		require.NoError(t, err)
		assert.Contains(t, peer.Listen, strings.Trim(addresses, "[]")+":")
	}
}

func TestUnknownNamesAreRefusedAtOnce(t *testing.T) {
	run := newRuntime(t, Options{})
	if run.names == nil {
		t.Skip("this process may not listen on port 53")
	}
	server := start(t, run, "d1", "hs1")
	began := time.Now()
	for _, path := range []string{"/lookup", "/service"} {
		for _, name := range []string{"nobody.msc4014.test", "matrix.org", server.Name(), "peer1.msc4014.test"} {
			_, err := ask(t, server, path, "name", name)
			if path == "/lookup" && (name == server.Name() || strings.HasPrefix(name, "peer")) {
				assert.NoError(t, err, name)
				continue
			}
			assert.ErrorContains(t, err, "no such host", name)
		}
	}
	assert.Less(t, time.Since(began), 2*time.Second)
}

func TestStopKillAndStartKeepData(t *testing.T) {
	run := newRuntime(t, Options{})
	server := start(t, run, "d1", "hs1")
	_, err := ask(t, server, "/write", "path", "/data/kept", "text", "still here")
	require.NoError(t, err)
	for _, end := range []func(context.Context) error{server.Stop, server.Kill} {
		exited := server.Exited()
		require.NoError(t, end(t.Context()))
		_, err := ask(t, server, "/environment")
		require.Error(t, err)
		select {
		case <-exited:
			t.Error("a server that was asked to end counts as exited")
		default:
		}
		require.NoError(t, server.Start(t.Context()))
		text, err := ask(t, server, "/file", "path", "/data/kept")
		require.NoError(t, err)
		assert.Equal(t, "still here", text)
	}
	assert.ErrorContains(t, server.Start(t.Context()), "it is running")
	log := server.Log(0)
	assert.Contains(t, log, "ending as asked")
	assert.Equal(t, 3, strings.Count(log, "starting as"))
}

func TestExitIsNoticedAndLogStays(t *testing.T) {
	run := newRuntime(t, Options{})
	server := start(t, run, "d1", "hs1")
	_, err := ask(t, server, "/say", "lines", "500")
	require.NoError(t, err)
	_, err = ask(t, server, "/exit")
	require.Error(t, err)
	select {
	case <-server.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("the exit was not noticed")
	}
	assert.Equal(t, "line 499\nline 500\n", server.Log(2))
	assert.Equal(t, 501, strings.Count(server.Log(0), "\n"))
	require.NoError(t, server.Kill(t.Context()), "killing a dead server")
	require.NoError(t, server.Stop(t.Context()), "stopping a dead server")

	require.NoError(t, server.Start(t.Context()))
	select {
	case <-server.Exited():
		t.Error("the new start counts as exited")
	default:
	}
	require.NoError(t, server.Remove(t.Context()))
	require.NoError(t, server.Remove(t.Context()))
	assert.Contains(t, server.Log(1), "starting as")
}

func TestPauseAndCutOff(t *testing.T) {
	run := newRuntime(t, Options{})
	one, two := start(t, run, "d1", "hs1"), start(t, run, "d1", "hs2")
	before := one.ClientURL()

	require.NoError(t, one.Pause(t.Context()))
	hasty := http.Client{Timeout: 300 * time.Millisecond}
	_, err := hasty.Get(one.ClientURL() + "/_matrix/client/versions")
	require.Error(t, err)
	require.NoError(t, one.Resume(t.Context()))
	_, err = ask(t, one, "/environment")
	require.NoError(t, err)

	require.NoError(t, one.CutOff(t.Context()))
	_, err = ask(t, one, "/environment")
	require.NoError(t, err, "clients must not notice")
	_, err = ask(t, one, "/dial", "address", two.Name()+":8448")
	require.Error(t, err)
	_, err = ask(t, two, "/dial", "address", one.Name()+":8448")
	require.Error(t, err)
	require.NoError(t, one.Rejoin(t.Context()))
	_, err = ask(t, one, "/dial", "address", two.Name()+":8448")
	require.NoError(t, err)
	_, err = ask(t, two, "/dial", "address", one.Name()+":8448")
	require.NoError(t, err)
	assert.Equal(t, before, one.ClientURL())

	require.NoError(t, one.Pause(t.Context()))
	require.NoError(t, one.Kill(t.Context()), "killing a frozen server")
}

func TestStartErrorsTellWhy(t *testing.T) {
	for mode, want := range map[string]struct {
		timeout time.Duration
		cause   string
	}{
		"exit":    {time.Hour, "exited with status 3 before it was ready"},
		"silent":  {time.Second, "did not answer GET /_matrix/client/versions within 1s"},
		"unready": {time.Second, "answered GET /_matrix/client/versions with nothing better than status 503 within 1s"},
	} {
		t.Run(mode, func(t *testing.T) {
			run := newRuntime(t, Options{
				Complement: complement.Options{SpawnTimeout: want.timeout, Environment: []string{"MODE=" + mode}},
			})
			_, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
			var startError *runtime.StartError
			require.ErrorAs(t, err, &startError)
			assert.Equal(t, want.cause, startError.Cause)
			assert.Equal(t, "fake@1", startError.Candidate)
			assert.Contains(t, startError.LogTail, "starting as hs1.d1.msc4014.test")
		})
	}
}

func TestBadInput(t *testing.T) {
	connect(t)
	run := newSession(t)
	_, err := New(t.Context(), runtime.Artifact{Image: "msc4014-no-such-image:none"}, Options{Session: run})
	require.ErrorContains(t, err, "docker pull msc4014-no-such-image:none")

	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	_, err = New(t.Context(), runtime.Artifact{Image: "x"}, Options{Session: run})
	require.ErrorContains(t, err, "no container engine answers at unix:///nowhere/docker.sock")
}

func TestStartEndsWithTheRun(t *testing.T) {
	run := newRuntime(t, Options{Complement: complement.Options{Environment: []string{"MODE=silent"}}})
	failed := make(chan error, 1)
	go func() {
		_, err := run.Start(context.Background(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
		failed <- err
	}()
	require.NoError(t, run.Close(t.Context()))
	require.Error(t, <-failed)
	_, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d2", Host: "hs1"})
	require.ErrorContains(t, err, "closed")
}
