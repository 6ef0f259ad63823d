package docker

import (
	"bufio"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

func TestAClientReachesItsServer(t *testing.T) {
	cli := connect(t)
	run := newRuntime(t, Options{Clients: &runtime.Artifact{Image: homeserverImage(t, cli)}})
	assert.True(t, run.HasClients())
	server := start(t, run, "d1", "hs1")
	client, err := run.StartClient(t.Context(), server, "client")
	require.NoError(t, err)
	output := bufio.NewReader(client)
	for range 2 {
		_, err = io.WriteString(client, "/environment?name=SERVER_NAME\n")
		require.NoError(t, err)
		line, err := output.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, server.Name()+"\n", line)
	}
	assert.Contains(t, client.Log(), "a client of http://")

	require.NoError(t, client.Close(t.Context()))
	_, err = io.Copy(io.Discard, output)
	require.NoError(t, err, "its output ends with it")
	left, err := engine.List(t.Context(), cli, session.LabelRun+"="+run.options.Session.ID)
	require.NoError(t, err)
	for _, object := range left {
		assert.NotContains(t, object.Name, "-client")
	}
	require.NoError(t, client.Close(t.Context()), "closing twice does no harm")
}

func TestWithoutAnImageOfClients(t *testing.T) {
	run := newRuntime(t, Options{})
	assert.False(t, run.HasClients())
	_, err := run.StartClient(t.Context(), start(t, run, "d1", "hs1"), "client")
	assert.ErrorIs(t, err, runtime.ErrNotPossible)
}
