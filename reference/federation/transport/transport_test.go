package transport

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAddress(t *testing.T) {
	for name, want := range map[string]string{
		"example.org": "example.org:8448", "example.org:1": "example.org:1", "127.0.0.2": "127.0.0.2:8448",
		"[::1]": "[::1]:8448", "[::1]:2": "[::1]:2",
	} {
		address, err := Address(name)
		assert.NoError(t, err)
		assert.Equal(t, want, address)
	}
	for _, name := range []string{"", ":8448", "a/b", "a b", "user@host", "host:port", "host?x", "[::1"} {
		_, err := Address(name)
		assert.Error(t, err, name)
	}
}

// serve runs a server and returns its name and a transport that trusts it.
func serve(t *testing.T, handler http.HandlerFunc) (string, *Transport) {
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	transport := New(pool)
	t.Cleanup(transport.Close)
	return server.Listener.Addr().String(), transport
}

func TestAskSendsWhatItIsTold(t *testing.T) {
	name, transport := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "PUT", r.Method)
		assert.Equal(t, "/a%2Fb/%21c:d?x=%2B", r.RequestURI)
		assert.Equal(t, "token", r.Header.Get("Authorization"))
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, `{"a": "<"}`, string(body))
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "hello")
	})
	answer, err := transport.Ask(t.Context(), Request{
		Server: name, Method: "PUT", URI: "/a%2Fb/%21c:d?x=%2B", Authorization: "token", Body: []byte(`{"a": "<"}`), Limit: 5,
	})
	require.NoError(t, err)
	assert.Equal(t, Answer{http.StatusTeapot, []byte("hello")}, answer)
}

func TestAnswersThatAreTooLargeAreErrors(t *testing.T) {
	name, transport := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 11)) })
	_, err := transport.Ask(t.Context(), Request{Server: name, Method: "GET", URI: "/", Limit: 10})
	assert.ErrorContains(t, err, "more than the 10 bytes")
}

func TestServersThatNobodyVouchesForAreNotAsked(t *testing.T) {
	name, _ := serve(t, func(http.ResponseWriter, *http.Request) { assert.Fail(t, "it was asked") })
	_, err := New(x509.NewCertPool()).Ask(t.Context(), Request{Server: name, Method: "GET", URI: "/", Limit: 10})
	assert.ErrorContains(t, err, "certificate")
}

func TestServerThatHangsEndsWithTheContext(t *testing.T) {
	gate := make(chan struct{})
	name, transport := serve(t, func(http.ResponseWriter, *http.Request) { <-gate })
	defer close(gate)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := transport.Ask(ctx, Request{Server: name, Method: "GET", URI: "/", Limit: 10})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
