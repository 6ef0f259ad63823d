// Package transport connects to other servers: it resolves server names, speaks TLS, and limits the time and size of
// each exchange.
//
// Server names are resolved only in the simplest way: a name with a port is dialled as it is, a name without one on
// port 8448, and the certificate must be for the host (server-server API, "Resolving server names", steps 1, 2 and 6).
// .well-known files and SRV records are not looked up: they serve delegated names, which private test networks do not
// have.
package transport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// defaultPort is the port of names without one.
const defaultPort = "8448"

// Limits on connecting; a whole exchange is limited by its context.
const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	idleTimeout      = 30 * time.Second
)

// Transport keeps connections to other servers. It is safe for concurrent use.
type Transport struct{ http *http.Transport }

// New returns a transport that trusts certificates issued by rootCAs; nil means the system's.
func New(rootCAs *x509.CertPool) *Transport {
	return &Transport{&http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: handshakeTimeout,
		// The name to verify is the host that is dialled: net/http fills it in.
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: rootCAs},
		// HTTP/1.1 closes a connection whose request got no response; HTTP/2 would reuse it.
		ForceAttemptHTTP2:   false,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true,
	}}
}

// Close closes idle connections.
func (t *Transport) Close() { t.http.CloseIdleConnections() }

// Request is a request to a server. URI is the path with its query, escaped as it is sent. Body is JSON, sent byte for
// byte, or nil. A response of more than Limit bytes is an error.
type Request struct {
	Server, Method, URI string
	Authorization       string // value of the header, or ""
	Body                []byte
	Limit               int64
}

// Answer is a server's response, whatever its status.
type Answer struct {
	Status int
	Body   []byte
}

// Ask sends a request and returns the response. It returns an error if there was none, or none that can be used.
func (t *Transport) Ask(ctx context.Context, r Request) (Answer, error) {
	answer, err := t.ask(ctx, r)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s on %s: %w", r.Method, r.URI, r.Server, plain(err))
	}
	return answer, nil
}

func (t *Transport) ask(ctx context.Context, r Request) (Answer, error) {
	request, err := httpRequest(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	response, err := t.http.RoundTrip(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, r.Limit+1))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("the answer %d broke off: %w", response.StatusCode, err)
	case int64(len(body)) > r.Limit:
		return Answer{}, fmt.Errorf("the answer %d has more than the %d bytes that are read", response.StatusCode, r.Limit)
	}
	return Answer{Status: response.StatusCode, Body: body}, nil
}

func httpRequest(ctx context.Context, r Request) (*http.Request, error) {
	address, err := Address(r.Server)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if r.Body != nil {
		body = bytes.NewReader(r.Body)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, "https://"+address+r.URI, body)
	if err != nil {
		return nil, err
	}
	if sent := request.URL.RequestURI(); sent != r.URI { // otherwise the signature would not match
		return nil, fmt.Errorf("the URI would be sent as %s", sent)
	}
	request.Host = r.Server
	request.Header.Set("User-Agent", "msc4014-reference")
	if r.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.Authorization != "" {
		request.Header.Set("Authorization", r.Authorization)
	}
	// This lets net/http retry a request, even a POST, on a connection that the server has just closed; the header is
	// not sent.
	request.Header["X-Idempotency-Key"] = []string{}
	return request, nil
}

// Address returns the host:port to dial for a server name. It returns an error if the name is invalid.
func Address(serverName string) (string, error) {
	u, err := url.Parse("//" + serverName)
	if err != nil || u.Host != serverName || u.Hostname() == "" {
		return "", fmt.Errorf("%q is not a server name", serverName)
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), defaultPort)), nil
}

// plain shortens errors of net/http.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	return err
}
