// Package filelock locks open files (flock), so that processes can tell whether another one is alive: the kernel gives up a
// lock when every process that has the open file, by inheritance too, has closed it or ended.
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

// ErrLocked says that another open file holds the lock.
var ErrLocked = errors.New("locked by another process")

// interval is how often a lock that another process holds is tried.
const interval = 5 * time.Millisecond

// Mode is how a lock is held: Shared, by any number of open files, or Exclusive, by one.
type Mode int

// The modes.
const (
	Shared    Mode = unix.LOCK_SH
	Exclusive Mode = unix.LOCK_EX
)

// Try takes the lock of file, in place of one that it has in the other mode, or fails at once with ErrLocked; the other one
// may be lost then. Closing the file gives the lock up.
func Try(file *os.File, mode Mode) error {
	err := flock(file, int(mode)|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Wait takes the lock of file as soon as no other open file holds it. When ctx is done it fails with both ErrLocked and the
// cause of that.
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

// Unlock gives up the lock of file, which stays open.
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

// Keep keeps the lock of file until this process ends. Without it, the file is closed when the last variable that it is in is
// gone, and the lock given up.
func Keep(file *os.File) {
	keptMutex.Lock()
	defer keptMutex.Unlock()
	kept = append(kept, file)
}
