// Which mirror and which proxy the machine's apt uses.

package debianbase

import (
	"bufio"
	"context"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// StandardMirror is Debian's own name for its nearest mirror; images of a registry use it.
const StandardMirror = "http://deb.debian.org/debian"

// Mirror returns the base URL of the Debian mirror in the machine's apt configuration, or StandardMirror if there is
// none (another distribution, no apt).
func Mirror(ctx context.Context) string {
	list := aptConfig(ctx, "Dir::Etc::sourcelist/f", "/etc/apt/sources.list")
	parts := aptConfig(ctx, "Dir::Etc::sourceparts/d", "/etc/apt/sources.list.d")
	files := []string{list}
	for _, pattern := range []string{"*.list", "*.sources"} {
		found, _ := filepath.Glob(filepath.Join(parts, pattern)) // the pattern is a legal one
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a source that cannot be read is none
		}
		if mirror := mirrorIn(string(text)); mirror != "" {
			return mirror
		}
	}
	return StandardMirror
}

// Proxy returns the HTTP proxy that apt uses on this machine ("http://host:port"), from its configuration or the
// environment, or "".
func Proxy(ctx context.Context) string {
	if proxy := os.Getenv("http_proxy"); proxy != "" {
		return proxy
	}
	proxy := aptConfig(ctx, "Acquire::http::Proxy", "")
	if strings.EqualFold(proxy, "DIRECT") || strings.EqualFold(proxy, "false") {
		return ""
	}
	return proxy
}

// mirrorIn returns the first Debian archive in one of apt's source files, of either form, or "". Debian's archives end
// in /debian, others (security, backports of third parties, other distributions) do not.
func mirrorIn(text string) string {
	inURIs := false // in the field URIs of a deb822 stanza, which may go on in indented lines
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		field, _, isField := strings.Cut(line, ":")
		switch {
		case fields[0] == "deb":
			inURIs = false
		case isField && !indented:
			inURIs = strings.EqualFold(field, "URIs")
		}
		if fields[0] != "deb" && !inURIs {
			continue
		}
		for _, word := range fields {
			if mirror := debianArchive(word); mirror != "" {
				return mirror
			}
		}
	}
	return ""
}

// debianArchive returns the word without a trailing slash if it is the URL of a Debian archive that can be reached over
// HTTP, else "".
func debianArchive(word string) string {
	word = strings.TrimPrefix(word, "URIs:")
	if file, isList := strings.CutPrefix(word, "mirror+file:"); isList {
		text, err := os.ReadFile(strings.TrimPrefix(file, "//"))
		if err != nil {
			return ""
		}
		for _, line := range strings.Split(string(text), "\n") {
			first, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if mirror := httpArchive(first); mirror != "" {
				return mirror
			}
		}
		return ""
	}
	return httpArchive(word)
}

func httpArchive(word string) string {
	parsed, err := url.Parse(word)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return ""
	}
	word = strings.TrimRight(word, "/")
	if path.Base(strings.TrimRight(parsed.Path, "/")) != "debian" {
		return ""
	}
	return word
}

// aptConfig asks apt for one setting; without apt, or without the setting, it is fallback.
func aptConfig(ctx context.Context, setting, fallback string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// Of its two ways of telling, "shell" is the one that makes paths whole: V='/etc/apt/sources.list'.
	out, err := exec.CommandContext(ctx, "apt-config", "shell", "V", setting).Output()
	if err != nil {
		return fallback
	}
	value := strings.TrimSpace(string(out))
	value = strings.Trim(strings.TrimPrefix(value, "V="), "'")
	if value == "" {
		return fallback
	}
	return value
}
