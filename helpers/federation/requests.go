package federation

// Requests of a peer to other servers: signed and recorded.

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/fclient"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/transcript"
)

// client holds one transport for each server, shared by all peers: X-Matrix tells who asks, not the connection.
type client struct {
	sw         *Switchboard
	mu         sync.Mutex
	transports map[string]*http.Transport
}

func newClient(sw *Switchboard) *client {
	return &client{sw: sw, transports: map[string]*http.Transport{}}
}

func (c *client) transport(serverName string) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.transports[serverName]
	if known == nil {
		known = &http.Transport{
			// The address is looked up for each connection: a restart may change it.
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var dialer net.Dialer
				return dialer.DialContext(ctx, network, c.sw.addressOf(serverName))
			},
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, ServerName: hostOf(serverName), RootCAs: c.sw.options.RootCAs},
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 2,
			IdleConnTimeout:     20 * time.Second,
			DisableCompression:  true,
		}
		c.transports[serverName] = known
	}
	return known
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, transport := range c.transports {
		transport.CloseIdleConnections()
	}
}

// addressOf returns the host:port to dial for a server.
func (sw *Switchboard) addressOf(serverName string) string {
	if peer := sw.Peer(serverName); peer != nil {
		return peer.address
	}
	if sw.options.Dial != nil {
		if address, ok := sw.options.Dial(serverName); ok {
			return address
		}
	}
	if _, _, err := net.SplitHostPort(serverName); err == nil {
		return serverName
	}
	return net.JoinHostPort(hostOf(serverName), "8448")
}

// Do sends a request to a server, signed by the peer's server key, and returns the answer, whatever its status and even if its
// body is out of bounds (Answer.Unread). It returns an error if there is no answer. uri is the escaped path with its query. body
// is JSON, sent byte for byte, or nil.
func (p *Peer) Do(ctx context.Context, server, method, uri string, body []byte) (Answer, error) {
	request := fclient.NewFederationRequest(method, spec.ServerName(p.name), spec.ServerName(server), uri)
	if err := foreign.CheckWork(body); err != nil { // it may quote another server
		return Answer{}, fmt.Errorf("%s cannot sign %s %s: %w", p.name, method, uri, err)
	}
	if body != nil && gjson.ValidBytes(body) {
		if err := request.SetContent(json.RawMessage(body)); err != nil {
			return Answer{}, fmt.Errorf("%s cannot sign %s %s: %w", p.name, method, uri, err)
		}
	}
	signer := p.Signer()
	if err := request.Sign(spec.ServerName(signer.Entity), gomatrixserverlib.KeyID(signer.KeyID), signer.Key); err != nil {
		return Answer{}, fmt.Errorf("%s cannot sign %s %s: %w", p.name, method, uri, err)
	}
	signed, err := request.HTTPRequest()
	if err != nil {
		return Answer{}, fmt.Errorf("%s cannot build the request %s %s: %w", p.name, method, uri, err)
	}
	// Only the signature is used: the library would encode the body anew.
	return p.exchange(ctx, server, method, uri, body, signed.Header.Values("Authorization"))
}

// ask sends a request that needs no signature.
func (p *Peer) ask(ctx context.Context, server, method, uri string, body []byte) (Answer, error) {
	return p.exchange(ctx, server, method, uri, body, nil)
}

func (p *Peer) exchange(ctx context.Context, server, method, uri string, body []byte, authorization []string) (Answer, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.sw.options.RequestTimeout)
		defer cancel()
	}
	url := "https://" + server + uri
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return Answer{}, fmt.Errorf("%s cannot build the request %s %s: %w", p.name, method, url, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("User-Agent", "msc4014-peer")
	for _, value := range authorization {
		request.Header.Add("Authorization", value)
	}
	record := transcript.Exchange{
		Direction: transcript.PeerRequest, Actor: p.name, Server: server, Started: time.Now(),
		Method: method, URL: url, RequestHeader: request.Header.Clone(), RequestBody: body,
	}
	if method == http.MethodPut {
		// PUT is idempotent in this API. The empty header, which is not sent, lets net/http retry a request on a connection that
		// the server had just closed.
		request.Header["X-Idempotency-Key"] = []string{}
	}
	answer, err := p.roundTrip(server, request)
	record.Duration = time.Since(record.Started)
	record.Status, record.ResponseHeader, record.ResponseBody = answer.Status, answer.Header, answer.Body
	var outOfBounds *foreign.Error
	switch {
	case errors.As(err, &outOfBounds):
		answer.Body, answer.Unread, err = nil, outOfBounds, nil
		record.Error = fmt.Sprintf("the answer of %s to %s %s: %v", server, method, uri, outOfBounds)
	case err != nil:
		err = fmt.Errorf("%s asked %s: %s %s: %w", p.name, server, method, uri, unwrapURL(err))
		record.Error = err.Error()
	}
	p.record(record)
	return answer, err
}

func (p *Peer) roundTrip(server string, request *http.Request) (Answer, error) {
	response, err := p.sw.client.transport(server).RoundTrip(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := foreign.Read(response.Body)
	answer := Answer{Status: response.StatusCode, Header: response.Header, Body: body}
	if err != nil {
		return answer, fmt.Errorf("the answer %d broke off: %w", response.StatusCode, err)
	}
	return answer, nil
}

// unwrapURL shortens the error of a passed deadline.
func unwrapURL(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return noAnswer{}
	}
	return err
}

// noAnswer is context.DeadlineExceeded with a clearer message.
type noAnswer struct{}

func (noAnswer) Error() string { return "no answer within the deadline" }
func (noAnswer) Unwrap() error { return context.DeadlineExceeded }
