// One homeserver: its process, and operations on it.

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"msc4014/runtime"
)

// server is one homeserver. The mutex control serializes operations on it; state guards what is read during them.
type server struct {
	runtime   *Runtime
	artifact  runtime.Artifact
	label     string // "d1-hs1": unique in the run
	host      string
	address   string // its name
	dir       string
	ephemeral bool // started only once
	presence  bool // sent to other servers

	control sync.Mutex
	state   sync.Mutex
	current *life // nil before the first start
	removed bool
}

// life is one start of the server, from the beginning of its process to the end.
type life struct {
	command  *exec.Cmd
	logStart int64         // the offset in the file where its log begins
	ended    chan struct{} // closed when the process has been waited for
	exited   chan struct{} // closed when it has ended unexpectedly
	status   string        // "exited with status 1"; set before ended is closed

	// Guarded by the server's state:
	stopping bool // it was requested to end
	dead     bool // must not be signalled any more: its process ID may be reused
}

var errRemoved = errors.New("the server was removed")

func (s *server) Name() string              { return s.address }
func (s *server) Host() string              { return s.host }
func (s *server) ClientURL() string         { return "http://" + join(s.address, clientPort) }
func (s *server) FederationAddress() string { return join(s.address, federationPort) }
func (s *server) dataDir() string           { return filepath.Join(s.dir, "data") }
func (s *server) registrationsDir() string  { return filepath.Join(s.dir, "appservice") }
func (s *server) logPath() string           { return filepath.Join(s.dir, "server.log") }

// Configuration returns the file that the artifact names, in the server's data folder.
func (s *server) Configuration(context.Context) (name string, text []byte, err error) {
	name = s.artifact.Configuration
	if name == "" {
		return "", nil, nil
	}
	text, err = os.ReadFile(filepath.Join(s.dataDir(), name))
	if err != nil {
		return "", nil, fmt.Errorf("read the configuration of %s: %w", s.label, err)
	}
	return name, text, nil
}

// Exited is closed when the server exits unexpectedly.
func (s *server) Exited() <-chan struct{} {
	if life := s.life(); life != nil {
		return life.exited
	}
	return nil
}

func (s *server) life() *life {
	s.state.Lock()
	defer s.state.Unlock()
	return s.current
}

