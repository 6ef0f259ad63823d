package process

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"msc4014/runtime"
	"msc4014/runtime/authority"
)

// recorder records processes in memory.
type recorder struct {
	mutex    sync.Mutex
	recorded map[int]bool
}

func (r *recorder) RecordProcess(pid int) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.recorded == nil {
		r.recorded = map[int]bool{}
	}
	r.recorded[pid] = true
	return nil
}

func (r *recorder) ForgetProcess(pid int) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.recorded, pid)
	return nil
}

func (r *recorder) count() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.recorded)
}

// sharedAuthority is created once, as generating its key is slow under the race detector.
var sharedAuthority = sync.OnceValues(func() (*authority.Authority, error) {
	return authority.New(filepath.Join(testDir, "ca"))
})

func playing(t *testing.T, play string, change ...func(*Options)) *Runtime {
	t.Helper()
	ca, err := sharedAuthority()
	require.NoError(t, err)
	options := Options{
		SessionDir: t.TempDir(), Authority: ca,
		Recorder: &recorder{}, SpawnTimeout: 20 * time.Second, Environment: []string{playVariable + "=" + play},
	}
	for _, change := range change {
		change(&options)
	}
	r, err := New(runtime.Artifact{Candidate: "fake@1", Program: os.Args[0]}, options)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close(context.Background())) })
	return r
}

func start(t *testing.T, r *Runtime, host string) runtime.Server {
	t.Helper()
	s, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: host})
	require.NoError(t, err)
	return s
}

func closed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

func answers(s runtime.Server) bool {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(s.ClientURL() + "/_matrix/client/versions")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

func TestLifeOfAServer(t *testing.T) {
	r := playing(t, "ready")
	ctx := t.Context()
	s := start(t, r, "hs1")
	recorded := r.options.Recorder.(*recorder)
	assert.Equal(t, "hs1", s.Host())
	assert.Equal(t, "http://"+s.Name()+":8008", s.ClientURL())
	assert.Equal(t, s.Name()+":8448", s.FederationAddress())
	assert.Equal(t, 1, recorded.count())
	first := s.Exited()

	require.NoError(t, s.Stop(ctx))
	assert.False(t, answers(s))
	assert.False(t, closed(first), "it was stopped")
	assert.Zero(t, recorded.count())
	require.NoError(t, s.Start(ctx))
	assert.ErrorContains(t, s.Start(ctx), "already running")
	require.NoError(t, s.Kill(ctx))
	require.NoError(t, s.Kill(ctx), "a second Kill is harmless")
	require.NoError(t, s.Start(ctx))

	data, err := os.ReadFile(filepath.Join(r.options.SessionDir, "servers", "d1-hs1", "data", "starts"))
	require.NoError(t, err)
	assert.Equal(t, "start\nstart\nstart\n", string(data), "its data survives a restart")
	assert.Len(t, strings.Split(s.Log(0), "\n"), 3)
	assert.Equal(t, "server "+s.Name()+" plays ready", s.Log(1))

	require.NoError(t, s.Pause(ctx))
	client := http.Client{Timeout: 100 * time.Millisecond}
	_, err = client.Get(s.ClientURL() + "/_matrix/client/versions")
	assert.Error(t, err)
	require.NoError(t, s.Resume(ctx))
	assert.True(t, answers(s))

	assert.ErrorIs(t, s.CutOff(ctx), runtime.ErrNotPossible)
	assert.ErrorIs(t, s.Rejoin(ctx), runtime.ErrNotPossible)

	require.NoError(t, s.Remove(ctx))
	assert.False(t, answers(s))
	assert.NoDirExists(t, filepath.Join(r.options.SessionDir, "servers", "d1-hs1", "data"))
	assert.ErrorContains(t, s.Start(ctx), "removed")
	assert.ErrorContains(t, s.Pause(ctx), "not running")
	assert.NotEmpty(t, s.Log(0))
}

func TestEphemeralServersAreStartedOnce(t *testing.T) {
	r := playing(t, "ready")
	ephemeral, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1", Ephemeral: true})
	require.NoError(t, err)
	for value, s := range map[string]runtime.Server{"true": ephemeral, "false": start(t, r, "hs2")} {
		inherited, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.(*server).life().command.Process.Pid))
		require.NoError(t, err)
		assert.Contains(t, strings.Split(string(inherited), "\x00"), runtime.EphemeralVariable+"="+value)
	}
	require.NoError(t, ephemeral.Stop(t.Context()))
	assert.ErrorIs(t, ephemeral.Start(t.Context()), runtime.ErrEphemeral)
}

