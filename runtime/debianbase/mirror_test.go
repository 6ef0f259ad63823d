package debianbase

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMirrorInSources(t *testing.T) {
	list := filepath.Join(t.TempDir(), "mirrors.list")
	require.NoError(t, os.WriteFile(list, []byte("# ours\nhttps://mirror.example/debian/\tpriority:1\n"), 0o644))
	for name, test := range map[string]struct{ text, mirror string }{
		"empty":                 {"", ""},
		"one line":              {"deb http://deb.debian.org/debian bookworm main\n", "http://deb.debian.org/debian"},
		"options and slash":     {"deb [arch=amd64 signed-by=/a.gpg] https://m.example/debian/ sid main", "https://m.example/debian"},
		"commented out":         {"# deb http://a.example/debian sid main\ndeb http://b.example/debian sid main", "http://b.example/debian"},
		"sources only":          {"deb-src http://a.example/debian sid main", ""},
		"security is no mirror": {"deb http://a.example/debian-security bookworm-security main", ""},
		"another distribution":  {"deb http://archive.ubuntu.com/ubuntu noble main", ""},
		"cannot be reached":     {"deb cdrom:[Debian]/debian bookworm main\ndeb file:/srv/debian sid main", ""},
		"deb822": {"Types: deb\n# http://snapshot.debian.org/archive/debian/2025\nURIs: http://m.example:3142/debian\nSuites: sid\n",
			"http://m.example:3142/debian"},
		"deb822 without a space":      {"URIs:http://m.example/debian\n", "http://m.example/debian"},
		"deb822 in several lines":     {"Types: deb\nURIs:\n http://a.example/other\n http://m.example/debian/\nSuites: sid\n", "http://m.example/debian"},
		"deb822, another field":       {"Types: deb\nURIs: http://a.example/other\nX-Note: http://m.example/debian\n", ""},
		"a list of mirrors":           {"URIs: mirror+file:" + list, "https://mirror.example/debian"},
		"a list that is not there":    {"URIs: mirror+file:/nonexistent", ""},
		"behind a cache, with a path": {"deb http://localhost:3142/ftp.debian.org/debian sid main", "http://localhost:3142/ftp.debian.org/debian"},
	} {
		assert.Equal(t, test.mirror, mirrorIn(test.text), name)
	}
}

func TestMirrorOfThisMachineIsAURL(t *testing.T) {
	assert.Regexp(t, `^https?://.*/debian$`, Mirror(t.Context()))
}

func TestProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("http_proxy", "http://proxy.example:3128")
	assert.Equal(t, "http://proxy.example:3128", Proxy(t.Context()))
}