func (l *life) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// Start starts the server, with its data if it ran before, and returns when it is ready. The server keeps its name.
func (s *server) Start(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	if life := s.life(); life != nil && !life.hasEnded() {
		return fmt.Errorf("start %s: it is already running", s.label)
	}
	if s.removed {
		return fmt.Errorf("start %s: %w", s.label, errRemoved)
	}
	if s.ephemeral && s.life() != nil {
		return fmt.Errorf("start %s again: %w", s.label, runtime.ErrEphemeral)
	}
	started := time.Now()
	life, err := s.launch()
	if err != nil {
		return startError(s.artifact.Candidate, s.label, time.Since(started), "could not be started: "+err.Error(), "")
	}
	cause, late := s.waitUntilReady(ctx, life)
	if cause == "" {
		return nil
	}
	waited := time.Since(started)
	// A failed start leaves nothing running, even if ctx has ended.
	_ = s.end(context.WithoutCancel(ctx), unix.SIGKILL)
	tail := runtime.LastLines(readFrom(s.logPath(), life.logStart), 50)
	failure := startError(s.artifact.Candidate, s.label, waited, cause, tail)
	failure.Late = late
	if err := ctx.Err(); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

// launch starts the process, and a goroutine that waits for its end.
func (s *server) launch() (*life, error) {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	info, err := log.Stat()
	if err != nil {
		return nil, err
	}
	command := exec.Command(s.artifact.Program)
	command.Dir = s.dataDir()
	command.Env = s.environment()
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{s.runtime.lease.shared} // keeps the lease while the server lives
	command.SysProcAttr = childAttributes()
	if err := s.runtime.spawner.start(command); err != nil {
		return nil, err
	}
	life := &life{
		command: command, logStart: info.Size(), ended: make(chan struct{}), exited: make(chan struct{}),
	}
	if recorder := s.runtime.options.Recorder; recorder != nil {
		err = recorder.RecordProcess(command.Process.Pid)
	}
	s.state.Lock()
	s.current = life
	s.state.Unlock()
	go s.attend(life)
	if err != nil && !errors.Is(err, os.ErrProcessDone) { // if it has already ended, its log says why
		_ = s.end(context.Background(), unix.SIGKILL)
		return nil, err
	}
	return life, nil
}

// attend waits for the end of the process, and records it.
func (s *server) attend(life *life) {
	pid := life.command.Process.Pid
	waitForEnd(pid) // it is now a zombie, and keeps its process ID until it is waited for
	s.state.Lock()
	life.dead = true
	_ = unix.Kill(-pid, unix.SIGKILL) // its remaining children
	s.state.Unlock()
	_ = life.command.Wait() // the result is in ProcessState
	if recorder := s.runtime.options.Recorder; recorder != nil {
		_ = recorder.ForgetProcess(pid) // a stale record is harmless: its start time differs from a later process's
	}
	s.state.Lock()
	defer s.state.Unlock()
	life.status = describe(life.command.ProcessState)
	close(life.ended)
	if !life.stopping {
		close(life.exited)
	}
}

// environment returns only what a server needs, as the suite's own environment may hold secrets such as tokens.
func (s *server) environment() []string {
	var environment []string
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	environment = append(environment, s.runtime.options.Environment...)
	environment = append(environment, s.artifact.Environment...)
	return append(environment, // the last value of a variable takes effect
		"SERVER_NAME="+s.address,
		"MSC4014_CA_DIR="+s.runtime.options.Authority.Dir(),
		"MSC4014_DATA_DIR="+s.dataDir(),
		runtime.RegistrationsVariable+"="+s.registrationsDir(),
		fmt.Sprintf("%s=%t", runtime.EphemeralVariable, s.ephemeral),
		fmt.Sprintf("%s=%t", runtime.PresenceVariable, s.presence),
		"MSC4014_PROGRAM_DIR="+filepath.Dir(s.artifact.Program),
		"MSC4014_HTTP_ADDRESS="+join(s.address, clientPort),
		"MSC4014_HTTPS_ADDRESS="+join(s.address, federationPort),
	)
}

// Stop asks the server to exit, and kills it if it does not within the grace period. Its data stays.
func (s *server) Stop(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	return s.end(ctx, unix.SIGTERM)
}

// Kill kills the server. Its data stays.
func (s *server) Kill(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	return s.end(ctx, unix.SIGKILL)
}

// end sends a signal and waits for the end; SIGKILL follows after the grace period or when ctx ends.
func (s *server) end(ctx context.Context, signal unix.Signal) error {
	life := s.life()
	if life == nil {
		return nil
	}
	s.state.Lock()
	life.stopping = true
	s.state.Unlock()
	if signal != unix.SIGKILL {
		s.signal(life, signal)
		s.signal(life, unix.SIGCONT) // a paused process must resume to handle it
		grace := time.NewTimer(s.runtime.options.StopTimeout)
		defer grace.Stop()
		select {
		case <-life.ended:
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	s.signal(life, unix.SIGKILL)
	// SIGKILL may not end a process that hangs in the kernel (on a broken disk). The run must not hang with it.
	stuck := time.NewTimer(10 * time.Second)
	defer stuck.Stop()
	select {
	case <-life.ended:
		return nil
	case <-stuck.C:
		return fmt.Errorf("%s (process %d) did not end within 10s of SIGKILL", s.label, life.command.Process.Pid)
	}
}

// signal signals the server's process group: a candidate may have children.
func (s *server) signal(life *life, signal unix.Signal) {
	s.state.Lock()
	defer s.state.Unlock()
	if !life.dead {
		_ = unix.Kill(-life.command.Process.Pid, signal)
	}
}

// Pause freezes the server: when it returns, none of its threads runs.
func (s *server) Pause(context.Context) error {
	return s.signalRunning("pause", unix.SIGSTOP, waitForStop)
}

// Resume lets a frozen server continue.
func (s *server) Resume(context.Context) error {
	return s.signalRunning("resume", unix.SIGCONT, func(int) {})
}

func (s *server) signalRunning(what string, signal unix.Signal, wait func(pid int)) error {
	s.control.Lock()
	defer s.control.Unlock()
	life := s.life()
	if life == nil || life.hasEnded() {
		return fmt.Errorf("cannot %s %s: it is not running", what, s.label)
	}
	s.signal(life, signal)
	wait(life.command.Process.Pid)
	return nil
}

// CutOff returns an error, as all processes share the loopback interface.
func (s *server) CutOff(context.Context) error {
	return fmt.Errorf("disconnect %s from the federation: %w: plain processes share one network", s.label, runtime.ErrNotPossible)
}

// Rejoin returns an error, as CutOff does.
func (s *server) Rejoin(context.Context) error {
	return fmt.Errorf("reconnect %s to the federation: %w: plain processes share one network", s.label, runtime.ErrNotPossible)
}

// Remove ends the server and removes its data. Its log stays in the session.
func (s *server) Remove(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	if err := s.end(ctx, unix.SIGKILL); err != nil {
		return err
	}
	s.removed = true
	s.runtime.forget(s)
	if err := os.RemoveAll(s.dataDir()); err != nil {
		return fmt.Errorf("remove the data of %s: %w", s.label, err)
	}
	return nil
}

// Log returns the last lines that the server wrote, across all its starts; lines <= 0 means all.
func (s *server) Log(lines int) string {
	const enough = 1 << 20 // how much of a long log is read to find its last lines
	from := int64(0)
	if info, err := os.Stat(s.logPath()); err == nil && lines > 0 {
		from = max(0, info.Size()-enough)
	}
	return runtime.LastLines(readFrom(s.logPath(), from), lines)
}

// endedBySignal begins the description of a process that was ended by a signal; the signal's name follows.
const endedBySignal = "was ended by signal "

// describe returns how a process ended: "exited with status 1", "was ended by signal killed".
func describe(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return endedBySignal + status.Signal().String()
	}
	return fmt.Sprintf("exited with status %d", state.ExitCode())
}