func TestServersLearnWhetherTheyNeedSendPresence(t *testing.T) {
	r := playing(t, "ready")
	without, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1", NoPresence: true})
	require.NoError(t, err)
	for value, s := range map[string]runtime.Server{"false": without, "true": start(t, r, "hs2")} {
		inherited, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.(*server).life().command.Process.Pid))
		require.NoError(t, err)
		assert.Contains(t, strings.Split(string(inherited), "\x00"), runtime.PresenceVariable+"="+value)
	}
}

func TestExitIsNoticedAtOnce(t *testing.T) {
	r := playing(t, "ready")
	s := start(t, r, "hs1")
	_, err := http.Get(s.ClientURL() + "/die")
	assert.Error(t, err)
	select {
	case <-s.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("it was not noticed")
	}
	assert.Equal(t, "dying", s.Log(1))
	require.NoError(t, s.Start(t.Context()))
	assert.False(t, closed(s.Exited()), "a new start")
}

func TestFailedStarts(t *testing.T) {
	const timeout = 15 * time.Second // long enough for five programs to start on a busy machine
	for play, want := range map[string]string{
		"exit":         "exited with status 3 before it was ready",
		"silent":       "did not answer GET /_matrix/client/versions on port 8008 within 15s: dial tcp",
		"unready":      "answered GET /_matrix/client/versions only with status 503 within 15s",
		"hanging":      "did not answer GET /_matrix/client/versions on port 8008 within 15s",
		"clients only": "answered clients on port 8008, but did not accept federation connections on port 8448 within 15s: dial tcp",
	} {
		t.Run(play, func(t *testing.T) {
			t.Parallel()
			limit := timeout
			if play == "exit" {
				limit = time.Hour
			}
			r := playing(t, play, func(o *Options) { o.SpawnTimeout = limit })
			_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
			var failure *runtime.StartError
			require.ErrorAs(t, err, &failure)
			assert.Contains(t, failure.Cause, want)
			assert.Equal(t, "fake@1", failure.Candidate)
			assert.Equal(t, "d1-hs1", failure.Server)
			assert.Equal(t, play != "exit", failure.Took() >= timeout)
			assert.Contains(t, failure.LogTail, "plays "+play)
			if play == "exit" {
				assert.Contains(t, failure.LogTail, "cannot open the database")
				assert.Less(t, failure.Waited, limit, "noticed immediately")
			}
			assert.Zero(t, r.options.Recorder.(*recorder).count(), "nothing is left running")
		})
	}
}

func TestReadyIncludesTheFederationPort(t *testing.T) {
	r := playing(t, "late")
	s := start(t, r, "hs1").(*server)
	assertFederates := func(when string) {
		t.Helper()
		connection, err := tls.Dial("tcp", s.FederationAddress(), &tls.Config{RootCAs: r.options.Authority.Pool()})
		if assert.NoError(t, err, when) {
			assert.NoError(t, connection.Close())
		}
	}
	assertFederates("first start")
	for name, end := range map[string]func(context.Context) error{"stopped": s.Stop, "killed": s.Kill} {
		require.NoError(t, end(t.Context()))
		require.NoError(t, s.Start(t.Context()))
		assertFederates("started again after it was " + name)
	}
}

