// Package candidatetest prepares candidates for tests.
package candidatetest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/candidate"
)

// Prepare prepares a candidate for a test, which needs so much time with it after that. The first build of a Dendrite takes minutes: if
// go test's own timeout leaves too little time for it, the test is skipped, with what to do. root is the project's folder.
func Prepare(t testing.TB, root, name, runtimeName string, needs time.Duration) runtime.Artifact {
	t.Helper()
	root, err := filepath.Abs(root)
	require.NoError(t, err)
	parsed, err := candidate.Parse(root, name)
	require.NoError(t, err)
	ctx, cancel := timeToBuild(t, needs)
	defer cancel()
	artifact, err := candidate.Prepare(ctx, root, parsed, runtimeName, func(line string) { t.Log(line) })
	if ctx.Err() != nil && t.Context().Err() == nil {
		t.Skipf("%s is not built yet, and go test's -timeout leaves too little time to build it: run ./run.sh %s first, or go test -timeout 30m", name, name)
	}
	require.NoError(t, err)
	return artifact
}

// timeToBuild returns a context that ends so long before go test's timeout as the test needs. A benchmark has none.
func timeToBuild(t testing.TB, needs time.Duration) (context.Context, context.CancelFunc) {
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := limited.Deadline(); ok {
			return context.WithDeadline(t.Context(), deadline.Add(-needs))
		}
	}
	return context.WithCancel(t.Context())
}
