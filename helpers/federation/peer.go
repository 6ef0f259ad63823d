package federation

// A peer: a homeserver played by the suite, with its name, its server key, its users and its rooms.

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// ServerKeyID is the key ID of every peer's server key, unless the peer replaces it.
const ServerKeyID = "ed25519:peer1"

// Peer is a homeserver played by the suite. Its methods are safe for concurrent use.
type Peer struct {
	sw      *Switchboard
	name    string
	address string          // where it listens
	format  pseudoid.Format // of its pseudonymous rooms
	done    chan struct{}   // closed by Close

	mu       sync.Mutex
	signer   Signer // with the server key
	sink     transcript.Sink
	closed   bool
	users    map[string]*User // by localpart
	rooms    map[string]*Room
	aliases  map[string]*Room
	hooks    map[Endpoint][]*registeredHook
	requests []Request
	open     map[*transcript.Exchange]struct{} // requests without an answer yet
	txns     map[string]Answer                 // answers to transactions, by origin and transaction ID
	received receivedLog
	counter  int
}

func newPeer(sw *Switchboard, address runtime.PeerAddress, sink transcript.Sink) (*Peer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a server key for peer %s: %w", address.Name, err)
	}
	return &Peer{
		sw:       sw,
		name:     address.Name,
		address:  address.Listen,
		signer:   Signer{Entity: address.Name, KeyID: ServerKeyID, Key: key},
		format:   sw.options.Format,
		done:     make(chan struct{}),
		sink:     sink,
		users:    map[string]*User{},
		rooms:    map[string]*Room{},
		aliases:  map[string]*Room{},
		hooks:    map[Endpoint][]*registeredHook{},
		open:     map[*transcript.Exchange]struct{}{},
		txns:     map[string]Answer{},
		received: newReceivedLog(),
	}, nil
}

// Name returns the server name.
func (p *Peer) Name() string { return p.name }

// Switchboard returns the switchboard that the peer belongs to.
func (p *Peer) Switchboard() *Switchboard { return p.sw }

// Format returns the format of the peer's pseudonymous rooms.
func (p *Peer) Format() pseudoid.Format {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.format
}

// SetFormat sets the format of the pseudonymous rooms that the peer creates, and of events that do not tell theirs.
func (p *Peer) SetFormat(format pseudoid.Format) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.format = format
}

// Signer returns a signer with the peer's server key.
func (p *Peer) Signer() Signer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signer
}

// ReplaceKey gives the peer a new server key under a key ID. From then on it signs with that key and publishes no other one, as
// a server does that was set up anew.
func (p *Peer) ReplaceKey(keyID string) {
	pair := pseudoid.GenerateKeyPair()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signer = Signer{Entity: p.name, KeyID: keyID, Key: pair.Private}
}

// publicKey returns the public key of a signer.
func (s Signer) publicKey() ed25519.PublicKey { return s.Key.Public().(ed25519.PublicKey) }

// Room returns the peer's model of a room, or nil if the peer is not in it.
func (p *Peer) Room(roomID string) *Room {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rooms[roomID]
}

// Close ends the peer's part in its check. The peer goes on publishing its keys, for servers that have its events, and accepting
// transactions, so that no server retries them. All other requests get 404, and nothing is recorded any more.
func (p *Peer) Close() {
	sink, open := p.end()
	for _, exchange := range open { // requests that are held to the end of the check belong to its transcript
		exchange.Duration, exchange.Error = time.Since(exchange.Started), "the peer had not answered when the check ended"
		sink.Record(exchange)
	}
}

// end closes the peer, once, and returns its sink and, if that is not nil, the exchanges without an answer.
func (p *Peer) end() (sink transcript.Sink, open []transcript.Exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil
	}
	p.closed = true
	close(p.done)
	if p.sink != nil {
		for exchange := range p.open {
			open = append(open, *exchange)
		}
	}
	sink, p.sink = p.sink, nil
	p.hooks = map[Endpoint][]*registeredHook{}
	p.requests = nil
	p.rooms, p.aliases, p.txns = map[string]*Room{}, map[string]*Room{}, map[string]Answer{}
	p.received.clear()
	return sink, open
}

func (p *Peer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *Peer) record(exchange transcript.Exchange) {
	p.mu.Lock()
	sink := p.sink
	p.mu.Unlock()
	if sink != nil {
		sink.Record(exchange)
	}
}

// next returns a number that is unique to the peer, for transaction IDs and room IDs.
func (p *Peer) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counter++
	return p.counter
}

// addRoom adds a room unless the peer has one of that ID, and returns the one that it has then.
func (p *Peer) addRoom(room *Room) *Room {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.rooms[room.id]; known != nil {
		return known
	}
	p.rooms[room.id] = room
	return room
}
