package check

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQueueMeasuresContention(t *testing.T) {
	folder := t.TempDir()
	thread := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(folder, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name, "schedstat"), []byte(text), 0o600))
	}
	waits := queue{folder: folder}
	thread("1", "5000000000 90000000000 17\n")
	assert.InDelta(t, 1, waits.measure(), 0, "the first measurement is the baseline")
	thread("1", "5100000000 90100000000 18\n")
	thread("2", "100000000 500000000 18\n")
	thread("3", "100000000\n")
	thread("4", "1 none 18\n")
	assert.InDelta(t, 4, waits.measure(), 0.01, "0.2 s, and 0.6 s of waiting")
	require.NoError(t, os.RemoveAll(filepath.Join(folder, "2")))
	for range 20 {
		thread("1", "5100000000 90100000000 18\n")
		waits.measure()
	}
	assert.InDelta(t, 1, waits.measure(), 0, "old measurements fade")

	nothing := queue{folder: filepath.Join(folder, "none")}
	assert.InDelta(t, 1, nothing.measure(), 0, "a system without it")
}

func BenchmarkMeasure(b *testing.B) {
	waits := queue{folder: "/proc/self/task"}
	b.ReportAllocs()
	for b.Loop() {
		waits.measure()
	}
}
