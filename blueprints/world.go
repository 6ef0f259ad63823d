package blueprints

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"msc4014/helpers/appservice"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// Authority is the certificate authority of a run (runtime/authority).
type Authority interface {
	Issue(names ...string) (tls.Certificate, error)
	Pool() *x509.CertPool
}

// World holds the servers and the peers of a run, and starts deployments. Its methods are safe for concurrent use.
type World struct {
	Runtime runtime.Runtime
	Peers   *federation.Switchboard
	// RoomVersion is the room version that the run judges; "" means pseudoid.RoomVersion.
	RoomVersion string
	// Artifacts is what the servers run, and names the candidates. It must be set before the first deployment.
	Artifacts runtime.Artifacts
	// Within bounds what is asked of servers outside checks (check.Runner.Within). It must be set before the first deployment.
	Within func(ctx context.Context, base time.Duration) (context.Context, context.CancelFunc)

	count   atomic.Int64
	mu      sync.Mutex
	servers map[string]runtime.Server // by server name, for peers that dial them
	owners  map[string]string         // the check of each peer, by the peer's name
	facts   map[string]Facts          // by host, if its candidate was asked

	healthMu sync.Mutex
	healthy  *federation.Peer // of health checks; nil before the first deployment
}

var (
	_ check.Deployments = (*World)(nil)
	_ stage.World       = (*World)(nil)
)

// NewWorld returns the world of a run. received is called for each event that a candidate sends or returns to a peer.
func NewWorld(chosen runtime.Runtime, authority Authority, received func(*federation.Peer, *federation.Room, string, federation.Event)) *World {
	world := &World{
		Runtime: chosen, Within: context.WithTimeout,
		servers: map[string]runtime.Server{}, owners: map[string]string{}, facts: map[string]Facts{},
	}
	world.Peers = federation.New(federation.Options{
		NewPeer:         chosen.NewPeer,
		Issue:           authority.Issue,
		RootCAs:         authority.Pool(),
		Dial:            world.dial,
		OnReceivedEvent: received,
	})
	return world
}

// dial returns the current address of a server's federation API.
func (w *World) dial(serverName string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	server, known := w.servers[serverName]
	if !known {
		return "", false
	}
	return server.FederationAddress(), true
}

// New starts a deployment of the named blueprint and prepares its health checks.
func (w *World) New(ctx context.Context, name string) (check.Deployment, error) {
	blueprint, err := byName(name)
	if err != nil {
		return nil, err
	}
	return w.start(ctx, blueprint)
}

// Servers returns the servers of a deployment that New made, by place.
func (w *World) Servers(deployment check.Deployment) []runtime.Server {
	return deployment.(*Deployment).servers
}

// CutsOff reports whether servers can be cut off from the federation. Plain processes cannot: they share a network.
func (w *World) CutsOff() bool { return w.Runtime.Name() != "process" }

// WithoutClients says why real client software cannot be started; "" if it can.
func (w *World) WithoutClients() string {
	if hosting, hosts := w.Runtime.(runtime.Hosting); hosts && hosting.HasClients() {
		return ""
	}
	return verdict.WithoutClients
}

// StartClient starts a program of the image of real clients as a client of a server.
func (w *World) StartClient(ctx context.Context, server runtime.Server, program ...string) (runtime.Client, error) {
	return w.Runtime.(runtime.Hosting).StartClient(ctx, server, program...)
}

func (w *World) start(ctx context.Context, blueprint stage.Blueprint) (*Deployment, error) {
	deployment := &Deployment{
		world:   w,
		id:      fmt.Sprintf("d%d", w.count.Add(1)),
		servers: make([]runtime.Server, blueprint.Servers),
		died:    make(chan struct{}),
		closed:  make(chan struct{}),
	}
	var registrations map[string][]byte
	if blueprint.Services {
		var err error
		if deployment.services, err = w.playServices(); err != nil {
			return nil, err
		}
		registrations = deployment.services.Registrations()
	}
	err := deployment.eachServer(func(place int) error {
		server, err := w.Runtime.Start(ctx, runtime.ServerOptions{
			Deployment: deployment.id, Host: hostAt(place), Ephemeral: !blueprint.Restarted, NoPresence: blueprint.NoPresence, Registrations: registrations,
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
		return nil, errors.Join(err, deployment.Close(context.WithoutCancel(ctx)))
	}
	return deployment, nil
}

// playServices starts the application services of a deployment.
func (w *World) playServices() (*appservice.Host, error) {
	address, err := w.Runtime.NewPeer()
	if err != nil {
		return nil, fmt.Errorf("get a name for application services: %w", err)
	}
	host, err := appservice.Listen(address)
	if err != nil {
		return nil, err
	}
	host.Add(stage.Everyone, "everyone-service", "@.*")
	host.Add(stage.Bridge, "bridge-service", "@"+stage.BridgedPrefix+".*")
	return host, nil
}

// forget removes a server from those that peers can dial.
func (w *World) forget(server runtime.Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.servers, server.Name())
}

// Close closes the peers and removes everything that the run created in its runtime.
func (w *World) Close(ctx context.Context) error {
	return errors.Join(w.Peers.Close(), w.Runtime.Close(ctx))
}

// ClientAPI returns a server's client-server API, without a transcript.
func (d *Deployment) ClientAPI(place int) csapi.Server {
	server := d.servers[place]
	return csapi.Server{Name: server.Name(), BaseURL: server.ClientURL}
}
