// Runs whose command line was killed while their suite is still running. The suite cleans up after itself.

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

// orphanTimeout bounds how long a suite may take to clean up after its command line has ended.
const orphanTimeout = 60 * time.Second

// AwaitOrphans waits until runs whose command line was killed have ended, since CleanDead and Clean do not remove what such
// runs clean up themselves. It waits at most 60 s; the error then names the remaining runs.
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
			progress(fmt.Sprintf("waiting for killed runs to clean up: %v", left))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the command line of %v was killed, but its suite has not ended: %w", left, ctx.Err())
		}
	}
}

// orphanedRuns returns the live runs whose command line has ended.
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
			continue // it has just ended
		}
		if errors.Is(filelock.Try(lock, filelock.Exclusive), filelock.ErrLocked) {
			orphaned = append(orphaned, name)
		}
		_ = lock.Close()
	}
	return orphaned, nil
}
