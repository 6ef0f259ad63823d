package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// open opens a file again: locks belong to open files, not to processes.
func open(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, other := open(t, path), open(t, path)
	require.NoError(t, Try(one, Exclusive))
	require.NoError(t, Try(one, Exclusive), "it has it")
	assert.ErrorIs(t, Try(other, Exclusive), ErrLocked)
	assert.ErrorIs(t, Try(other, Shared), ErrLocked)

	require.NoError(t, Try(one, Shared), "in place of the exclusive one")
	require.NoError(t, Try(other, Shared))
	assert.ErrorIs(t, Try(other, Exclusive), ErrLocked)
	require.NoError(t, Unlock(one))
	require.NoError(t, Try(other, Exclusive))

	require.NoError(t, other.Close())
	require.NoError(t, Try(one, Exclusive), "closing gave it up")
}

func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, other := open(t, path), open(t, path)
	require.NoError(t, Try(one, Exclusive))
	interrupt := errors.New("interrupt")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupt)
	err := Wait(ctx, other, Exclusive)
	assert.ErrorIs(t, err, interrupt)
	assert.ErrorIs(t, err, ErrLocked)

	done := make(chan error)
	go func() { done <- Wait(t.Context(), other, Shared) }()
	require.NoError(t, Unlock(one))
	assert.NoError(t, <-done)

	closed := open(t, path)
	require.NoError(t, closed.Close())
	assert.Error(t, Wait(t.Context(), closed, Exclusive))
}
