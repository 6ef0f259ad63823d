// Package session is the identity of one run on a machine, and its cleanup.
//
// A run is a folder <state>/runs/<id>/ with a locked file in it. The lock is an flock, so the kernel releases it when
// the last process that holds it ends, even by SIGKILL: a run is alive exactly as long as its lock is held. The command
// line opens the session and passes the lock to the suite's binary, so the run lives while either of them does;
// candidates never inherit it. Everything that a run creates outside of its folder is recorded in the folder (processes)
// or carries the run's labels (engine objects), so that the next run can remove it (clean.go).
package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"msc4014/internal/filelock"
)

// Labels of everything that a run creates in a container engine.
const (
	// LabelRun is the ID of the run that created the object.
	LabelRun = "msc4014.run"
	// LabelHost is the identity of the machine that the run is on (HostIdentity).
	LabelHost = "msc4014.host"
	// LabelState is the state folder that the run's folder is in.
	LabelState = "msc4014.state"
	// LabelPID is the process ID of the run's command line, for users who inspect the object.
	LabelPID = "msc4014.pid"
	// LabelLease is the time (RFC 3339) until which the run counts as alive for cleaners that cannot read its folder. Each
	// object that the run creates renews it.
	LabelLease = "msc4014.lease"
)

// Names inside a run's folder.
const (
	lockName      = "lock"
	ownerName     = "owner.json"
	keptName      = "kept"
	engineName    = "engine"
	processFolder = "processes"
)

// closeTimeout bounds the end of a run, in case the engine is slow.
const closeTimeout = 90 * time.Second

// Session is one run. Its methods are safe for use by several goroutines.
type Session struct {
	// ID names the run: lower-case hexadecimal digits, a legal part of container and host names.
	ID string
	// Dir is the run's own folder, an absolute path. It is removed when the run ends.
	Dir string

	state string // the state folder that Dir is in
	lock  *os.File
	owner bool // opened here, not attached

	mutex  sync.Mutex
	closed bool
}

// Open begins a run in the state folder (StateDir) and takes its lock. Close ends it.
func Open() (*Session, error) {
	state, err := StateDir()
	if err != nil {
		return nil, err
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	// A cleaner takes the same lock while it looks for dead runs, so it never sees a folder whose own lock is not yet held.
	release, err := lockState(context.Background(), state)
	if err != nil {
		return nil, err
	}
	defer release()

	dir := filepath.Join(runsDir(state), id)
	if err := os.MkdirAll(filepath.Join(dir, processFolder), 0o700); err != nil {
		return nil, fmt.Errorf("create the folder of the run: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create the lock of the run: %w", err), os.RemoveAll(dir))
	}
	session := &Session{ID: id, Dir: dir, state: state, lock: lock, owner: true}
	err = filelock.Try(lock, filelock.Exclusive)
	if err == nil {
		err = session.writeOwner()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the run's folder %s: %w", dir, err), lock.Close(), os.RemoveAll(dir))
	}
	return session, nil
}

// Attach joins the run in dir from a process that inherited its lock (LockFile, by exec.Cmd.ExtraFiles). The run stays
// alive until this process, too, has closed the session or ended. No process that this one starts inherits the lock.
func Attach(dir string, lockFile *os.File) (*Session, error) {
	if lockFile == nil {
		return nil, fmt.Errorf("join the run in %s: no lock was inherited", dir)
	}
	// An inherited descriptor is not close-on-exec; a candidate that inherited it would keep the run alive.
	unix.CloseOnExec(int(lockFile.Fd()))
	inherited, err := lockFile.Stat()
	if err != nil {
		return nil, fmt.Errorf("join the run in %s: inspect the inherited lock: %w", dir, err)
	}
	own, err := os.Stat(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("join the run in %s: %w", dir, err)
	}
	if !os.SameFile(inherited, own) {
		return nil, fmt.Errorf("join the run in %s: the inherited file is not the lock of this run", dir)
	}
	if err := filelock.Try(lockFile, filelock.Exclusive); err != nil {
		return nil, fmt.Errorf("join the run in %s: its lock is held by another process: %w", dir, err)
	}
	return &Session{
		ID: filepath.Base(dir), Dir: dir, state: filepath.Dir(filepath.Dir(dir)), lock: lockFile,
	}, nil
}

