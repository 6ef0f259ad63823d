package outgoing

// What the tests share: a server that sends, and one that is sent to, with real keys, signatures and TLS.

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/federation/transport"
	"msc4014/reference/internal/loopback"
	"msc4014/reference/keyring"
	"msc4014/reference/store"
)

// received is a request as a server got it.
type received struct {
	method, uri, origin string
	body                []byte
}

// node is a server: it publishes its keys, checks what comes, and answers it.
type node struct {
	t      *testing.T
	name   string
	dir    string
	http   *httptest.Server
	store  *store.Store
	ring   *keyring.Keyring
	client *Client

	mu       sync.Mutex
	answer   func(received) (int, string)
	arrived  chan received
	handling sync.WaitGroup
}

func newNode(t *testing.T) *node {
	n := &node{t: t, dir: t.TempDir(), arrived: make(chan received, 1000)}
	n.answers(func(received) (int, string) { return http.StatusOK, `{"pdus":{}}` })
	n.listen(loopback.Reserve(t))
	n.open()
	return n
}

// listen answers on an address from now on.
func (n *node) listen(address string) {
	listener, err := net.Listen("tcp", address)
	require.NoError(n.t, err)
	server := httptest.NewUnstartedServer(n)
	require.NoError(n.t, server.Listener.Close())
	server.Listener = listener
	server.StartTLS()
	n.t.Cleanup(server.Close)
	n.http, n.name = server, listener.Addr().String()
}

// open starts the side that sends, with what its store has.
func (n *node) open() {
	pool := x509.NewCertPool()
	pool.AddCert(n.http.Certificate())
	var err error
	n.store, err = store.Open(n.dir)
	require.NoError(n.t, err)
	transported := transport.New(pool)
	n.ring, err = keyring.New(keyring.Config{ServerName: n.name, Store: n.store, Transport: transported})
	require.NoError(n.t, err)
	n.client, err = New(Config{
		ServerName: n.name, Transport: transported, Signer: n.ring, Store: n.store,
		Log: slog.New(slog.NewTextHandler(n.t.Output(), nil)),
	})
	require.NoError(n.t, err)
	n.t.Cleanup(n.close)
}

// close ends the side that sends.
func (n *node) close() {
	n.client.Close()
	n.ring.Close()
	_ = n.store.Close()
}

func (n *node) answers(how func(received) (int, string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = how
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_matrix/key/v2/server" {
		document, err := n.ring.OwnDocument()
		assert.NoError(n.t, err)
		_, _ = w.Write(document)
		return
	}
	n.handling.Add(1)
	defer n.handling.Done()
	body, _ := io.ReadAll(r.Body)
	origin, err := n.ring.CheckRequest(r, body)
	assert.NoError(n.t, err)
	got := received{r.Method, r.RequestURI, origin, body}
	n.mu.Lock()
	status, answer := n.answer(got)
	n.mu.Unlock()
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
	n.arrived <- got
}

// forget drops the requests that came until now. Their senders must have closed.
func (n *node) forget() {
	n.http.CloseClientConnections()
	n.handling.Wait()
	for len(n.arrived) > 0 {
		<-n.arrived
	}
}

// next waits for the next request.
func (n *node) next() received {
	n.t.Helper()
	select {
	case got := <-n.arrived:
		return got
	case <-time.After(time.Minute):
		require.FailNow(n.t, "nothing came within a minute")
		return received{}
	}
}

// transactionBody is what is sent.
type transactionBody struct {
	Origin string            `json:"origin"`
	At     int64             `json:"origin_server_ts"`
	PDUs   []json.RawMessage `json:"pdus"`
	EDUs   []EDU             `json:"edus"`
}

func (r received) transaction(t *testing.T) transactionBody {
	var body transactionBody
	require.NoError(t, json.Unmarshal(r.body, &body))
	return body
}
