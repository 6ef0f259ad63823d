package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/complement"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/readiness"
	"msc4014/runtime/session"
)

func TestEnvironment(t *testing.T) {
	r := &Runtime{options: Options{Complement: complement.Options{Environment: []string{"SHARED=yes", "CHOSEN=that", "SERVER_NAME=wrong"}}}}
	artifact := runtime.Artifact{Environment: []string{"CHOSEN=this=one"}}
	assert.Equal(t, []string{"CHOSEN=this=one", "MSC4014_EPHEMERAL=true", "MSC4014_PRESENCE=true", "SERVER_NAME=hs1", "SHARED=yes"},
		r.environment(&server{name: "hs1", ephemeral: true, presence: true}, artifact))
}

func TestServersReachEachOtherAndPeers(t *testing.T) {
	run := newRuntime(t, Options{Complement: complement.Options{Environment: []string{"SHARED=yes", "SERVER_NAME=wrong"}}})
	one, two := start(t, run, "d1", "hs1"), start(t, run, "d1", "hs2")

	assert.Equal(t, "hs1.d1.msc4014.test", one.Name())
	assert.Equal(t, "hs1", one.Host())
	for _, name := range []string{"ca.crt", "ca.key"} {
		want, err := os.ReadFile(filepath.Join(run.options.Authority.Dir(), name))
		require.NoError(t, err)
		got, err := ask(t, one, "/file", "path", "/complement/ca/"+name)
		require.NoError(t, err)
		assert.Equal(t, string(want), got)
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
	assertFederates(t, run, two)

	seen := map[string]bool{}
	for range 3 {
		peer, err := run.NewPeer()
		require.NoError(t, err)
		assert.False(t, seen[peer.Name])
		seen[peer.Name] = true
		if _, _, hasPort := strings.Cut(peer.Name, ":"); hasPort {
			require.NoError(t, peer.Socket.Close())
			continue
		}
		addresses, err := ask(t, one, "/lookup", "name", peer.Name)
		require.NoError(t, err)
		assert.Contains(t, peer.Listen, strings.Trim(addresses, "[]")+":")
	}
}

func TestUnknownNamesAreRefusedImmediately(t *testing.T) {
	run := newRuntime(t, Options{})
	if run.names == nil {
		t.Skip("this process may not listen on port 53")
	}
	server := start(t, run, "d1", "hs1")
	for _, path := range []string{"/lookup", "/service"} {
		for _, name := range []string{"nobody.msc4014.test", "matrix.org", server.Name(), "peer1.msc4014.test"} {
			began := time.Now()
			_, err := ask(t, server, path, "name", name)
			assert.Less(t, time.Since(began), 5*time.Second, "a resolver without a response gives up after 5 s at the earliest")
			if path == "/lookup" && (name == server.Name() || strings.HasPrefix(name, "peer")) {
				assert.NoError(t, err, name)
				continue
			}
			assert.ErrorContains(t, err, "no such host", name)
		}
	}
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
			t.Error("Exited was closed although the server was stopped")
		default:
		}
		require.NoError(t, server.Start(t.Context()))
		text, err := ask(t, server, "/file", "path", "/data/kept")
		require.NoError(t, err)
		assert.Equal(t, "still here", text)
	}
	assert.ErrorContains(t, server.Start(t.Context()), "it is already running")
	log := server.Log(0)
	assert.Contains(t, log, "exiting on a signal")
	assert.Equal(t, 3, strings.Count(log, "starting as"))
}

