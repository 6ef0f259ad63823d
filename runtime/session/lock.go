// The lock of the state folder. It is not a run's lock, which is in the run's folder and shows that the run is alive.

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"msc4014/internal/filelock"
)

// lockState takes the lock of the whole state folder, which is held only while a run's folder is created or dead runs are
// found, and returns a function that releases it.
func lockState(ctx context.Context, state string) (release func(), err error) {
	path := filepath.Join(state, lockName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the state folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := filelock.Wait(ctx, file, filelock.Exclusive); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing releases the lock
}
