// Package process runs candidates as plain processes on this machine, without containers. The program is the entry point
// of the candidate's image, with the folders of Complement's contract given in its environment:
//
//	SERVER_NAME           the server's name
//	MSC4014_CA_DIR        where ca.crt and ca.key are (/complement/ca in a container)
//	MSC4014_DATA_DIR      where data that survives a restart is (/data)
//	MSC4014_PROGRAM_DIR   where the programs are (/)
//	MSC4014_HTTP_ADDRESS  host:port to listen on for clients (:8008)
//	MSC4014_HTTPS_ADDRESS host:port to listen on for the federation, with TLS (:8448)
//	MSC4014_APPSERVICE_DIR where registrations of application services are, if there are any (/complement/appservice)
//	MSC4014_EPHEMERAL     true for a server that is started only once; its data may stay in memory
//	MSC4014_PRESENCE      false for a server that need not send presence to other servers
//
// The name of each server and peer is its own loopback address, 127.a.b.c, so names have no ports (addresses.go). A child
// ends when this process does, even by SIGKILL (spawner.go), and is recorded in the session.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/readiness"
)

// Recorder records which processes belong to a run, so that they can be ended if the run is killed: *session.Session.
type Recorder interface {
	RecordProcess(pid int) error
	ForgetProcess(pid int) error
}

// Options say how the servers of a run are started.
type Options struct {
	// SessionDir is the run's folder. The data and logs of servers go to its subfolder servers.
	SessionDir string
	// Authority signs the servers' certificates.
	Authority *authority.Authority
	// Recorder records every process; nil means that none is recorded.
	Recorder Recorder
	// ByHost holds artifacts that are started at a host ("hs2") instead of the run's artifact.
	ByHost map[string]runtime.Artifact
	// SpawnTimeout is how long a server may take to become ready; 0 means readiness.DefaultTimeout.
	SpawnTimeout time.Duration
	// StopTimeout is how long a server may take to exit after SIGTERM before it is killed; 0 means 10 s.
	StopTimeout time.Duration
	// Environment holds more variables for the servers, "NAME=value".
	Environment []string
}

// Runtime runs the servers of a run. It implements runtime.Runtime.
type Runtime struct {
	artifacts runtime.Artifacts
	options   Options
	lease     *lease
	spawner   *spawner
	prober    *readiness.Prober

	mutex   sync.Mutex
	servers map[*server]struct{}
	names   map[string]bool // deployment-host that were used
	closed  bool
}

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a runtime for an artifact that was prepared for it. Close ends what it started.
func New(artifact runtime.Artifact, options Options) (*Runtime, error) {
	if goruntime.GOOS != "linux" {
		return nil, fmt.Errorf("the process runtime needs Linux, where each server can have its own loopback address, and "+
			"this is %s; use --runtime docker", goruntime.GOOS)
	}
	artifacts := runtime.Artifacts{Main: artifact, ByHost: options.ByHost}
	for _, each := range artifacts.All() {
		if each.Program == "" {
			return nil, fmt.Errorf("%s was not prepared for the process runtime: it has no program", each.Candidate)
		}
	}
	switch {
	case options.SessionDir == "":
		return nil, errors.New("the process runtime needs a session folder")
	case options.Authority == nil:
		return nil, errors.New("the process runtime needs a certificate authority")
	}
	if options.SpawnTimeout <= 0 {
		options.SpawnTimeout = readiness.DefaultTimeout
	}
	if options.StopTimeout <= 0 {
		options.StopTimeout = 10 * time.Second
	}
	var err error
	if options.SessionDir, err = filepath.Abs(options.SessionDir); err != nil {
		return nil, err
	}
	lease, err := leaseAddresses()
	if err != nil {
		return nil, err
	}
	return &Runtime{
		artifacts: artifacts, options: options, lease: lease, spawner: newSpawner(),
		prober:  readiness.NewProber(options.Authority.Pool()),
		servers: map[*server]struct{}{}, names: map[string]bool{},
	}, nil
}

// Name is "process".
func (r *Runtime) Name() string { return "process" }

// NewPeer returns an address that was never used in this run.
func (r *Runtime) NewPeer() (runtime.PeerAddress, error) {
	address, socket, err := r.lease.forPeer()
	if err != nil {
		return runtime.PeerAddress{}, fmt.Errorf("no address for a peer: %w", err)
	}
	return runtime.PeerAddress{Name: address, Listen: join(address, federationPort), Socket: socket}, nil
}

// Start starts one server and returns when it is ready.
func (r *Runtime) Start(ctx context.Context, options runtime.ServerOptions) (runtime.Server, error) {
	label := options.Deployment + "-" + options.Host
	artifact := r.artifacts.For(options.Host)
	address, err := r.lease.forServer()
	if err != nil {
		return nil, startError(artifact.Candidate, label, 0, "could not be started: "+err.Error(), "")
	}
	r.mutex.Lock()
	switch {
	case r.closed:
		err = errors.New("the run is over")
	case r.names[label]:
		err = errors.New("this run already had a server with that name")
	}
	s := &server{
		runtime: r, artifact: artifact, label: label, host: options.Host, address: address,
		dir: filepath.Join(r.options.SessionDir, "servers", label), ephemeral: options.Ephemeral, presence: !options.NoPresence,
	}
	if err == nil {
		r.names[label] = true
		r.servers[s] = struct{}{}
	}
	r.mutex.Unlock()
	if err == nil {
		err = errors.Join(os.MkdirAll(s.dataDir(), 0o755), s.register(options.Registrations))
	}
	if err != nil {
		return nil, startError(artifact.Candidate, label, 0, "could not be started: "+err.Error(), "")
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// register writes the registrations of application services.
func (s *server) register(registrations map[string][]byte) error {
	if len(registrations) == 0 {
		return nil
	}
	if err := os.MkdirAll(s.registrationsDir(), 0o755); err != nil {
		return err
	}
	for name, text := range registrations {
		if err := os.WriteFile(filepath.Join(s.registrationsDir(), name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Close ends every server and releases the addresses. Logs and data stay, as they belong to the session.
func (r *Runtime) Close(ctx context.Context) error {
	r.mutex.Lock()
	r.closed = true
	servers := make([]*server, 0, len(r.servers))
	for s := range r.servers {
		servers = append(servers, s)
	}
	r.mutex.Unlock()
	// First without waiting for operations on them, as a start may take long.
	for _, s := range servers {
		_ = s.end(ctx, unix.SIGKILL)
	}
	r.spawner.close() // nothing starts from here on
	var problems []error
	for _, s := range servers {
		problems = append(problems, s.Kill(ctx))
	}
	return errors.Join(append(problems, r.lease.release())...)
}

func (r *Runtime) forget(s *server) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.servers, s)
}

func startError(candidate, server string, waited time.Duration, cause, log string) *runtime.StartError {
	return &runtime.StartError{
		Candidate: candidate, Server: server, Waited: waited.Round(time.Millisecond), Cause: cause, LogTail: log,
	}
}