func TestEphemeralServersAreStartedOnce(t *testing.T) {
	run := newRuntime(t, Options{})
	server, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1", Ephemeral: true})
	require.NoError(t, err)
	value, err := ask(t, server, "/environment", "name", runtime.EphemeralVariable)
	require.NoError(t, err)
	assert.Equal(t, "true", value)
	require.NoError(t, server.Stop(t.Context()))
	assert.ErrorIs(t, server.Start(t.Context()), runtime.ErrEphemeral)
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
	case <-time.After(time.Minute):
		t.Fatal("the exit was not noticed")
	}
	assert.Equal(t, "line 499\nline 500\n", server.Log(2))
	assert.Equal(t, 501, strings.Count(server.Log(0), "\n"))
	require.NoError(t, server.Kill(t.Context()), "killing a dead server")
	require.NoError(t, server.Stop(t.Context()), "stopping a dead server")

	require.NoError(t, server.Start(t.Context()))
	select {
	case <-server.Exited():
		t.Error("Exited is closed after the new start")
	default:
	}
	require.NoError(t, server.Remove(t.Context()))
	require.NoError(t, server.Remove(t.Context()))
	assert.Contains(t, server.Log(1), "starting as")
}

func TestPauseAndCutOff(t *testing.T) {
	for name, published := range map[string]bool{"at their own addresses": false, "at published ports": true} {
		t.Run(name, func(t *testing.T) { pauseAndCutOff(t, newRuntime(t, Options{alwaysPublish: published})) })
	}
}

func pauseAndCutOff(t *testing.T, run *Runtime) {
	t.Helper()
	one, two := start(t, run, "d1", "hs1"), start(t, run, "d1", "hs2")
	before := one.ClientURL()

	require.NoError(t, one.Pause(t.Context()))
	hasty := http.Client{Timeout: 300 * time.Millisecond}
	_, err := hasty.Get(one.ClientURL() + "/_matrix/client/versions")
	require.Error(t, err)
	require.NoError(t, one.Resume(t.Context()))
	_, err = ask(t, one, "/environment")
	require.NoError(t, err)

	address := func() string {
		details, err := run.engine.ContainerInspect(t.Context(), one.(runtime.Contained).ContainerID())
		require.NoError(t, err)
		return details.NetworkSettings.Networks[run.federationName()].IPAddress
	}
	addressBefore := address()
	require.NoError(t, one.CutOff(t.Context()))
	_, err = ask(t, one, "/environment")
	require.NoError(t, err, "clients must not notice")
	_, err = ask(t, one, "/dial", "address", two.Name()+":8448")
	require.Error(t, err)
	_, err = ask(t, two, "/dial", "address", one.Name()+":8448")
	require.Error(t, err)
	start(t, run, "d1", "hs3") // gets the address of one if the engine chooses addresses
	require.NoError(t, one.Rejoin(t.Context()))
	assert.Equal(t, addressBefore, address(), "connections from before must go on")
	_, err = ask(t, one, "/dial", "address", two.Name()+":8448")
	require.NoError(t, err)
	_, err = ask(t, two, "/dial", "address", one.Name()+":8448")
	require.NoError(t, err)
	assert.Equal(t, before, one.ClientURL())

	require.NoError(t, one.Pause(t.Context()))
	require.NoError(t, one.Kill(t.Context()), "killing a frozen server")
}

func TestPortsArePublishedOnlyWhereTheyAreNeeded(t *testing.T) {
	for _, published := range []bool{false, true} {
		run := newRuntime(t, Options{alwaysPublish: published})
		server := start(t, run, "d1", "hs1")
		details, err := run.engine.ContainerInspect(t.Context(), server.(runtime.Contained).ContainerID())
		require.NoError(t, err)
		bound := 0
		for _, bindings := range details.NetworkSettings.Ports {
			for _, binding := range bindings {
				bound++
				assert.Equal(t, "127.0.0.1", binding.HostIP, "requests from other machines must not reach it")
			}
		}
		switch {
		case published:
			assert.Equal(t, 2, bound)
		case run.networks.direct:
			assert.Zero(t, bound)
		}
	}
}

