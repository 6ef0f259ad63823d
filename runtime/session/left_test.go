package session

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/docker/engine"
	"msc4014/runtime/docker/engine/enginetest"
)

func TestLeftListsWithoutRemoving(t *testing.T) {
	state := isolate(t)
	live, err := Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, live.Close()) }()
	kept, err := Open()
	require.NoError(t, err)
	require.NoError(t, kept.Keep())
	require.NoError(t, kept.Close())
	killed := filepath.Base(killedRun(t, state))

	const orphan, stranger = "00000000aa", "00000000bb"
	fake := enginetest.Start(t,
		enginetest.Object{Kind: "container", Name: "of-live", Labels: live.Labels(), Running: true},
		volume("of-orphan", orphan, HostIdentity(), state),
		volume("of-stranger", stranger, "another machine", "/elsewhere", time.Now().Add(-time.Hour).Format(time.RFC3339)),
		volume("of-live-stranger", "00000000cc", "another machine", "/elsewhere", time.Now().Add(time.Hour).Format(time.RFC3339)),
	)
	before := fake.Names()
	cli, err := engine.Connect(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, cli.Close()) }()
	for range 2 { // the second finds what the first did
		left, err := Left(t.Context(), cli)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{killed, orphan}, left.Dead)
		assert.Equal(t, []string{kept.ID}, left.Kept)
		assert.Equal(t, []string{stranger}, left.Elsewhere)
	}
	assert.Equal(t, before, fake.Names())

	left, err := Left(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, Leftovers{Dead: []string{killed}, Kept: []string{kept.ID}}, left)
	names, err := os.ReadDir(runsDir(state))
	require.NoError(t, err)
	assert.Len(t, names, 3)
}
