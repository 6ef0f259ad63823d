package engine

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusing returns a client for an engine that has one network, without containers, and refuses to remove it.
func refusing(t *testing.T, why string) client.APIClient {
	t.Helper()
	const network = `{"Id":"n1","Name":"msc4014-x-access","Labels":{"a":"b"},"Containers":{}}`
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"message":%q}`, why)
		case strings.HasSuffix(r.URL.Path, "/networks"):
			_, _ = fmt.Fprint(w, "["+network+"]")
		case strings.HasSuffix(r.URL.Path, "/networks/n1"):
			_, _ = fmt.Fprint(w, network)
		case strings.HasSuffix(r.URL.Path, "/volumes"):
			_, _ = fmt.Fprint(w, `{"Volumes":[]}`)
		default:
			_, _ = fmt.Fprint(w, "[]")
		}
	}))
	t.Cleanup(engine.Close)
	connected, err := client.NewClientWithOpts(client.WithHost("tcp://"+engine.Listener.Addr().String()), client.WithVersion("1.41"))
	require.NoError(t, err)
	return connected
}

func TestOnlyANetworkThatTheEngineMiscountsIsLeft(t *testing.T) {
	removed, err := Remove(t.Context(), refusing(t, "network n1 has active endpoints"), "a=b")
	require.NoError(t, err)
	assert.Zero(t, removed, "what is left was not removed")

	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // longer than Remove tries a miscounted one
	defer cancel()
	_, err = Remove(ctx, refusing(t, "not today"), "a=b")
	assert.ErrorContains(t, err, "not today")
}
