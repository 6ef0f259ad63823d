// One homeserver, its process and what is done to it.

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

// server is one homeserver. Control operations are done one at a time (control); what is read while they go on is under
// state.
type server struct {
	runtime  *Runtime
	artifact runtime.Artifact
	label    string // "d1-hs1": unique in the run
	host     string
	address  string // its name
	dir      string
	// ephemeral servers are not started again.
	ephemeral bool

	control sync.Mutex
	state   sync.Mutex
	current *life // nil before the first start
	removed bool
}

// life is one start of the server, from its process's beginning to its end.
type life struct {
	command  *exec.Cmd
	logStart int64         // where its log begins in the file
	ended    chan struct{} // closed when the process was waited for
	exited   chan struct{} // closed when it ended without having been asked to
	status   string        // "exited with status 1"; set before ended is closed

	// Under the server's state:
	asked bool // to end
	dead  bool // not to be signalled any more: its number may soon be another's
}

var errRemoved = errors.New("the server was removed")

func (s *server) Name() string              { return s.address }
func (s *server) Host() string              { return s.host }
func (s *server) ClientURL() string         { return "http://" + join(s.address, clientPort) }
func (s *server) FederationAddress() string { return join(s.address, federationPort) }
func (s *server) dataDir() string           { return filepath.Join(s.dir, "data") }
func (s *server) logPath() string           { return filepath.Join(s.dir, "server.log") }

// Configuration is the file that the artifact names, in the server's data folder.
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

// Exited is closed when the latest start of the server ended without having been asked to.
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

// Start starts the server, with its data if it ran before, and returns when it is ready. The server's name stays.
func (s *server) Start(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	if life := s.life(); life != nil && !life.hasEnded() {
		return fmt.Errorf("%s is running already", s.label)
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
	cause := s.waitUntilReady(ctx, life)
	if cause == "" {
		return nil
	}
	waited := time.Since(started)
	// A start that failed leaves nothing running, whatever became of ctx.
	_ = s.end(context.WithoutCancel(ctx), unix.SIGKILL)
	tail := runtime.LastLines(readFrom(s.logPath(), life.logStart), 50)
	failure := startError(s.artifact.Candidate, s.label, waited, cause, tail)
	if err := ctx.Err(); err != nil {
		return errors.Join(failure, err)
	}
	return failure
}

// launch starts the process and a goroutine that waits for its end.
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
	command.ExtraFiles = []*os.File{s.runtime.lease.shared} // the addresses are this run's while the server lives
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
	if err != nil && !errors.Is(err, os.ErrProcessDone) { // one that ended at once has its story told by its log
		_ = s.end(context.Background(), unix.SIGKILL)
		return nil, err
	}
	return life, nil
}

// attend waits for the end of the process and says so.
func (s *server) attend(life *life) {
	pid := life.command.Process.Pid
	waitForEnd(pid) // it is a zombie now, and keeps its number until it is waited for
	s.state.Lock()
	life.dead = true
	_ = unix.Kill(-pid, unix.SIGKILL) // children that it left
	s.state.Unlock()
	_ = life.command.Wait() // how it ended is in ProcessState
	if recorder := s.runtime.options.Recorder; recorder != nil {
		_ = recorder.ForgetProcess(pid) // one too many does no harm: its start time tells it from a later process
	}
	s.state.Lock()
	defer s.state.Unlock()
	life.status = describe(life.command.ProcessState)
	close(life.ended)
	if !life.asked {
		close(life.exited)
	}
}

// environment is a small one: what the suite's own environment has (tokens, say) is none of a candidate's business.
func (s *server) environment() []string {
	var environment []string
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			environment = append(environment, name+"="+value)
		}
	}
	environment = append(environment, s.runtime.options.Environment...)
	environment = append(environment, s.artifact.Environment...)
	return append(environment, // the last one counts
		"SERVER_NAME="+s.address,
		"MSC4014_CA_DIR="+s.runtime.options.Authority.Dir(),
		"MSC4014_DATA_DIR="+s.dataDir(),
		fmt.Sprintf("%s=%t", runtime.EphemeralVariable, s.ephemeral),
		"MSC4014_PROGRAM_DIR="+filepath.Dir(s.artifact.Program),
		"MSC4014_HTTP_ADDRESS="+join(s.address, clientPort),
		"MSC4014_HTTPS_ADDRESS="+join(s.address, federationPort),
	)
}

// Stop asks the server to end, and kills it if it does not within the grace period. Its data stays.
func (s *server) Stop(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	return s.end(ctx, unix.SIGTERM)
}

// Kill ends the server at once. Its data stays.
func (s *server) Kill(ctx context.Context) error {
	s.control.Lock()
	defer s.control.Unlock()
	return s.end(ctx, unix.SIGKILL)
}

// end sends a signal and waits for the end; SIGKILL follows after the grace period or when ctx is over.
func (s *server) end(ctx context.Context, signal unix.Signal) error {
	life := s.life()
	if life == nil {
		return nil
	}
	s.state.Lock()
	life.asked = true
	s.state.Unlock()
	if signal != unix.SIGKILL {
		s.signal(life, signal)
		s.signal(life, unix.SIGCONT) // a paused one must wake up to hear it
		grace := time.NewTimer(s.runtime.options.StopTimeout)
		defer grace.Stop()
		select {
		case <-life.ended:
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	s.signal(life, unix.SIGKILL)
	// The kernel ends what got SIGKILL; a process that hangs in it (a dead disk) must not hang the run.
	stuck := time.NewTimer(10 * time.Second)
	defer stuck.Stop()
	select {
	case <-life.ended:
		return nil
	case <-stuck.C:
		return fmt.Errorf("%s (process %d) got SIGKILL and did not end within 10s", s.label, life.command.Process.Pid)
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

// Pause freezes the server: when it returns, nothing of it runs.
func (s *server) Pause(context.Context) error {
	return s.signalRunning("pause", unix.SIGSTOP, waitForStop)
}

// Resume lets a frozen server go on.
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

// CutOff is not possible: all processes share the loopback interface.
func (s *server) CutOff(context.Context) error {
	return fmt.Errorf("cut %s off from the federation: %w: plain processes share one network", s.label, runtime.ErrNotPossible)
}

// Rejoin is not possible, as CutOff is not.
func (s *server) Rejoin(context.Context) error {
	return fmt.Errorf("let %s join the federation again: %w: plain processes share one network", s.label, runtime.ErrNotPossible)
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

// Log returns the last lines that the server wrote, over all its starts; lines <= 0 means all.
func (s *server) Log(lines int) string {
	const enough = 1 << 20 // for some lines; a long run's log is not read whole for them
	from := int64(0)
	if info, err := os.Stat(s.logPath()); err == nil && lines > 0 {
		from = max(0, info.Size()-enough)
	}
	return runtime.LastLines(readFrom(s.logPath(), from), lines)
}

// describe tells how a process ended: "exited with status 1", "was ended by signal killed".
func describe(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "was ended by signal " + status.Signal().String()
	}
	return fmt.Sprintf("exited with status %d", state.ExitCode())
}
