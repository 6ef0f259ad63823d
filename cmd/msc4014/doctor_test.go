package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/system"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/report"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/docker/engine/enginetest"
	"msc4014/runtime/session"
)

func TestFindings(t *testing.T) {
	var text bytes.Buffer
	ready := writeFindings(&text, report.Style{}, []finding{
		{what: "a", ok: true, needed: true, text: "fine\x1b[2J"}, {what: "b", text: "would be nice"},
	})
	assert.True(t, ready)
	assert.Equal(t, "ok    a                fine\ufffd[2J\nnote  b                would be nice\n", text.String())
	assert.False(t, writeFindings(&text, report.Style{}, []finding{{what: "c", needed: true}}))
	assert.Equal(t, "1.5 GiB", size(3<<29))
	assert.Equal(t, "512 MiB", size(1<<29))
}

// doctorsEngine starts an engine that describes itself as described, and returns what doctor finds about it, by name.
func doctorsEngine(t *testing.T, answers map[string]any, objects ...enginetest.Object) (byName map[string]finding, work bool) {
	t.Helper()
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	fake := enginetest.Start(t, objects...)
	for path, body := range answers {
		fake.Answers(path, body)
	}
	findings, work := examineContainers(t.Context())
	byName = map[string]finding{}
	for _, each := range findings {
		byName[each.what] = each
	}
	return byName, work
}

// healthy is what an engine that runs as root says of itself.
func healthy() system.Info {
	return system.Info{
		MemoryLimit: true, PidsLimit: true, CPUCfsQuota: true, SystemTime: time.Now().Format(time.RFC3339Nano),
		SecurityOptions: []string{"name=seccomp,profile=default"},
	}
}

func TestDoctorWithoutAnEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	findings, work := examineContainers(t.Context())
	assert.False(t, work)
	require.Len(t, findings, 1)
	assert.False(t, findings[0].ok)
	assert.Contains(t, findings[0].text, "start it (systemctl start docker), or set DOCKER_HOST")

	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONTEXT", "remote")
	findings, work = examineContainers(t.Context())
	assert.False(t, work)
	require.Len(t, findings, 1)
	assert.Contains(t, findings[0].text, `contexts of the docker command, such as "remote", are not read: set DOCKER_HOST`)
}

