package killed

// An image whose build does not end by itself.

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// buildSleeper builds a static program that does nothing for an hour.
func buildSleeper(t *testing.T, program string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(source, []byte("package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n"), 0o644))
	build := exec.Command("go", "build", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// pruneImages removes the layers of the killed build.
func (p *project) pruneImages(t *testing.T, label string) {
	t.Helper()
	_, err := p.engine.ImagesPrune(context.Background(), filters.NewArgs(filters.Arg("dangling", "true"), filters.Arg("label", label)))
	assert.NoError(t, err)
}