// assertFederates asserts that the server's federation port completes a TLS handshake.
func assertFederates(t *testing.T, run *Runtime, server runtime.Server) {
	t.Helper()
	connection, err := tls.Dial("tcp", server.FederationAddress(), &tls.Config{RootCAs: run.options.Authority.Pool(), ServerName: server.Name()})
	if assert.NoError(t, err) {
		assert.NoError(t, connection.Close())
	}
}

func TestReadyIncludesTheFederationPort(t *testing.T) {
	run := newRuntime(t, Options{Complement: complement.Options{Environment: []string{"MODE=late"}}})
	server := start(t, run, "d1", "hs1")
	assertFederates(t, run, server)
	for _, end := range []func(context.Context) error{server.Stop, server.Kill} {
		require.NoError(t, end(t.Context()))
		require.NoError(t, server.Start(t.Context()))
		assertFederates(t, run, server)
	}
}

func TestReadinessFollowsNoRedirect(t *testing.T) {
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	run := newRuntime(t, Options{Complement: complement.Options{
		SpawnTimeout: 10 * time.Second, Environment: []string{"MODE=redirecting", "REDIRECT=" + elsewhere.URL},
	}})
	_, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	assert.ErrorContains(t, err, `a redirect (status 302, not followed) within 10s: to "`+elsewhere.URL+`"`)
	assert.Zero(t, followed.Load(), "the redirect was followed")
}

func TestOnlyTheDefaultBoundIsExtended(t *testing.T) {
	for name, each := range map[string]struct {
		chosen, startTook time.Duration
		want              readiness.Bound
	}{
		"quiet":         {0, usualStart, readiness.Bound{Limit: 30 * time.Second}},
		"30 s, busy":    {30 * time.Second, 20 * usualStart, readiness.Bound{Limit: 30 * time.Second}},
		"another, busy": {5 * time.Second, 20 * usualStart, readiness.Bound{Limit: 5 * time.Second}},
		"busy": {0, 3300 * usualStart / 1000, readiness.Bound{Limit: 99 * time.Second, Why: "30s, and 1m9s more because this machine is " +
			"busy: the engine took 1.7s instead of 500ms to start the container; set COMPLEMENT_SPAWN_HS_TIMEOUT_SECS for a fixed time"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Runtime{options: Options{Complement: complement.Options{SpawnTimeout: each.chosen}}}
			assert.Equal(t, each.want, r.bound(each.startTook))
		})
	}
	r := &Runtime{}
	assert.Equal(t, 2*time.Minute, r.bound(time.Hour).Limit, "fourfold at most")
}

func TestStartErrorsSayWhy(t *testing.T) {
	for mode, want := range map[string]struct {
		timeout time.Duration
		late    bool
		cause   string
	}{
		"exit": {time.Hour, false, "exited with status 3 before it was ready"},
		"done": {time.Hour, false, `exited with status 0 before it was ready: the command of its image, ["/homeserver"], exited by itself, ` +
			"but a homeserver must run until it is stopped"},
		"silent": {3 * time.Second, true, "did not answer GET /_matrix/client/versions on port 8008 within 3s"},
		// This is long enough for a program to start on a busy machine.
		"clients-only": {10 * time.Second, true, "answered clients on port 8008, but did not accept federation connections on port 8448 within 10s"},
	} {
		t.Run(mode, func(t *testing.T) {
			run := newRuntime(t, Options{
				Complement: complement.Options{SpawnTimeout: want.timeout, Environment: []string{"MODE=" + mode}},
			})
			_, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
			var startError *runtime.StartError
			require.ErrorAs(t, err, &startError)
			assert.Contains(t, startError.Cause, want.cause)
			assert.Equal(t, want.late, startError.Took() >= want.timeout)
			assert.Equal(t, "fake@1", startError.Candidate)
			assert.Contains(t, startError.LogTail, "starting as hs1.d1.msc4014.test")
		})
	}
}

