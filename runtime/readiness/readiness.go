// Package readiness waits for a server that was started: it is ready when its client-server API answers
// GET /_matrix/client/versions with 200 and its federation port completes a TLS handshake and answers a request.
//
// This file has a single attempt; await.go repeats it.
package readiness

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	versionsPath = "/_matrix/client/versions"
	// federationPath needs no authentication. Any answer will do.
	federationPath = "/_matrix/federation/v1/version"
	// askTimeout bounds one request, so that one that hangs leaves time for the next, which may be answered.
	askTimeout = 5 * time.Second
	// longestBody and longestHeader bound what is read of a response, in bytes; longestDetail bounds what is shown of it, in
	// runes.
	longestBody   = 1 << 20
	longestHeader = 64 << 10
	longestDetail = 300
)

// Problem is why a server is not ready yet.
type Problem struct {
	What   string // what it did or did not do: "did not answer GET /_matrix/client/versions on port 8008"
	Detail string // the error behind it, "" for none
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.What
	}
	return p.What + ": " + p.Detail
}

// Server is a server and its addresses.
type Server struct {
	Name       string // its server name, which its TLS certificate must be for
	Client     string // the base URL of its client-server API
	Federation string // the host:port of its federation API
}

// Prober asks servers whether they are ready. Each request has its own connection, directly to the server. Redirects are
// not followed, because their target is chosen by the server under test.
type Prober struct {
	client *http.Client
	roots  *x509.CertPool
}

// NewProber returns a prober that trusts the certificates of these authorities.
func NewProber(roots *x509.CertPool) *Prober {
	return &Prober{client: newClient(&http.Transport{}), roots: roots}
}

func newClient(transport *http.Transport) *http.Client {
	transport.DisableKeepAlives = true
	transport.MaxResponseHeaderBytes = longestHeader
	return &http.Client{
		Transport: transport, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Ask asks a server on both ports. It returns nil if the server is ready, else a *Problem.
func (p *Prober) Ask(ctx context.Context, server Server) error {
	if err := p.askClient(ctx, server); err != nil {
		return err
	}
	return p.askFederation(ctx, server)
}

func (p *Prober) askClient(ctx context.Context, server Server) error {
	response, err := get(ctx, p.client, server.Client+versionsPath)
	if err != nil {
		return &Problem{"did not answer GET " + versionsPath + " on port 8008", detail(err)}
	}
	defer func() { _ = response.Body.Close() }()
	switch location := response.Header.Get("Location"); {
	case location != "" && response.StatusCode >= 300 && response.StatusCode < 400:
		return &Problem{
			fmt.Sprintf("answered GET %s only with a redirect (status %d, not followed)", versionsPath, response.StatusCode),
			"to " + quoted(location),
		}
	case response.StatusCode != http.StatusOK:
		return &Problem{What: fmt.Sprintf("answered GET %s only with status %d", versionsPath, response.StatusCode)}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, longestBody)); err != nil {
		return &Problem{"did not complete its response to GET " + versionsPath, detail(err)}
	}
	return nil
}

func (p *Prober) askFederation(ctx context.Context, server Server) error {
	client := newClient(&http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Federation)
		},
		TLSClientConfig: &tls.Config{RootCAs: p.roots},
	})
	response, err := get(ctx, client, "https://"+server.Name+federationPath)
	if err == nil {
		return response.Body.Close()
	}
	const clients = "answered clients on port 8008, but "
	var refused *net.OpError
	var distrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &distrusted):
		return &Problem{clients + "presented no certificate for its name, signed by the run's authority, on port 8448", detail(err)}
	case errors.As(err, &refused) && refused.Op == "dial":
		return &Problem{clients + "did not accept federation connections on port 8448", detail(err)}
	default:
		return &Problem{clients + "did not answer GET " + federationPath + " over TLS on port 8448", detail(err)}
	}
}

func get(ctx context.Context, client *http.Client, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return client.Do(request)
}

// detail returns the error without the request, which Problem.What names, escaped because it may contain server output.
func detail(err error) string {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	text := strconv.QuoteToGraphic(cut(err.Error()))
	return text[1 : len(text)-1]
}

func quoted(text string) string { return strconv.QuoteToGraphic(cut(text)) }

func cut(text string) string {
	if runes := []rune(text); len(runes) > longestDetail {
		return string(runes[:longestDetail]) + "..."
	}
	return text
}