func TestReadinessFollowsNoRedirect(t *testing.T) {
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	r := playing(t, "redirecting", func(o *Options) {
		o.SpawnTimeout = 15 * time.Second
		o.Environment = append(o.Environment, "REDIRECT="+elsewhere.URL)
	})
	_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	assert.ErrorContains(t, err, `a redirect (status 302, not followed) within 15s: to "`+elsewhere.URL+`"`)
	assert.Zero(t, followed.Load(), "the redirect was followed")
}

func TestProgramMissing(t *testing.T) {
	r := playing(t, "ready")
	r.artifacts.Main.Program = filepath.Join(t.TempDir(), "no-such-program")
	_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	var failure *runtime.StartError
	require.ErrorAs(t, err, &failure)
	assert.Contains(t, failure.Cause, "no-such-program")
}

func TestEachHostHasItsOwnArtifact(t *testing.T) {
	r := playing(t, "ready", func(o *Options) {
		o.ByHost = map[string]runtime.Artifact{
			"hs2": {Candidate: "other@2", Program: os.Args[0], Configuration: "starts"},
			"hs3": {Candidate: "other@3", Program: filepath.Join(t.TempDir(), "no-such-program")},
		}
	})
	for host, configuration := range map[string]string{"hs1": "", "hs2": "starts"} {
		name, _, err := start(t, r, host).(runtime.Configured).Configuration(t.Context())
		require.NoError(t, err)
		assert.Equal(t, configuration, name, host)
	}
	_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs3"})
	var failure *runtime.StartError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "other@3", failure.Candidate)
	assert.Contains(t, failure.Cause, "no-such-program")
}

func TestArtifactsHaveVariablesForTheirServers(t *testing.T) {
	r := playing(t, "silent", func(o *Options) { o.Environment = append(o.Environment, "SHARED=yes") })
	r.artifacts.Main.Environment = []string{playVariable + "=ready", "CHOSEN=this", "SERVER_NAME=wrong"}
	s := start(t, r, "hs1").(*server)
	inherited, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.life().command.Process.Pid))
	require.NoError(t, err)
	variables := strings.Split(string(inherited), "\x00")
	for _, variable := range []string{playVariable + "=ready", "CHOSEN=this", "SHARED=yes", "SERVER_NAME=" + s.Name()} {
		assert.Contains(t, variables, variable)
	}
	assert.NotContains(t, variables, "SERVER_NAME=wrong")
}

func TestStartEndsWithItsContext(t *testing.T) {
	r := playing(t, "silent")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := r.Start(ctx, runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, r.options.Recorder.(*recorder).count())
}

func TestStopKillsAServerThatIgnoresSIGTERM(t *testing.T) {
	r := playing(t, "deaf", func(o *Options) { o.StopTimeout = 50 * time.Millisecond })
	s := start(t, r, "hs1")
	require.NoError(t, s.Stop(t.Context()))
	assert.False(t, answers(s))
}

func TestStopResumesAPausedServer(t *testing.T) {
	r := playing(t, "ready", func(o *Options) { o.StopTimeout = time.Hour })
	s := start(t, r, "hs1")
	require.NoError(t, s.Pause(t.Context()))
	require.NoError(t, s.Stop(t.Context()))
	assert.False(t, closed(s.Exited()))
}

