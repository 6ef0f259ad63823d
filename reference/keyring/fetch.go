package keyring

// This file fetches the keys of other servers, with one request for all concurrent callers.

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"msc4014/reference/federation/transport"
	"msc4014/reference/store"
)

const (
	// fetchTimeout limits one attempt to fetch. Callers may give up earlier.
	fetchTimeout = 5 * time.Second
	// askAgainAfter is how long an insufficient response, or a failure, is kept before the server is asked again. It is
	// short, so that a server that comes back, or has a new key, is noticed soon.
	askAgainAfter = time.Second
	// maximumDocument is the maximum size of a response, in bytes.
	maximumDocument = 1 << 20
)

// server is what the keyring knows about another server.
type server struct {
	name   string
	mu     sync.Mutex
	known  *document     // the last valid one; nil if there was none
	asked  time.Time     // when the last attempt ended
	failed error         // of the last attempt
	flight chan struct{} // closed when the current attempt ends; nil if there is none
}

// server returns the entry of a server, loading it from the store on first use.
func (k *Keyring) server(name string) *server {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.servers[name]; ok {
		return known
	}
	s := &server{name: name}
	if kept, ok := k.documents.Get(name); ok {
		s.known, s.failed = readDocument(name, kept)
	}
	k.servers[name] = s
	return s
}

// document returns the keys of a server. It fetches them unless the known ones are enough. If that fails, or was tried
// just now, it returns the known keys, enough or not, and the error; at least one of the two is non-nil.
func (k *Keyring) document(ctx context.Context, name string, enough func(*document) bool) (known *document, failed error) {
	s := k.server(name)
	s.mu.Lock()
	if s.known != nil && enough(s.known) || !k.eachTime && k.now().Sub(s.asked) < askAgainAfter {
		defer s.mu.Unlock()
		return s.known, s.failed
	}
	if k.eachTime {
		s.mu.Unlock()
		raw, d, err := k.fetch(ctx, name)
		k.learn(s, raw, d, err, nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.known, err
	}
	if s.flight == nil && !k.start(s) {
		defer s.mu.Unlock()
		return s.known, context.Canceled
	}
	flight := s.flight
	s.mu.Unlock()
	select {
	case <-flight:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.known, s.failed
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.known, fmt.Errorf("the keys of %s are still being fetched: %w", name, ctx.Err())
	}
}

// start starts to fetch, and reports whether it did: it does not once the keyring is closed. The server must be locked.
func (k *Keyring) start(s *server) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	s.flight = make(chan struct{})
	k.flights.Go(func() { k.fly(s) })
	return true
}

// fly fetches the keys of a server. It does not use the context of the first caller: others wait for it too.
func (k *Keyring) fly(s *server) {
	ctx, cancel := k.within(k.lifetime, fetchTimeout)
	defer cancel()
	raw, d, err := k.fetch(ctx, s.name)
	k.learn(s, raw, d, err, func() {
		close(s.flight)
		s.flight = nil
	})
}

// learn records the result of an attempt; also is called under the same lock, and may be nil.
func (k *Keyring) learn(s *server, raw fetched, d *document, err error, also func()) {
	s.mu.Lock()
	s.asked, s.failed = k.now(), err
	if err == nil {
		if k.keep && s.known != nil {
			d.keep(s.known)
		}
		s.known = d
	}
	if also != nil {
		also()
	}
	s.mu.Unlock()
	if err != nil {
		return
	}
	// Waiting callers continue before this: they may be in the middle of an Update. A document that is not stored is
	// fetched again.
	_ = k.store.Update(func(tx *store.Tx) error { k.documents.Put(tx, s.name, raw); return nil })
}

// within limits how long to wait for keys.
func (k *Keyring) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, limit)
}

// fetch requests a server's keys: GET /_matrix/key/v2/server.
func (k *Keyring) fetch(ctx context.Context, name string) (fetched, *document, error) {
	answer, err := k.transport.Ask(ctx, transport.Request{
		Server: name, Method: http.MethodGet, URI: "/_matrix/key/v2/server", Limit: maximumDocument,
	})
	if err != nil {
		return fetched{}, nil, err
	}
	if answer.Status != http.StatusOK {
		return fetched{}, nil, fmt.Errorf("%s answered %d when it was asked for its keys", name, answer.Status)
	}
	f := fetched{Document: answer.Body, FetchedAt: k.now().UnixMilli()}
	d, err := readDocument(name, f)
	return f, d, err
}
