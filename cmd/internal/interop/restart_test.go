package interop

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

// TestReferenceFollowsTheImageContract tests the client API on one port; the federation API on the other, with a certificate
// for SERVER_NAME signed by the run's authority; and data that survives a stop and a kill.
func TestReferenceFollowsTheImageContract(t *testing.T) {
	for _, runtimeName := range []string{"process", "docker"} {
		t.Run(runtimeName, func(t *testing.T) {
			if runtimeName == "docker" {
				needEngine(t)
			}
			world := deploy(t, runtimeName, "reference")
			server := world.servers["reference"]
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			alice, err := api(server).Register(ctx, "alice", "a long password")
			require.NoError(t, err)
			assert.Equal(t, "@alice:"+server.Name(), alice.UserID)
			room, err := alice.CreateRoom(ctx, map[string]any{"room_version": pseudoid.RoomVersion})
			require.NoError(t, err)
			keys := world.keys(t, server)
			assert.NotEmpty(t, keys)

			for how, end := range map[string]func(context.Context) error{"stopped": server.Stop, "killed": server.Kill} {
				said, err := alice.SendMessage(ctx, room, "said before the server was "+how)
				require.NoError(t, err)
				require.NoError(t, end(ctx))
				alice.Server.CloseIdleConnections()
				require.NoError(t, server.Start(ctx))
				event, err := alice.Event(ctx, room, said)
				require.NoError(t, err)
				assert.Equal(t, "said before the server was "+how, event.Get("content.body").String())
				assert.Equal(t, keys, world.keys(t, server), "the signing keys, after the server was %s", how)
			}
		})
	}
}

// keys requests a server's signing keys over TLS, trusting only the run's authority.
func (d deployment) keys(t *testing.T, server runtime.Server) string {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.issuer.Pool(), ServerName: server.Name()}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	answer, err := client.Get("https://" + server.FederationAddress() + "/_matrix/key/v2/server")
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	document, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Equal(t, server.Name(), gjson.GetBytes(document, "server_name").String())
	return gjson.GetBytes(document, "verify_keys").Raw
}

// needEngine skips a test if no container engine answers.
func needEngine(t *testing.T) {
	t.Helper()
	client, err := engine.Connect(t.Context())
	if err != nil {
		t.Skipf("no container engine answers: %v", err)
	}
	_ = client.Close()
}