// derivedImage builds an image from the homeserver's, with more lines of a Dockerfile.
func derivedImage(t *testing.T, name, lines string) string {
	t.Helper()
	cli := connect(t)
	reference := homeserverImage(t, cli) + "-" + name
	dockerfile := "FROM " + homeserverImage(t, cli) + "\n" + lines + "\n"
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	require.NoError(t, writer.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(dockerfile))}))
	_, err := io.WriteString(writer, dockerfile)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	answer, err := cli.ImageBuild(t.Context(), &archive,
		build.ImageBuildOptions{Version: build.BuilderV1, Tags: []string{reference}, Remove: true, ForceRemove: true})
	require.NoError(t, err)
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.NotContains(t, string(said), `"error"`)
	t.Cleanup(func() {
		_, err := cli.ImageRemove(context.Background(), reference, image.RemoveOptions{PruneChildren: true})
		assert.NoError(t, err)
	})
	return reference
}

func TestAnImageWithoutAProgramIsRefused(t *testing.T) {
	none := derivedImage(t, "without-a-program", "ENTRYPOINT []")
	_, err := New(t.Context(), runtime.Artifact{Image: none}, Options{Session: newSession(t), Authority: testAuthority(t)})
	require.ErrorContains(t, err, "the image "+none+" has no program to start: its Dockerfile has neither ENTRYPOINT nor CMD")

	missing := derivedImage(t, "with-a-missing-program", `ENTRYPOINT ["/nothing"]`)
	run := newRuntime(t, Options{ByHost: map[string]runtime.Artifact{"hs2": {Candidate: "other@2", Image: missing}}})
	_, err = run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs2"})
	require.ErrorContains(t, err, `could not be started: the command of its image, ["/nothing"], `+
		"does not exist, is not executable, or is for another architecture: ")
}

func TestHealthCheckIsAwaited(t *testing.T) {
	reference := derivedImage(t, "checked", `HEALTHCHECK --interval=1s CMD ["/homeserver", "check"]`)

	// It is the image of one server of the blueprint, which is then another candidate.
	byHost := map[string]runtime.Artifact{"hs2": {Candidate: "other@2", Image: reference}}
	settings := complement.Options{SpawnTimeout: 2 * time.Second}
	settings.Environment = []string{"MODE=unhealthy"}
	run := newRuntime(t, Options{Complement: settings, ByHost: byHost})
	_, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs2"})
	var startError *runtime.StartError
	require.ErrorAs(t, err, &startError)
	assert.Contains(t, startError.Cause, "did not become healthy (the HEALTHCHECK of its image) within 2s")
	assert.Equal(t, "other@2", startError.Candidate)
	require.NoError(t, run.Close(t.Context()))

	settings.Environment, settings.SpawnTimeout = nil, time.Minute
	run = newRuntime(t, Options{Complement: settings, ByHost: byHost})
	start(t, run, "d1", "hs1")
	start(t, run, "d1", "hs2")
}

func TestMountsAndLimits(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "note"), []byte("from the host"), 0o644))
	run := newRuntime(t, Options{Complement: complement.Options{
		HostMounts: []complement.HostMount{{HostPath: folder, ContainerPath: "/host", ReadOnly: true}},
		CPUs:       1.5, Memory: 256 << 20,
	}})
	server := start(t, run, "d1", "hs1")
	text, err := ask(t, server, "/file", "path", "/host/note")
	require.NoError(t, err)
	assert.Equal(t, "from the host", text)
	_, err = ask(t, server, "/write", "path", "/host/note", "text", "x")
	require.ErrorContains(t, err, "read-only")

	contained, can := server.(runtime.Contained)
	require.True(t, can)
	details, err := run.engine.ContainerInspect(t.Context(), contained.ContainerID())
	require.NoError(t, err)
	assert.EqualValues(t, 1_500_000_000, details.HostConfig.NanoCPUs)
	assert.EqualValues(t, 256<<20, details.HostConfig.Memory)
	for _, label := range []string{session.LabelRun, session.LabelHost, session.LabelState, session.LabelPID, session.LabelLease} {
		assert.NotEmpty(t, details.Config.Labels[label], label)
	}
	objects, err := engine.List(t.Context(), run.engine, session.LabelRun+"="+run.options.Session.ID)
	require.NoError(t, err)
	var kinds []string
	for _, object := range objects {
		kinds = append(kinds, object.Kind)
		if object.Kind == "network" {
			assert.Equal(t, run.artifacts.Main.Image, object.Labels[engine.LabelImages], "the label keeps the image from being removed")
		}
	}
	assert.ElementsMatch(t, []string{"container", "network", "network", "volume", "volume"}, kinds)
}

