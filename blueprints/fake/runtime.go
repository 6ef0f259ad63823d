// Package fake provides a runtime made of functions and a homeserver in the test process, for tests of code that uses a runtime.
package fake

import (
	"context"
	"fmt"
	"net"
	"sync"

	"msc4014/runtime"
)

// Runtime starts servers by a function. Its methods are safe for concurrent use.
type Runtime struct {
	// OnStart starts a server.
	OnStart func(ctx context.Context, options runtime.ServerOptions) (runtime.Server, error)

	mu     sync.Mutex
	closed bool
}

var _ runtime.Runtime = (*Runtime)(nil)

// Name returns "fake".
func (r *Runtime) Name() string { return "fake" }

// Start calls OnStart.
func (r *Runtime) Start(ctx context.Context, options runtime.ServerOptions) (runtime.Server, error) {
	return r.OnStart(ctx, options)
}

// NewPeer returns a peer address whose name is a loopback address with a free port.
func (r *Runtime) NewPeer() (runtime.PeerAddress, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return runtime.PeerAddress{}, fmt.Errorf("no free port for a peer: %w", err)
	}
	address := socket.Addr().String()
	return runtime.PeerAddress{Name: address, Listen: address, Socket: socket}, nil
}

// Close records the call.
func (r *Runtime) Close(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

// Closed reports whether Close was called.
func (r *Runtime) Closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// Separated is a Runtime whose servers may be unable to reach peers.
type Separated struct {
	*Runtime
	// OnTryPeer tries whether a server can connect to a peer.
	OnTryPeer func(ctx context.Context, name string) error
}

var _ runtime.Separated = (*Separated)(nil)

// TryPeer calls OnTryPeer.
func (s *Separated) TryPeer(ctx context.Context, name string) error { return s.OnTryPeer(ctx, name) }

// Server is a server of the fake runtime. Functions that are nil do nothing and succeed.
type Server struct {
	ServerName, Place, URL, Federation string
	OnStart, OnStop, OnKill            func(ctx context.Context) error

	mu      sync.Mutex
	calls   []string
	exited  chan struct{}
	ending  string
	killed  bool
	removed bool
}

var _ runtime.Server = (*Server)(nil)

// Exit simulates an unexpected exit of the server.
func (s *Server) Exit(text string, killed bool) {
	exited := s.exitedChannel()
	s.mu.Lock()
	s.ending, s.killed = text, killed
	s.mu.Unlock()
	close(exited)
}

func (s *Server) exitedChannel() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.exited == nil {
		s.exited = make(chan struct{})
	}
	return s.exited
}

// Calls returns the names of the calls that change the server ("stop", "kill", "start"), in order.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.calls...)
}

// Removed reports whether the server was removed.
func (s *Server) Removed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed
}

// Name returns ServerName.
func (s *Server) Name() string { return s.ServerName }

// Host returns Place.
func (s *Server) Host() string { return s.Place }

// ClientURL returns URL.
func (s *Server) ClientURL() string { return s.URL }

// FederationAddress returns Federation.
func (s *Server) FederationAddress() string { return s.Federation }

// Exited returns a channel that Exit closes.
func (s *Server) Exited() <-chan struct{} { return s.exitedChannel() }

// Ending returns the arguments of Exit.
func (s *Server) Ending() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending, s.killed
}

// Log returns one line.
func (s *Server) Log(int) string { return "the log of " + s.Place + "\n" }

func (s *Server) call(ctx context.Context, name string, do func(context.Context) error) error {
	s.mu.Lock()
	s.calls = append(s.calls, name)
	s.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx)
}

// Stop calls OnStop.
func (s *Server) Stop(ctx context.Context) error { return s.call(ctx, "stop", s.OnStop) }

// Kill calls OnKill.
func (s *Server) Kill(ctx context.Context) error { return s.call(ctx, "kill", s.OnKill) }

// Start calls OnStart. The server can Exit again after that.
func (s *Server) Start(ctx context.Context) error {
	if err := s.call(ctx, "start", s.OnStart); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exited, s.ending, s.killed = make(chan struct{}), "", false
	return nil
}

// Pause is not possible.
func (s *Server) Pause(context.Context) error { return runtime.ErrNotPossible }

// Resume is not possible.
func (s *Server) Resume(context.Context) error { return runtime.ErrNotPossible }

// CutOff records the call.
func (s *Server) CutOff(ctx context.Context) error { return s.call(ctx, "cut off", nil) }

// Rejoin records the call.
func (s *Server) Rejoin(ctx context.Context) error { return s.call(ctx, "rejoin", nil) }

// Remove records the call.
func (s *Server) Remove(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = true
	return nil
}