// LockFile returns the file that keeps the run alive, for exec.Cmd.ExtraFiles of the suite's binary and nothing else.
func (s *Session) LockFile() *os.File { return s.lock }

// Labels returns the labels of everything that this run creates in a container engine, in a new map.
func (s *Session) Labels() map[string]string {
	return map[string]string{
		LabelRun:   s.ID,
		LabelHost:  HostIdentity(),
		LabelState: s.state,
		LabelPID:   strconv.Itoa(s.ownerPID()),
		LabelLease: time.Now().Add(leaseTime).UTC().Format(time.RFC3339),
	}
}

// UseEngine records that the run creates objects in a container engine. It must be called before the first of them: the
// folder of a dead run that used an engine is kept until an engine answers and its objects are removed.
func (s *Session) UseEngine() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, engineName), 0o700); err != nil {
		return fmt.Errorf("record that the run uses an engine: %w", err)
	}
	return nil
}

// Making records that the object called name is about to be requested from the engine, until made is called. An engine
// completes a request even if the run is killed meanwhile; the run's cleaner then waits for the object to appear.
func (s *Session) Making(name string) (made func(), err error) {
	path := filepath.Join(s.Dir, engineName, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, fmt.Errorf("record that the run creates %s: %w", name, err)
	}
	return func() { _ = os.Remove(path) }, nil
}

// Keep keeps the run's servers and files when it ends: CleanDead does not remove them, Clean does.
func (s *Session) Keep() error {
	if err := os.WriteFile(filepath.Join(s.Dir, keptName), nil, 0o600); err != nil {
		return fmt.Errorf("record that the run is to be kept: %w", err)
	}
	return nil
}

// Close ends the run. In the process that opened it, it removes everything of the run, its folder last, unless Keep was
// called; an attached session only releases the lock. It takes at most 90 s; the next run removes what is left.
func (s *Session) Close() error {
	if !s.owner || isKept(s.Dir) {
		return s.end(func() error { return nil })
	}
	return s.Remove(context.Background())
}

// Remove removes everything of the run and releases its lock, even in an attached session. It is for a suite's binary
// whose command line has ended.
func (s *Session) Remove(ctx context.Context) error {
	return s.end(func() error {
		ctx, cancel := context.WithTimeout(ctx, closeTimeout)
		defer cancel()
		eng := newLazyEngine(ctx)
		defer eng.close()
		return removeRun(ctx, s.Dir, eng, func(string) {})
	})
}

// end calls do and releases the lock. A second call does nothing.
func (s *Session) end(do func() error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(do(), s.lock.Close())
}

// writeOwner records which process opened the run.
func (s *Session) writeOwner() error {
	started, err := startTime(os.Getpid())
	if err != nil {
		return err
	}
	data, err := json.Marshal(process{PID: os.Getpid(), Started: started, Boot: bootID()})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.Dir, ownerName), data, 0o600)
}

// readOwner returns the process that opened the run in dir, or the zero process if that cannot be read.
func readOwner(dir string) process {
	var opened process
	path := filepath.Join(dir, ownerName)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return process{}
	}
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &opened) != nil {
		return process{}
	}
	return opened
}

func (s *Session) ownerPID() int {
	if s.owner {
		return os.Getpid()
	}
	return readOwner(s.Dir).PID
}

func newID() (string, error) {
	var random [5]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("generate the ID of the run: %w", err)
	}
	return hex.EncodeToString(random[:]), nil
}

func isKept(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, keptName))
	return err == nil
}
