// Who this machine is.

package session

import (
	"os"
	"strings"
	"sync"
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
