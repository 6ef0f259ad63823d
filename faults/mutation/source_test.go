package mutation

// The rules on the project's own source.

import (
	"context"
	"go/format"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// root is the project's root folder.
func root(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	return root
}

// TestEverySiteCompiles: the go command compiles the packages that import a rewritten one, and the type checker all of them.
func TestEverySiteCompiles(t *testing.T) {
	sites, err := Find(context.Background(), root(t))
	require.NoError(t, err)
	require.Greater(t, len(sites), 500)
	overlay := Overlay(sites)
	_, err = load(context.Background(), root(t), append(Packages, "dockerfiles/reference"), overlay)
	require.NoError(t, err)
	formatted, err := format.Source(switchText)
	require.NoError(t, err)
	assert.Equal(t, string(formatted), string(switchText))
}
