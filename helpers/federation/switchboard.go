// Package federation implements homeservers for checks: peers, each with its own name, TLS certificate and server key, all in this
// process. A peer follows the protocol unless a check alters an event before it is signed (Template) or an answer before it is
// sent (Peer.Handle). Nothing here fails a check: functions return errors.
//
// This file holds the switchboard, which the peers of a run share: their names, and the marks that distinguish the suite's own
// events from those of the candidate.
package federation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// Options configures the addresses of peers and how they reach the servers under test.
type Options struct {
	// NewPeer returns a new server name and the address to listen on (runtime.Runtime.NewPeer).
	NewPeer func() (runtime.PeerAddress, error)
	// Issue issues a TLS certificate for names (host names or IP addresses, without ports).
	Issue func(names ...string) (tls.Certificate, error)
	// RootCAs are the authorities that peers trust as clients; nil means the system's.
	RootCAs *x509.CertPool
	// Dial returns the host:port of the federation API of a server under test. It is called for each new connection. Unknown names
	// are dialled as they are, by default at port 8448.
	Dial func(serverName string) (address string, ok bool)
	// Format is the default format of peers; zero means pseudoid.FormatDendrite. See Peer.SetFormat.
	Format pseudoid.Format
	// OnReceivedEvent is called for each event that a server other than our own peers sent or returned to a peer, except
	// templates; room is nil if the peer is not in the event's room. It must not block.
	OnReceivedEvent func(peer *Peer, room *Room, origin string, event Event)
	// RequestTimeout ends a peer's request whose context has no deadline; zero means 30 seconds.
	RequestTimeout time.Duration
}

// Switchboard holds any number of peers. Its methods are safe for concurrent use.
type Switchboard struct {
	options Options
	keys    *keyCache
	client  *client

	// background counts listeners and work in the background (forwarding events); Close ends both.
	background sync.WaitGroup
	lifetime   context.Context
	end        context.CancelFunc

	reached atomic.Bool // see Reached

	mu        sync.Mutex
	closed    bool
	listeners map[string]*listener // by Listen address
	peers     map[string]*Peer     // by server name
	marks     marks
}

// New returns a switchboard without peers.
func New(options Options) *Switchboard {
	if options.Format.RoomVersion == "" {
		options.Format = pseudoid.FormatDendrite
	}
	if options.RequestTimeout == 0 {
		options.RequestTimeout = 30 * time.Second
	}
	sw := &Switchboard{
		options:   options,
		listeners: map[string]*listener{},
		peers:     map[string]*Peer{},
		marks:     newMarks(),
	}
	sw.lifetime, sw.end = context.WithCancel(context.Background())
	sw.client = newClient(sw)
	sw.keys = newKeyCache()
	return sw
}

// NewPeer starts a peer with a new name and a new key. Its exchanges go to sink, which may be nil. A format replaces Options.Format.
func (sw *Switchboard) NewPeer(sink transcript.Sink, format ...pseudoid.Format) (*Peer, error) {
	address, err := sw.options.NewPeer()
	if err != nil {
		return nil, fmt.Errorf("get a name for a new peer: %w", err)
	}
	peer, err := sw.newPeerAt(address, sink, format...)
	if err != nil && address.Socket != nil {
		_ = address.Socket.Close()
	}
	return peer, err
}

// newPeerAt starts a peer at an address.
func (sw *Switchboard) newPeerAt(address runtime.PeerAddress, sink transcript.Sink, format ...pseudoid.Format) (*Peer, error) {
	peer, err := newPeer(sw, address, sink)
	if err != nil {
		return nil, err
	}
	if len(format) > 0 {
		peer.format = format[0]
	}
	sw.mu.Lock()
	defer sw.mu.Unlock()
	if sw.closed {
		return nil, errors.New("the switchboard is closed: no new peers")
	}
	if sw.peers[address.Name] != nil {
		return nil, fmt.Errorf("the peer name %s was used twice", address.Name)
	}
	listening := sw.listeners[address.Listen]
	if listening == nil {
		if listening, err = sw.listen(address); err != nil {
			return nil, fmt.Errorf("peer %s cannot listen on %s: %w", address.Name, address.Listen, err)
		}
		sw.listeners[address.Listen] = listening
	}
	listening.add(peer)
	sw.peers[address.Name] = peer
	return peer, nil
}

// Close closes all peers and their listeners. It may be called twice.
func (sw *Switchboard) Close() error {
	sw.mu.Lock()
	if sw.closed {
		sw.mu.Unlock()
		return nil
	}
	sw.closed = true
	sw.end()
	listeners := sw.listeners
	peers := make([]*Peer, 0, len(sw.peers))
	for _, peer := range sw.peers {
		peers = append(peers, peer)
	}
	sw.mu.Unlock()
	for _, peer := range peers {
		peer.Close()
	}
	var failures []error
	for _, listening := range listeners {
		if err := listening.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			failures = append(failures, err)
		}
	}
	sw.client.close()
	sw.background.Wait()
	return errors.Join(failures...)
}

// isPeer reports whether name is that of a peer.
func (sw *Switchboard) isPeer(name string) bool {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	return sw.peers[name] != nil
}

// Peer returns the peer of that name, or nil.
func (sw *Switchboard) Peer(name string) *Peer {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	return sw.peers[name]
}

// Reached reports whether a listener has ever accepted a TCP connection.
func (sw *Switchboard) Reached() bool { return sw.reached.Load() }

// inBackground runs work with a context that ends after Options.RequestTimeout, or when the switchboard is closed.
func (sw *Switchboard) inBackground(work func(ctx context.Context)) {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	if sw.closed {
		return
	}
	sw.background.Add(1)
	go func() {
		defer sw.background.Done()
		ctx, cancel := context.WithTimeout(sw.lifetime, sw.options.RequestTimeout)
		defer cancel()
		work(ctx)
	}()
}
