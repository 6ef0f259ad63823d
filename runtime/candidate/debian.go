// What candidates on a Debian base share: the base image, and where its packages come from.

package candidate

import (
	"context"
	"net/netip"
	"net/url"
	"os"

	"msc4014/runtime/debianbase"
)

// debianBase returns the ID of the image debian:<suite>-slim, made by one run at a time if it is missing.
func debianBase(ctx context.Context, t *task, e *engine, suite string) (id string, err error) {
	name := "debian-" + suite + "-slim"
	exists := func() bool {
		id, err := debianbase.Find(ctx, e.client, suite)
		return err == nil && id != ""
	}
	err = t.cache.once(ctx, name, t.progress, exists, func() error {
		_ = t.cache.removeLeftovers(name) // they are in nobody's way
		dir, err := os.MkdirTemp(t.cache.dir, buildingPrefix+name+"-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		return t.during("making the base image "+debianbase.Name(suite), func() error {
			_, err := debianbase.Ensure(ctx, e.client, suite, debianbase.Options{
				Dir: dir, Labels: map[string]string{Label: t.candidate.FullName()}, Progress: t.progress,
			})
			return err
		})
	})
	if err != nil {
		return "", err
	}
	return debianbase.Find(ctx, e.client, suite)
}

// debianArguments are the build arguments by which an image takes its packages from where this machine does. What is on
// this machine's loopback is not on the build's, and is passed over.
func debianArguments(mirror, proxy string) map[string]string {
	if isLoopback(mirror) {
		mirror = debianbase.StandardMirror
	}
	arguments := map[string]string{"DEBIAN_MIRROR": mirror}
	if proxy != "" && !isLoopback(proxy) {
		arguments["http_proxy"] = proxy
	}
	return arguments
}

func isLoopback(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	return parsed.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
