package blueprints

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
	"msc4014/runtime"
)

// Authority is the certificate authority of a run (runtime/authority).
type Authority interface {
	Issue(names ...string) (tls.Certificate, error)
	Pool() *x509.CertPool
}

// World is what one run of the suite has: servers of candidates, and peers. It makes deployments. Its methods are safe
// for use by several goroutines.
type World struct {
	Runtime runtime.Runtime
	Peers   *federation.Switchboard
	// Artifacts are what the servers run; reasons name the candidates by them. Set before the first deployment.
	Artifacts runtime.Artifacts

	count   atomic.Int64
	mu      sync.Mutex
	servers map[string]runtime.Server // by server name, for peers that dial them
	owners  map[string]string         // the check that each peer was made for, by the peer's name
	facts   map[string]Facts          // by host, of hosts whose candidate was asked
}

var (
	_ check.Deployments = (*World)(nil)
	_ stage.World       = (*World)(nil)
)

// NewWorld makes the world of a run. received is told of each event that a candidate sent or served to a peer.
func NewWorld(chosen runtime.Runtime, authority Authority, received func(*federation.Peer, *federation.Room, string, federation.Event)) *World {
	world := &World{Runtime: chosen, servers: map[string]runtime.Server{}, owners: map[string]string{}, facts: map[string]Facts{}}
	world.Peers = federation.New(federation.Options{
		NewPeer:         chosen.NewPeer,
		Issue:           authority.Issue,
		RootCAs:         authority.Pool(),
		Dial:            world.dial,
		OnReceivedEvent: received,
	})
	return world
}

// dial returns where a server's federation API is reached now.
func (w *World) dial(serverName string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	server, known := w.servers[serverName]
	if !known {
		return "", false
	}
	return server.FederationAddress(), true
}

// New starts a deployment of the named blueprint and prepares its healthy rooms.
func (w *World) New(ctx context.Context, name string) (check.Deployment, error) {
	blueprint, err := ByName(name)
	if err != nil {
		return nil, err
	}
	return w.start(ctx, blueprint)
}

// Servers returns the servers of a deployment that New made, by place.
func (w *World) Servers(deployment check.Deployment) []runtime.Server {
	return deployment.(*Deployment).servers
}

// CutsOff reports whether servers can be cut off from the federation, which plain processes cannot: they share a network.
func (w *World) CutsOff() bool { return w.Runtime.Name() != "process" }

func (w *World) start(ctx context.Context, blueprint stage.Blueprint) (*Deployment, error) {
	deployment := &Deployment{
		world:   w,
		id:      fmt.Sprintf("d%d", w.count.Add(1)),
		servers: make([]runtime.Server, blueprint.Servers),
		died:    make(chan struct{}),
		closed:  make(chan struct{}),
	}
	err := deployment.eachServer(func(place int) error {
		server, err := w.Runtime.Start(ctx, runtime.ServerOptions{
			Deployment: deployment.id, Host: hostAt(place), Ephemeral: !blueprint.Restarted,
		})
		if err != nil {
			return err
		}
		deployment.servers[place] = server
		deployment.watch(server)
		w.mu.Lock()
		w.servers[server.Name()] = server
		w.mu.Unlock()
		return nil
	})
	if err == nil {
		err = deployment.prepareHealth(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, deployment.removeStarted(context.WithoutCancel(ctx)))
	}
	return deployment, nil
}

// removeStarted removes the servers of a deployment that could not be started.
func (d *Deployment) removeStarted(ctx context.Context) error {
	d.unwatch.Do(func() { close(d.closed) })
	return d.eachServer(func(place int) error {
		server := d.servers[place]
		if server == nil {
			return nil
		}
		d.world.forget(server)
		return server.Remove(ctx)
	})
}

// forget makes a server unknown to peers.
func (w *World) forget(server runtime.Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.servers, server.Name())
}

// Close ends the peers and removes everything that the run made in its runtime.
func (w *World) Close(ctx context.Context) error {
	return errors.Join(w.Peers.Close(), w.Runtime.Close(ctx))
}

// ClientAPI is a server's client-server API, with a check's transcript.
func (d *Deployment) ClientAPI(place int) csapi.Server {
	server := d.servers[place]
	return csapi.Server{Name: server.Name(), BaseURL: server.ClientURL}
}
