package candidate

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/docker/engine/enginetest"
)

// withPrograms puts shell scripts, by name, first in PATH.
func withPrograms(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// rootOnLinux has programs that make the script believe that this machine can build the image.
var rootOnLinux = map[string]string{"uname": "echo Linux", "id": "echo 0", "debootstrap": "exit 1", "gpgv": "exit 1"}

// base calls debianBase with a test's engine, and returns its result and progress lines.
func base(t *testing.T, allowed bool) (id string, lines []string, err error) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	engine, err := openEngine(t.Context())
	require.NoError(t, err)
	defer engine.close()
	id, err = engine.debianBase(t.Context(), &task{
		root: root, candidate: Candidate{Name: "synapse", Software: "synapse", BootstrapBase: allowed}, runtime: docker,
		progress: func(line string) { lines = append(lines, line) }, cache: ownCache(t),
	}, sid)
	return id, lines, err
}

func TestAnExistingBaseImageIsUsed(t *testing.T) {
	for _, name := range []string{sid.registryBase(), sid.ownBase()} {
		enginetest.Start(t, enginetest.Object{Kind: "image", Name: name})
		id, lines, err := base(t, false)
		require.NoError(t, err)
		assert.Equal(t, name, id)
		assert.Empty(t, lines)
	}
}

func TestAMissingBaseImageIsPulled(t *testing.T) {
	engine := enginetest.Start(t)
	engine.Pulls(func(w http.ResponseWriter, _ *http.Request) {
		engine.Add(enginetest.Object{Kind: "image", Name: sid.registryBase()})
		_, _ = w.Write([]byte(`{"status":"Pulling"}` + "\n" + `{"status":"Done"}`))
	})
	id, lines, err := base(t, false)
	require.NoError(t, err)
	assert.Equal(t, sid.registryBase(), id)
	assert.Equal(t, []string{"pulling " + sid.registryBase()}, lines)
}

func TestABaseImageIsBuiltOnlyIfAllowed(t *testing.T) {
	t.Setenv(ciVariable, "")
	withPrograms(t, rootOnLinux)
	engine := enginetest.Start(t)
	engine.Pulls(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"Pulling"}` + "\n" + `{"error":"toomanyrequests"}`))
	})
	_, lines, err := base(t, false)
	assert.ErrorContains(t, err, "the engine has neither debian:sid-slim nor msc4014/debian:sid")
	assert.ErrorContains(t, err, "toomanyrequests")
	assert.ErrorContains(t, err, "use --bootstrap-base to build msc4014/debian:sid from Debian's packages: debootstrap installs a minimal Debian")
	assert.ErrorContains(t, err, "nothing is installed on this machine")
	assert.Equal(t, []string{"pulling " + sid.registryBase()}, lines)

	if os.Geteuid() != 0 {
		t.Skip("the script needs root to continue")
	}
	// The program debootstrap of this test fails.
	_, lines, err = base(t, true)
	assert.ErrorContains(t, err, "base.sh make: exit status 1")
	assert.Contains(t, lines[2], "building msc4014/debian:sid from Debian's packages: debootstrap installs")
	assert.Equal(t, "building the base image msc4014/debian:sid", lines[3])
	t.Setenv(ciVariable, "true")
	_, _, err = base(t, false)
	assert.ErrorContains(t, err, "base.sh make: exit status 1")
}

func TestPullFromASilentRegistryTimesOut(t *testing.T) {
	engine := enginetest.Start(t)
	opened, err := openEngine(t.Context())
	require.NoError(t, err)
	defer opened.close()
	engine.Pulls(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	err = opened.pullWithin(t.Context(), sid.registryBase(), time.Millisecond, time.Minute)
	assert.EqualError(t, err, "no registry answered within 1ms")

	engine.Pulls(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"status":"Pulling"}` + "\n"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	err = opened.pullWithin(t.Context(), sid.registryBase(), time.Minute, time.Millisecond)
	assert.EqualError(t, err, "the registry sent nothing for 1ms")
}

func TestABaseImageIsNotBuiltAfterAnInterrupt(t *testing.T) {
	engine := enginetest.Start(t)
	opened, err := openEngine(t.Context())
	require.NoError(t, err)
	defer opened.close()
	interrupt := errors.New("interrupt")
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.Pulls(func(_ http.ResponseWriter, r *http.Request) {
		cancel(interrupt)
		<-r.Context().Done()
	})
	_, err = opened.debianBase(ctx, &task{progress: quiet, cache: ownCache(t), candidate: Candidate{BootstrapBase: true}}, sid)
	assert.ErrorIs(t, err, interrupt)
}

