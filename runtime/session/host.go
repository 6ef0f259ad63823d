// The identity of this machine, and its boot.

package session

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HostIdentity returns what distinguishes this machine, since its last boot, from others that may use the same engine: the
// host name, the kernel's boot ID and the mount namespace (two containers with the same name see different state folders).
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

// bootID returns the kernel's ID of this boot, or "" if it has none.
var bootID = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot))
})

// bootTime returns when this machine was booted, or the zero time if that is unknown.
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

// isEarlierBoot reports whether a host identity has this machine's host name, but another boot ID.
func isEarlierBoot(identity string) bool {
	name, _ := os.Hostname()
	parts := strings.Split(identity, "/")
	return len(parts) > 1 && parts[0] == name && bootID() != "" && parts[1] != bootID()
}
