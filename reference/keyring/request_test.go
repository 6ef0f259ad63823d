package keyring

import (
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/matrix-org/gomatrixserverlib/fclient"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const requestURI = "/_matrix/federation/v1/send/1%2F2?a=%21b%3Ac"

// request makes a request as a server gets it.
func request(method, uri, body, authorization string) *http.Request {
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	return r
}

func TestSignedRequestIsTaken(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	for _, body := range []string{"", `{"b":1,"a":"<\u00e9é>"}`, `{"float":1.50}`} {
		authorization := signAs(t, p, "own.test", http.MethodPut, requestURI, body)
		origin, err := k.CheckRequest(request(http.MethodPut, requestURI, body, authorization), []byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, p.name, origin)
	}
}

// TestOwnRequestIsSigned takes in what SignRequest made as its destination does, whose keyring knows the own name alone.
func TestOwnRequestIsSigned(t *testing.T) {
	k := newRing(t, "own.test", t.TempDir())
	body := `{"b":1,"a":"<é>"}`
	authorization, err := k.SignRequest(http.MethodPut, "own.test", requestURI, []byte(body))
	require.NoError(t, err)
	origin, err := k.CheckRequest(request(http.MethodPut, requestURI, body, authorization), []byte(body))
	require.NoError(t, err)
	assert.Equal(t, "own.test", origin)
}

func TestRequestsThatAreRefused(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	liar := newPublisher(t)
	body := `{"a":1}`
	good := signAs(t, p, "own.test", http.MethodPut, requestURI, body)
	elsewhere := signAs(t, p, "other.test", http.MethodPut, requestURI, body)
	for name, r := range map[string]*http.Request{
		"another method":        request(http.MethodPost, requestURI, body, good),
		"another path":          request(http.MethodPut, strings.Replace(requestURI, "send", "s", 1), body, good),
		"another spelling":      request(http.MethodPut, strings.Replace(requestURI, "%21", "!", 1), body, good),
		"another origin":        request(http.MethodPut, requestURI, body, strings.Replace(good, p.name, liar.name, 1)),
		"another key ID":        request(http.MethodPut, requestURI, body, strings.Replace(good, "ed25519:a", "ed25519:b", 1)),
		"for another server":    request(http.MethodPut, requestURI, body, elsewhere),
		"as if it were for us":  request(http.MethodPut, requestURI, body, strings.Replace(elsewhere, "other.test", "own.test", 1)),
		"an origin with a path": request(http.MethodPut, requestURI, body, strings.Replace(good, p.name, p.name+"/x", 1)),
		"no header":             request(http.MethodPut, requestURI, body, ""),
		"a client's token":      request(http.MethodPut, requestURI, body, "Bearer token"),
		"an empty header":       request(http.MethodPut, requestURI, body, "X-Matrix"),
	} {
		_, err := k.CheckRequest(r, []byte(body))
		assert.Error(t, err, name)
		assert.NotErrorIs(t, err, ErrNotJSON, name)
	}
	_, err := k.CheckRequest(request(http.MethodPut, requestURI, "", good), []byte(`{"a":2}`))
	assert.Error(t, err, "another body")
	_, err = k.CheckRequest(request(http.MethodPut, requestURI, "", good), []byte(body))
	assert.NoError(t, err)

	k.advance(p.until.Sub(start) + time.Second)
	_, err = k.CheckRequest(request(http.MethodPut, requestURI, "", good), []byte(body))
	assert.ErrorContains(t, err, "was valid until")
}

func TestBodiesThatAreNoStrictJSON(t *testing.T) {
	k := newRing(t, "own.test", t.TempDir())
	for _, body := range []string{
		`{`, `{"a":1} {}`, `{"a":1,"a":1}`, `[{"b":{"a":1,"\u0061":2}}]`, "{\"a\":\"\xff\"}", strings.Repeat("[", 1<<20),
	} {
		_, err := k.CheckRequest(request(http.MethodPut, requestURI, "", ""), []byte(body))
		assert.ErrorIs(t, err, ErrNotJSON, "%.40q", body)
	}
	for _, body := range []string{``, `{}`, `[{"a":1},{"a":1}]`, `1e999`} {
		_, err := k.CheckRequest(request(http.MethodPut, requestURI, "", ""), []byte(body))
		assert.NotErrorIs(t, err, ErrNotJSON, body)
	}
}

// signAs signs a request by a publisher's key, with the library of others.
func signAs(t *testing.T, p *publisher, destination, method, uri, body string) string {
	t.Helper()
	r := fclient.NewFederationRequest(method, spec.ServerName(p.name), spec.ServerName(destination), uri)
	if body != "" {
		require.NoError(t, r.SetContent(spec.RawJSON(body)))
	}
	require.NoError(t, r.Sign(spec.ServerName(p.name), "ed25519:a", ed25519.PrivateKey(p.keys["ed25519:a"])))
	signed, err := r.HTTPRequest()
	require.NoError(t, err)
	return signed.Header.Get("Authorization")
}