func TestChildrenOfAServerEndWithIt(t *testing.T) {
	r := playing(t, "child")
	s := start(t, r, "hs1")
	var child int
	_, err := fmt.Sscanf(s.Log(1), "child %d", &child)
	require.NoError(t, err, s.Log(0))
	_, err = http.Get(s.ClientURL() + "/die") // exits by itself, not by a signal
	require.Error(t, err)
	<-s.Exited()
	assert.Eventually(t, func() bool { return !alive(child) }, 10*time.Second, 5*time.Millisecond)
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestCloseEndsEverything(t *testing.T) {
	r := playing(t, "ready")
	one, two := start(t, r, "hs1"), start(t, r, "hs2")
	require.NoError(t, r.Close(t.Context()))
	assert.False(t, answers(one))
	assert.False(t, answers(two))
	assert.False(t, closed(one.Exited()))
	assert.ErrorContains(t, one.Start(t.Context()), "the run is over")
	_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs3"})
	assert.ErrorContains(t, err, "the run is over")
	socket, err := net.Listen("tcp4", join(fmt.Sprintf("127.%d.255.254", r.lease.octet), federationPort))
	require.NoError(t, err, "the addresses are released")
	_ = socket.Close()
}

func TestCloseDoesNotWaitForAStart(t *testing.T) {
	r := playing(t, "silent", func(o *Options) { o.SpawnTimeout = time.Hour })
	done := make(chan error, 1)
	go func() {
		_, err := r.Start(context.Background(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
		done <- err
	}()
	require.Eventually(t, func() bool { return r.options.Recorder.(*recorder).count() == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, r.Close(t.Context()))
	assert.Error(t, <-done)
	assert.Zero(t, r.options.Recorder.(*recorder).count())
}

// For the kernel, a child's parent is a thread; the child must not die with the thread that requested it.
func TestServersOutliveThreads(t *testing.T) {
	r := playing(t, "ready")
	var servers []runtime.Server
	var group sync.WaitGroup
	var mutex sync.Mutex
	for i := range 4 {
		group.Go(func() {
			goruntime.LockOSThread() // and never unlocked: the thread ends with this goroutine
			s, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: fmt.Sprintf("hs%d", i)})
			assert.NoError(t, err)
			mutex.Lock()
			defer mutex.Unlock()
			servers = append(servers, s)
		})
	}
	group.Wait()
	for _, s := range servers {
		assert.True(t, answers(s))
		assert.False(t, closed(s.Exited()))
	}
}

func TestServersDieWithTheSuite(t *testing.T) {
	dir := t.TempDir()
	suite := exec.Command(os.Args[0])
	suite.Env = append(os.Environ(), playVariable+"=suite", "MSC4014_TEST_DIR="+dir)
	suite.Stderr = os.Stderr
	output, err := suite.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, suite.Start())
	defer func() { _ = suite.Process.Kill() }()
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(line, &pid)
	require.NoError(t, err)
	require.True(t, alive(pid))

	require.NoError(t, suite.Process.Signal(unix.SIGKILL))
	assert.Error(t, suite.Wait())
	assert.Eventually(t, func() bool { return !alive(pid) }, 10*time.Second, 5*time.Millisecond)
}

func TestNewRefuses(t *testing.T) {
	ca := &authority.Authority{}
	_, err := New(runtime.Artifact{Candidate: "image:x", Image: "x"}, Options{SessionDir: "x", Authority: ca})
	assert.ErrorContains(t, err, "image:x was not prepared for the process runtime")
	_, err = New(runtime.Artifact{Program: "x"}, Options{SessionDir: "x", Authority: ca, ByHost: map[string]runtime.Artifact{
		"hs2": {Candidate: "image:y", Image: "y"},
	}})
	assert.ErrorContains(t, err, "image:y was not prepared for the process runtime")
	_, err = New(runtime.Artifact{Program: "x"}, Options{Authority: ca})
	assert.ErrorContains(t, err, "session folder")
	_, err = New(runtime.Artifact{Program: "x"}, Options{SessionDir: "x"})
	assert.ErrorContains(t, err, "certificate authority")
}

func TestRecorderThatFails(t *testing.T) {
	r := playing(t, "ready", func(o *Options) { o.Recorder = broken{} })
	_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	var failure *runtime.StartError
	require.ErrorAs(t, err, &failure)
	assert.Contains(t, failure.Cause, "disk full")
	for s := range r.servers {
		assert.True(t, s.life().hasEnded(), "a process that cannot be recorded must not run")
	}
}

type broken struct{}

func (broken) RecordProcess(int) error { return errors.New("disk full") }
func (broken) ForgetProcess(int) error { return nil }
