// Where runs are recorded, the locks that say which are alive, and who this machine is.

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stateVariable names the state folder in the environment.
const stateVariable = "MSC4014_STATE_DIR"

// StateDir is the folder in which the runs of this user are recorded: $MSC4014_STATE_DIR, or msc4014-<uid> in the
// folder for temporary files. It is made if it is missing. A folder that belongs to somebody else is an error, since
// what it says decides which processes are ended.
func StateDir() (string, error) {
	dir := os.Getenv(stateVariable)
	if dir == "" {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("msc4014-%d", os.Getuid()))
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the state folder (set %s to use another): %w", stateVariable, err)
	}
	// One folder must have one name, as the name is what engine objects are labelled with.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return "", fmt.Errorf("look at the state folder %s: %w", dir, err)
	}
	if int(stat.Uid) != os.Getuid() {
		return "", fmt.Errorf("the state folder %s belongs to user %d, not to you; set %s to a folder of your own",
			dir, stat.Uid, stateVariable)
	}
	for _, folder := range []string{runsDir(dir), trashDir(dir)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", fmt.Errorf("make the folders of runs: %w", err)
		}
	}
	return dir, nil
}

func runsDir(state string) string { return filepath.Join(state, "runs") }

// trashDir holds folders that are on their way out.
func trashDir(state string) string { return filepath.Join(state, "trash") }

// errLocked says that another open file holds the lock.
var errLocked = errors.New("locked by another process")

// tryLock takes the flock of file, or fails at once with errLocked.
func tryLock(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

// lockState takes the lock of the whole state folder, which is held only for as long as it takes to make a run's folder
// or to look which runs are dead, and returns what gives it up.
func lockState(ctx context.Context, state string) (release func(), err error) {
	path := filepath.Join(state, lockName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the state folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		switch err := tryLock(file); {
		case err == nil:
			return func() { _ = file.Close() }, nil // closing gives up the lock
		case !errors.Is(err, errLocked):
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: another process has held it all along: %w", path, ctx.Err()),
				file.Close())
		}
	}
}

// HostIdentity tells this machine, since its last boot, from every other that may use the same engine: the host name,
// the kernel's boot ID and the mount namespace (two containers with one name see different state folders).
func HostIdentity() string {
	name, _ := os.Hostname()
	parts := []string{name}
	if boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		parts = append(parts, strings.TrimSpace(string(boot)))
	}
	if mounts, err := os.Readlink("/proc/self/ns/mnt"); err == nil {
		parts = append(parts, strings.Trim(mounts, "mnt:[]"))
	}
	return strings.Join(parts, "/")
}