// TestOutOfMemory: a container that the kernel ends because it needs more than its bound was not killed from outside.
func TestOutOfMemory(t *testing.T) {
	run := newRuntime(t, Options{Complement: complement.Options{Memory: 64 << 20}})
	server := start(t, run, "d1", "hs1")
	_, err := ask(t, server, "/greedy")
	require.Error(t, err)
	select {
	case <-server.Exited():
	case <-time.After(time.Minute):
		t.Fatal("the server did not end")
	}
	text, killed := server.Ending()
	assert.Equal(t, "exited with status 137 (the kernel ended it: its container was out of memory, with a bound of 64 MiB; "+
		"COMPLEMENT_CONTAINER_MEMORY sets another)", text)
	assert.False(t, killed)
}

func TestConfiguration(t *testing.T) {
	server := start(t, newRuntime(t, Options{}), "d1", "hs1")
	configured, can := server.(runtime.Configured)
	require.True(t, can)
	_, _, err := configured.Configuration(t.Context())
	require.ErrorContains(t, err, "/data/homeserver.conf")
	_, err = ask(t, server, "/write", "path", "/data/homeserver.conf", "text", "registration: open")
	require.NoError(t, err)
	name, text, err := configured.Configuration(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "homeserver.conf", name)
	assert.Equal(t, "registration: open", string(text))
}

func TestBadInput(t *testing.T) {
	connect(t)
	run := newSession(t)
	_, err := New(t.Context(), runtime.Artifact{Image: "msc4014-no-such-image:none"}, Options{Session: run, Authority: testAuthority(t)})
	require.ErrorContains(t, err, "docker pull msc4014-no-such-image:none")

	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	_, err = New(t.Context(), runtime.Artifact{Image: "x"}, Options{Session: run, Authority: testAuthority(t)})
	require.ErrorContains(t, err, "no container engine answers at unix:///nowhere/docker.sock")
}

// If the engine refuses a setting, the user can recognize it only by its variable.
func TestErrorsNameTheVariable(t *testing.T) {
	reference := homeserverImage(t, connect(t))
	for variable, environment := range map[string][]string{
		"COMPLEMENT_BASE_IMAGE_HS2": {"COMPLEMENT_BASE_IMAGE_HS2=msc4014-no-such-image"},
		"COMPLEMENT_BASE_IMAGE":     {"COMPLEMENT_BASE_IMAGE_HS1=" + reference, "COMPLEMENT_BASE_IMAGE=msc4014-no-such-image"},
	} {
		settings, err := complement.FromEnvironment(environment)
		require.NoError(t, err)
		_, err = New(t.Context(), runtime.Artifact{Image: reference}, Options{
			Session: newSession(t), Authority: testAuthority(t), Complement: settings,
			ByHost: map[string]runtime.Artifact{"hs2": {Image: "msc4014-no-such-image:latest"}},
		})
		assert.ErrorContains(t, err, variable+`="msc4014-no-such-image:latest": the engine does not have the image`)
	}

	run := newRuntime(t, Options{Complement: complement.Options{CPUs: 4000}})
	_, err := run.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	require.ErrorContains(t, err, "(with COMPLEMENT_CONTAINER_CPU_CORES set): ")
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
