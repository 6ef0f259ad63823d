// Runs whose command line was killed while their suite lives: it cleans up after itself, which takes a moment.

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

// orphanTimeout bounds how long a suite may take to clean up after its command line is gone.
const orphanTimeout = 60 * time.Second

// AwaitOrphans waits until runs whose command line is gone have ended, so that what they clean up themselves is gone,
// too, when CleanDead or Clean has done the rest. It waits 60 s at most; the error then names those that are left.
func AwaitOrphans(ctx context.Context, progress func(string)) error {
	state, err := StateDir()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, orphanTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for said := false; ; {
		left, err := orphanedRuns(state)
		if err != nil || len(left) == 0 {
			return err
		}
		if !said {
			said = true
			progress(fmt.Sprintf("waiting for %v, which was killed and cleans up after itself", left))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the command line of %v was killed, and its suite has not ended: %w", left, ctx.Err())
		}
	}
}

// orphanedRuns are the runs that are alive and whose command line is not.
func orphanedRuns(state string) ([]string, error) {
	names, err := runFolders(runsDir(state))
	if err != nil {
		return nil, err
	}
	var orphaned []string
	for _, name := range names {
		dir := filepath.Join(runsDir(state), name)
		if opened := readOwner(dir); opened.PID == 0 || isRunning(opened) {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil {
			continue // it ended just now
		}
		if errors.Is(filelock.Try(lock, filelock.Exclusive), filelock.ErrLocked) {
			orphaned = append(orphaned, name)
		}
		_ = lock.Close()
	}
	return orphaned, nil
}
