// Package federation plays homeservers: peers, each with a name, a TLS certificate and a server key of its own, all in
// this process. A peer is honest by default; a check makes it lie by altering an event before it is signed (Template),
// or an answer before it is written (Peer.Handle). Nothing here fails a check: every function returns an error that
// tells what was tried, on what, and what came of it.
//
// This file holds the switchboard, which all peers of a run share: their names, and the marks that tell what the suite
// itself wrote from what the candidate wrote.
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

// Options say where peers live and how they reach the servers under test.
type Options struct {
	// NewPeer hands out a name that was never used before, and where to listen for it (runtime.Runtime.NewPeer).
	NewPeer func() (runtime.PeerAddress, error)
	// Issue makes a TLS certificate for the names (host names or IP addresses, without ports).
	Issue func(names ...string) (tls.Certificate, error)
	// RootCAs are the authorities that peers trust when they dial; nil means the system's.
	RootCAs *x509.CertPool
	// Dial tells the host:port where the federation API of a server under test is reached from this process. It is
	// asked again for each new connection. Names that it does not know are dialled as they stand, port 8448.
	Dial func(serverName string) (address string, ok bool)
	// Format is the one of pseudonymous rooms that peers make and expect where an event does not tell its dialect;
	// zero means pseudoid.FormatDendrite.
	Format pseudoid.Format
	// OnReceivedEvent is called for each event that a server other than our own peers sent to a peer or served to it
	// (templates excluded); room is nil when the peer is not in the event's room. It must not block.
	OnReceivedEvent func(peer *Peer, room *Room, origin string, event Event)
	// RequestTimeout ends a peer's request whose context has no deadline; zero means 30 seconds.
	RequestTimeout time.Duration
}

// Switchboard plays any number of peers. Its methods are safe for use by several goroutines.
type Switchboard struct {
	options Options
	keys    *keyCache
	client  *client

	// background is for listeners and for what peers do on their own (forwarding joins); Close ends it.
	background sync.WaitGroup
	lifetime   context.Context
	end        context.CancelFunc

	reached atomic.Bool // a connection has reached a listener

	mu        sync.Mutex
	closed    bool
	listeners map[string]*listener // by Listen address
	peers     map[string]*Peer     // by server name
	marks     marks
}

// New makes a switchboard without peers. It listens nowhere until the first peer is made.
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

// NewPeer makes a peer under a name and with a key that were never used before. Its exchanges go to sink, which may be
// nil. A format replaces the one of Options for this peer's pseudonymous rooms.
func (sw *Switchboard) NewPeer(sink transcript.Sink, format ...pseudoid.Format) (*Peer, error) {
	address, err := sw.options.NewPeer()
	if err != nil {
		return nil, fmt.Errorf("no name for a new peer: %w", err)
	}
	peer, err := sw.newPeerAt(address, sink, format...)
	if err != nil && address.Socket != nil {
		_ = address.Socket.Close()
	}
	return peer, err
}

// newPeerAt makes a peer that listens at an address.
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
		return nil, fmt.Errorf("the peer name %s was handed out twice", address.Name)
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

// Close ends all peers and their listeners. It is safe to call it twice.
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

// OurServer tells whether name is a peer's, of this switchboard.
func (sw *Switchboard) OurServer(name string) bool {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	return sw.peers[name] != nil
}

// Peer returns the peer of that name, nil if there is none.
func (sw *Switchboard) Peer(name string) *Peer {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	return sw.peers[name]
}

// Reached reports whether any TCP connection has ever reached a listener, whatever became of it.
func (sw *Switchboard) Reached() bool { return sw.reached.Load() }

// inBackground runs what a peer does on its own; its context ends when the switchboard is closed.
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
