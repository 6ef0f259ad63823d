package readiness

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/authority"
)

// closedAddress returns a loopback address where nothing listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestAsk(t *testing.T) {
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(elsewhere.Close)

	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	serve := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	federate := func(name string, handler http.Handler) string {
		certificate, err := issuer.Issue(name)
		require.NoError(t, err)
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = nil
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	const name = "hs1.d1.msc4014.test"
	wellClients, wellFederation := serve(answer(200)), federate(name, answer(200))
	for what, each := range map[string]struct {
		client, federation string
		want               string // "": ready
	}{
		"ready":                       {wellClients, wellFederation, ""},
		"any answer of federation":    {wellClients, federate(name, answer(404)), ""},
		"a redirect of federation":    {wellClients, federate(name, answer(302, "Location", elsewhere.URL)), ""},
		"nothing on 8008":             {"http://" + closedAddress(t), wellFederation, "did not answer GET /_matrix/client/versions on port 8008: dial tcp"},
		"503 for clients":             {serve(answer(503)), wellFederation, "answered GET /_matrix/client/versions only with status 503"},
		"a redirect of clients":       {serve(answer(302, "Location", elsewhere.URL)), wellFederation, `only with a redirect (status 302, not followed): to "` + elsewhere.URL},
		"an answer that breaks off":   {serve(answer(200, "Content-Length", "10")), wellFederation, "did not complete its response to GET /_matrix/client/versions"},
		"nothing on 8448":             {wellClients, closedAddress(t), "answered clients on port 8008, but did not accept federation connections on port 8448: dial tcp"},
		"no TLS on 8448":              {wellClients, strings.TrimPrefix(wellClients, "http://"), "over TLS on port 8448"},
		"a certificate for others":    {wellClients, federate("other.test", answer(200)), "presented no certificate for its name, signed by the run's authority, on port 8448"},
		"control characters of names": {wellClients, federate("\x1b[31m.test", answer(200)), `\x1b[31m`},
	} {
		t.Run(what, func(t *testing.T) {
			err := NewProber(issuer.Pool()).Ask(t.Context(), Server{Name: name, Client: each.client, Federation: each.federation})
			if each.want == "" {
				assert.NoError(t, err)
				return
			}
			var problem *Problem
			require.ErrorAs(t, err, &problem)
			assert.Contains(t, problem.Error(), each.want)
			assert.NotContains(t, problem.Error(), "\x1b")
		})
	}
	assert.Zero(t, asked.Load(), "a redirect was followed")
}

func TestAskEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = NewProber(nil).Ask(ctx, Server{Name: "hs1", Client: "http://" + silent.Addr().String(), Federation: silent.Addr().String()})
	assert.ErrorContains(t, err, "context canceled")
}
