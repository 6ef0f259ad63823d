// Package filelock locks open files (flock), so that processes can tell whether another one is alive: the kernel releases a lock when
// every process that has the open file, also by inheritance, has closed it or exited.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that the lock is held through another open file.
var ErrLocked = errors.New("locked by another process")

// interval is the pause between attempts to take a lock.
const interval = 5 * time.Millisecond

// Mode is the mode of a lock: Shared, which any number of open files can hold, or Exclusive, which only one can.
type Mode int

// The modes.
const (
	Shared    Mode = unix.LOCK_SH
	Exclusive Mode = unix.LOCK_EX
)

// Try takes the lock of file, or returns ErrLocked at once. It replaces a lock that file holds in the other mode, which may be lost
// with an error. Closing the file releases the lock.
func Try(file *os.File, mode Mode) error {
	err := flock(file, int(mode)|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Wait takes the lock of file as soon as it is free. When ctx is done, it returns an error that wraps both ErrLocked and the cause.
func Wait(ctx context.Context, file *os.File, mode Mode) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := Try(file, mode)
		if !errors.Is(err, ErrLocked) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// Unlock releases the lock of file, which stays open.
func Unlock(file *os.File) error { return flock(file, unix.LOCK_UN) }

func flock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

var (
	keptMutex sync.Mutex
	kept      []*os.File
)

// Keep holds the lock of file until this process exits. Without it, the lock is released when the file is garbage-collected.
func Keep(file *os.File) {
	keptMutex.Lock()
	defer keptMutex.Unlock()
	kept = append(kept, file)
}