func TestDoctorOnAnEngine(t *testing.T) {
	found, work := doctorsEngine(t, map[string]any{"/info": healthy()})
	assert.True(t, found["containers"].ok)
	assert.Contains(t, found["containers"].text, "engine 20.10.0 at tcp://127.0.0.1:")
	assert.Contains(t, found["containers"].text, "API 1.41, linux/amd64")
	assert.Equal(t, finding{what: "rootless", ok: true, text: "no, the engine runs as root"}, found["rootless"])
	assert.True(t, found["limits"].ok)
	assert.Equal(t, finding{what: "engine's clock", ok: true, text: "agrees with this machine's"}, found["engine's clock"])
	assert.NotContains(t, found, "engine's disk", "its paths are not this machine's")
	assert.False(t, work, "no container could be started")
	assert.Contains(t, found["peers"].text, "create the network")
	left, err := os.ReadDir(filepath.Join(os.Getenv("MSC4014_STATE_DIR"), "runs"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestDoctorOnAnOldOrSilentEngine(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.40")
	found, _ := doctorsEngine(t, nil)
	assert.False(t, found["containers"].ok)
	assert.Contains(t, found["containers"].text, "tested with API 1.41 and newer: upgrade to Docker 20.10 or newer")
	assert.False(t, found["engine"].ok)
	assert.Contains(t, found["engine"].text, "does not describe itself (docker info)")

	found, work := doctorsEngine(t, map[string]any{"/version": "nonsense"})
	assert.False(t, work)
	assert.Len(t, found, 1)
	assert.Contains(t, found["containers"].text, "does not report its version")
	assert.Contains(t, found["containers"].text, "restart it")
}

func TestDoctorNamesPodman(t *testing.T) {
	found, _ := doctorsEngine(t, map[string]any{"/version": map[string]any{
		"Version": "4.3.1", "Components": []map[string]string{{"Name": "Podman Engine", "Version": "4.3.1"}},
	}})
	assert.Contains(t, found["containers"].text, "Podman 4.3.1 at ")
}

func TestDoctorOnARootlessEngine(t *testing.T) {
	rootless := func(options ...string) map[string]any {
		return map[string]any{"/info": map[string]any{"SecurityOptions": options}}
	}
	podman := map[string]any{"/info": map[string]any{"Rootless": true, "SecurityOptions": []string{"name=seccomp,profile=default"}}}
	for _, answers := range []map[string]any{rootless("name=cgroupns", "name=rootless"), rootless("name=seccomp,profile=default,name=rootless"), podman} {
		found, _ := doctorsEngine(t, answers)
		assert.False(t, found["rootless"].ok)
		assert.Contains(t, found["rootless"].text, "set COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT (see peers), or use an engine that runs as root")
	}
	found, _ := doctorsEngine(t, rootless("name=rootlesskit"))
	assert.True(t, found["rootless"].ok)
	cli, err := engine.Connect(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, cli.Close()) }()
	reached := examineRootless(t.Context(), cli, system.Info{SecurityOptions: []string{"name=rootless"}}, false, true)
	assert.True(t, reached.ok)
	assert.Contains(t, reached.text, "peers have names with ports")
	unsteady := examineRootless(t.Context(), cli, system.Info{SecurityOptions: []string{"name=rootless"}}, true, true)
	assert.False(t, unsteady.ok)
	assert.Contains(t, unsteady.text, "do not judge servers with rootless Podman")
}

func TestDoctorOnLimits(t *testing.T) {
	info := healthy()
	info.PidsLimit, info.CPUCfsQuota = false, false
	found := examineLimits(info)
	assert.False(t, found.ok)
	assert.Contains(t, found.text, "cannot limit processes, CPU of containers")
	assert.Contains(t, found.text, "enable these cgroup controllers")
}

func TestDoctorComparesClocks(t *testing.T) {
	before := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	after := before.Add(time.Second)
	for said, want := range map[string]string{
		"2026-11-30T12:00:00.5Z":         "agrees",
		"2026-11-30T13:00:05+01:00":      "agrees",
		"2026-11-30T12:00:06Z":           "agrees",
		"2026-11-30T12:00:06.5Z":         "6s ahead of this machine's",
		"2026-11-30T11:59:50Z":           "10s behind this machine's",
		"2026-11-30T10:00:00Z":           "2h0m0s behind this machine's",
		"":                               `does not say what time it is ("")`,
		"\x1b[31myesterday":              `does not say what time it is ("\x1b[31myesterday")`,
		"2026-11-30T12:00:00.5Z\nfinest": "does not say what time it is",
	} {
		found := examineEngineClock(system.Info{SystemTime: said}, before, after)
		assert.Contains(t, found.text, want, "%q", said)
		assert.Equal(t, want == "agrees", found.ok, "%q", said)
		if found.ok || want[0] > '9' {
			continue
		}
		assert.Contains(t, found.text, "synchronize both with a time server")
	}
}

func TestDoctorOnThisClock(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	assert.True(t, examineClock(t.Context(), root, time.Now()).ok)
	assert.True(t, examineClock(t.Context(), t.TempDir(), time.Unix(0, 0)).ok, "nothing to compare with")
	if found := examineClock(t.Context(), root, time.Unix(0, 0)); assert.False(t, found.ok) {
		assert.Contains(t, found.text, "it is 1970-01-01T00:00:00Z, which is before this project's last commit")
		assert.Contains(t, found.text, "set the clock")
	}
}

func TestDoctorOnSpace(t *testing.T) {
	found := examineSpace("disk", []space{{"/a", 3 << 30}, {"/b", 1 << 30}})
	assert.Equal(t, finding{what: "disk", text: "3.0 GiB free at /a, 1.0 GiB free at /b; a first run builds images and needs 2.0 GiB: " +
		"free some space, or run ./run.sh clean --builds"}, found)
	assert.True(t, examineSpace("disk", []space{{"/a", 2 << 30}}).ok)
	_, exists := free("/no/such/folder")
	assert.False(t, exists)
	assert.NotEmpty(t, examineMemory().text)
}

func TestDoctorOnPorts(t *testing.T) {
	// Not at all addresses, where servers of other tests could not listen meanwhile.
	listener, err := net.Listen("tcp", "127.63.14.1:8008")
	if err != nil {
		t.Skipf("this test listens on port 8008 of the address that doctor tries: %v", err)
	}
	found := examinePorts()
	require.NoError(t, listener.Close())
	assert.False(t, found.ok)
	assert.Contains(t, found.text, "port 8008 is in use")
	assert.Contains(t, found.text, "ss -ltnp 'sport = :8008'")
	assert.True(t, examinePorts().ok)
}

func TestDoctorOnGo(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module msc4014\n\ngo 1.99.0\n"), 0o644))
	t.Setenv("GOTOOLCHAIN", "local")
	t.Setenv("PATH", t.TempDir())
	found := examineGo(t.Context(), root)
	assert.False(t, found.ok)
	assert.True(t, found.needed)
	assert.Contains(t, found.text, "install Go 1.99.0 or newer: https://go.dev/dl")
}

func TestDoctorOnBaseImages(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	programs := t.TempDir()
	for name, script := range map[string]string{"uname": "echo Linux", "id": "echo 1000"} { // not root
		require.NoError(t, os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))

	fake := enginetest.Start(t, enginetest.Object{Kind: "image", Name: "msc4014/debian:sid"})
	found := examineBases(t.Context(), root)
	assert.False(t, found.ok)
	assert.Contains(t, found.text, "msc4014/debian:sid (for synapse) is there")
	assert.Contains(t, found.text, "debian:bookworm-slim (for --with-clients) is missing, and no registry offers it (")
	assert.Contains(t, found.text, "it cannot be built here")
	assert.Contains(t, found.text, "run this once as root, or load the image")

	fake.Answers("/distribution/debian:bookworm-slim/json", map[string]any{"Descriptor": map[string]any{}})
	found = examineBases(t.Context(), root)
	assert.True(t, found.ok)
	assert.Contains(t, found.text, "debian:bookworm-slim (for --with-clients) will be pulled")

	require.NoError(t, os.WriteFile(filepath.Join(programs, "id"), []byte("#!/bin/sh\necho 0\n"), 0o755))
	enginetest.Start(t)
	found = examineBases(t.Context(), root)
	assert.True(t, found.ok)
	assert.Contains(t, found.text, "; --bootstrap-base builds it: debootstrap installs a minimal Debian sid")
	assert.Contains(t, found.text, "; --bootstrap-base builds it likewise")
}

func TestDoctorOnLeftovers(t *testing.T) {
	t.Setenv("MSC4014_STATE_DIR", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	assert.Equal(t, finding{what: "leftovers", ok: true, text: "none"}, examineLeftovers(t.Context()))

	kept, err := session.Open()
	require.NoError(t, err)
	require.NoError(t, kept.Keep())
	require.NoError(t, kept.Close())
	labels := map[string]string{session.LabelRun: "00000000aa", session.LabelHost: session.HostIdentity(), session.LabelState: "/elsewhere"}
	fake := enginetest.Start(t, enginetest.Object{Kind: "container", Name: "server", Labels: labels})
	fake.Pulls(func(w http.ResponseWriter, _ *http.Request) { t.Error("doctor pulls nothing") })
	found := examineLeftovers(t.Context())
	assert.False(t, found.ok)
	assert.Contains(t, found.text, "of runs with --keep ("+kept.ID+"): ./run.sh clean removes them")
	assert.Contains(t, found.text, "on other machines (00000000aa): ./run.sh clean --all removes them")
	assert.Equal(t, []string{"server"}, fake.Names())
}