func TestBaseScriptRefuses(t *testing.T) {
	script := baseScript(filepath.Join("..", ".."))
	there := filepath.Join(t.TempDir(), "there.tar")
	require.NoError(t, os.WriteFile(there, nil, 0o644))
	for name, test := range map[string]struct {
		programs  map[string]string
		arguments []string
		status    int
		says      string
	}{
		"no command":         {nil, nil, 2, "usage: base.sh plan"},
		"an unknown command": {nil, []string{"--help"}, 2, "usage: base.sh plan"},
		"no suite":           {nil, []string{"plan"}, 2, "usage: base.sh plan"},
		"no name of a suite": {nil, []string{"plan", "--force"}, 2, "usage: base.sh plan"},
		"no file":            {nil, []string{"make", "sid"}, 2, "usage: base.sh plan"},
		"a file that exists": {rootOnLinux, []string{"make", "sid", there}, 1, "exists: remove it, or name another file"},
		"another system":     {map[string]string{"uname": "echo Darwin"}, []string{"plan", "sid"}, 1, "debootstrap runs on Linux only"},
		"another user":       {map[string]string{"uname": "echo Linux", "id": "echo 1000"}, []string{"make", "sid", "new.tar"}, 1, "debootstrap needs root"},
	} {
		t.Run(name, func(t *testing.T) {
			withPrograms(t, test.programs)
			output, err := exec.Command("/bin/sh", append([]string{script}, test.arguments...)...).CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, test.status, exit.ExitCode())
			assert.Contains(t, string(output), test.says)
		})
	}
}

func TestBaseScriptFindsTheMirrorAndTheProxyOfApt(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "mirrors.list")
	require.NoError(t, os.WriteFile(list, []byte("# ours\nhttps://mirror.example/debian/\tpriority:1\n"), 0o644))
	for name, test := range map[string]struct{ archives, proxy, mirror, says string }{
		"none":                          {"", "", standardMirror, ""},
		"one":                           {"https://m.example/debian/\n", "http://p.example:3128", "https://m.example/debian", "http://p.example:3128"},
		"the first of several":          {"http://a.example/debian\nhttp://b.example/debian\n", "", "http://a.example/debian", ""},
		"security is not a mirror":      {"http://a.example/debian-security/\n", "DIRECT", standardMirror, ""},
		"another distribution":          {"http://archive.ubuntu.com/ubuntu/\n", "false", standardMirror, ""},
		"one that cannot be reached":    {"cdrom:[Debian]/debian\nfile:/srv/debian\n", "", standardMirror, ""},
		"a list of mirrors":             {"mirror+file:" + list + "/\n", "", "https://mirror.example/debian", ""},
		"a list that is not there":      {"mirror+file:/nonexistent/\n", "", standardMirror, ""},
		"behind a cache, with a path":   {"http://localhost:3142/ftp.debian.org/debian/\n", "", "http://localhost:3142/ftp.debian.org/debian", ""},
		"something before a Debian one": {"https://nodes.example/node\nhttp://m.example:3142/debian/\n", "", "http://m.example:3142/debian", ""},
	} {
		t.Run(name, func(t *testing.T) {
			archives := filepath.Join(t.TempDir(), "archives")
			require.NoError(t, os.WriteFile(archives, []byte(test.archives), 0o644))
			withPrograms(t, map[string]string{"apt-get": "cat " + archives, "apt-config": "echo \"V='" + test.proxy + "'\""})
			command := exec.Command("/bin/sh", baseScript(filepath.Join("..", "..")), "sources")
			command.Env = append(os.Environ(), "http_proxy=")
			var complaints bytes.Buffer
			command.Stderr = &complaints
			output, err := command.Output()
			require.NoError(t, err)
			assert.Equal(t, test.mirror+"\n"+test.says+"\n", string(output))
			assert.Empty(t, complaints.String())
		})
	}
}

func TestReachableFromBuildLeavesOutLoopback(t *testing.T) {
	for name, test := range map[string]struct {
		mirror, proxy string
		arguments     map[string]string
	}{
		"standard": {standardMirror, "", map[string]string{"DEBIAN_MIRROR": standardMirror}},
		"of this house": {"http://mirror.example/debian", "http://proxy.example:3128", map[string]string{
			"DEBIAN_MIRROR": "http://mirror.example/debian", "http_proxy": "http://proxy.example:3128"}},
		"of this machine": {"http://localhost:3142/debian", "http://127.0.0.1:3128", map[string]string{
			"DEBIAN_MIRROR": standardMirror}},
	} {
		assert.Equal(t, test.arguments, reachableFromBuild(test.mirror, test.proxy), name)
	}
}
