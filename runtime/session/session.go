// Package session is the identity of one run on a machine, and its cleanup.
//
// A run is a folder <state>/runs/<id>/ with a locked file in it. The lock is an flock, so the kernel gives it up when
// the last process that holds it ends, whichever way it ends: a run is alive exactly as long as its lock is held. The
// command line opens the session and passes the lock to the suite's binary, so the run lives while either of them does;
// candidates never inherit it. Whatever a run makes outside of its folder is named in the folder (processes) or carries
// the run's labels (engine objects), so that the next run can remove it (clean.go).
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

// Labels of everything that a run makes in a container engine.
const (
	// LabelRun is the ID of the run that made the object.
	LabelRun = "msc4014.run"
	// LabelHost is the identity of the machine that the run is on (HostIdentity).
	LabelHost = "msc4014.host"
	// LabelState is the state folder that the run's folder is in.
	LabelState = "msc4014.state"
	// LabelPID is the process ID of the run's command line: for people who look.
	LabelPID = "msc4014.pid"
	// LabelLease is until when the run counts as alive for those who cannot look at its folder: a time (RFC 3339). Each
	// object that the run makes renews it.
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

// closeTimeout bounds what the end of a run may take, however slow the engine is.
const closeTimeout = 90 * time.Second

// Session is one run. Its methods are safe for use by several goroutines.
type Session struct {
	// ID names the run: lower-case hexadecimal digits, a legal part of container and host names.
	ID string
	// Dir is the run's own folder, absolute. What a run writes there is gone when it ends.
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
	// A cleaner takes the same lock while it looks for dead runs, so it never sees a folder whose lock is not yet held.
	release, err := lockState(context.Background(), state)
	if err != nil {
		return nil, err
	}
	defer release()

	dir := filepath.Join(runsDir(state), id)
	if err := os.MkdirAll(filepath.Join(dir, processFolder), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the run: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the lock of the run: %w", err), os.RemoveAll(dir))
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

// Attach joins the run in dir from a process that inherited its lock (LockFile, by exec.Cmd.ExtraFiles). The run lives
// on until this process, too, has closed the session or ended. No process that this one starts inherits the lock.
func Attach(dir string, lockFile *os.File) (*Session, error) {
	if lockFile == nil {
		return nil, fmt.Errorf("join the run in %s: no lock was passed on", dir)
	}
	// An inherited descriptor is not close-on-exec; a candidate that had it would keep the run alive for ever.
	unix.CloseOnExec(int(lockFile.Fd()))
	inherited, err := lockFile.Stat()
	if err != nil {
		return nil, fmt.Errorf("join the run in %s: look at the lock that was passed on: %w", dir, err)
	}
	own, err := os.Stat(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("join the run in %s: %w", dir, err)
	}
	if !os.SameFile(inherited, own) {
		return nil, fmt.Errorf("join the run in %s: the file that was passed on is not the lock of this run", dir)
	}
	if err := filelock.Try(lockFile, filelock.Exclusive); err != nil {
		return nil, fmt.Errorf("join the run in %s: its lock is held by another run: %w", dir, err)
	}
	return &Session{
		ID: filepath.Base(dir), Dir: dir, state: filepath.Dir(filepath.Dir(dir)), lock: lockFile,
	}, nil
}

// LockFile is what keeps the run alive, for exec.Cmd.ExtraFiles of the suite's binary and of nothing else.
func (s *Session) LockFile() *os.File { return s.lock }

// Labels are the labels of everything that this run makes in a container engine; the map is the caller's.
func (s *Session) Labels() map[string]string {
	return map[string]string{
		LabelRun:   s.ID,
		LabelHost:  HostIdentity(),
		LabelState: s.state,
		LabelPID:   strconv.Itoa(s.ownerPID()),
		LabelLease: time.Now().Add(leaseTime).UTC().Format(time.RFC3339),
	}
}

// UseEngine notes that the run makes objects in a container engine. It must be called before the first of them: the
// folder of a dead run that used an engine is kept until an engine answers and its objects are gone.
func (s *Session) UseEngine() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, engineName), 0o700); err != nil {
		return fmt.Errorf("note that the run uses an engine: %w", err)
	}
	return nil
}

// Making notes that the engine is about to be asked for the object called name, until made is called. An engine finishes
// what it was asked for though the run be killed meanwhile; the cleaner of the run then waits for the object to appear.
func (s *Session) Making(name string) (made func(), err error) {
	path := filepath.Join(s.Dir, engineName, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, fmt.Errorf("note that the run makes %s: %w", name, err)
	}
	return func() { _ = os.Remove(path) }, nil
}

// Keep leaves the run's servers and files behind when it ends: CleanDead passes them over, Clean removes them.
func (s *Session) Keep() error {
	if err := os.WriteFile(filepath.Join(s.Dir, keptName), nil, 0o600); err != nil {
		return fmt.Errorf("note that the run is to be kept: %w", err)
	}
	return nil
}

// Close ends the run where it was opened: it removes everything of it, at last its folder, unless Keep was called. A
// session that was attached only lets go of the lock. It takes 90 s at most; what is left then, the next run removes.
func (s *Session) Close() error {
	if !s.owner || isKept(s.Dir) {
		return s.end(func() error { return nil })
	}
	return s.Remove(context.Background())
}

// Remove removes everything of the run and lets go of its lock, whichever process opened it: for a suite's binary whose
// command line is gone.
func (s *Session) Remove(ctx context.Context) error {
	return s.end(func() error {
		ctx, cancel := context.WithTimeout(ctx, closeTimeout)
		defer cancel()
		eng := newLazyEngine(ctx)
		defer eng.close()
		return removeRun(ctx, s.Dir, eng, func(string) {})
	})
}

// end calls do, and lets go of the lock; a second time it does nothing.
func (s *Session) end(do func() error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(do(), s.lock.Close())
}

// writeOwner notes which process opened the run.
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

// readOwner reads which process opened the run in dir; an unreadable owner is nobody.
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
		return "", fmt.Errorf("make the ID of the run: %w", err)
	}
	return hex.EncodeToString(random[:]), nil
}

func isKept(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, keptName))
	return err == nil
}
