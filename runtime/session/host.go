// Who this machine is, and since when.

package session

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HostIdentity tells this machine, since its last boot, from every other that may use the same engine: the host name,
// the kernel's boot ID and the mount namespace (two containers with one name see different state folders).
func HostIdentity() string {
	name, _ := os.Hostname()
	parts := []string{name}
	if boot := bootID(); boot != "" {
		parts = append(parts, boot)
	}
	if mounts, err := os.Readlink("/proc/self/ns/mnt"); err == nil {
		parts = append(parts, strings.Trim(mounts, "mnt:[]"))
	}
	return strings.Join(parts, "/")
}

// bootID is the kernel's ID of this boot, "" where it has none.
var bootID = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot))
})

// bootTime is when this machine was started; the zero time where it does not say.
func bootTime() time.Time {
	stat, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(stat)) {
		if seconds, found := strings.CutPrefix(line, "btime "); found {
			if since, err := strconv.ParseInt(strings.TrimSpace(seconds), 10, 64); err == nil {
				return time.Unix(since, 0)
			}
		}
	}
	return time.Time{}
}

// isEarlierBoot reports whether a host identity is that of this machine's host name with another boot.
func isEarlierBoot(identity string) bool {
	name, _ := os.Hostname()
	parts := strings.Split(identity, "/")
	return len(parts) > 1 && parts[0] == name && bootID() != "" && parts[1] != bootID()
}
