// Package docker runs servers of a candidate as containers, following Complement's image contract: ports 8008 (plain
// client API) and 8448 (TLS federation), SERVER_NAME, the certificate authority in /complement/ca, data that survives a
// restart, ready when both ports answer (runtime/readiness) and, if the image has a HEALTHCHECK, it is healthy.
//
// A run has two networks. Through the access network the test process reaches the servers: at their own addresses if the
// network is on this machine, else at ports published on the loopback address. Through the federation network servers reach
// each other, and the peers in the test process, by names without a port. A server can be disconnected from it without
// affecting its clients.
package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/complement"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/readiness"
	"msc4014/runtime/session"
)

// closeTimeout bounds Close, in case the engine is slow. What is left then carries the run's label, and the next run
// removes it.
const closeTimeout = 60 * time.Second

// Options say how the servers of a run are started.
type Options struct {
	// Session is the run. Everything that is created in the engine carries its labels.
	Session *session.Session
	// Authority signs the servers' certificates; each container has it in /complement/ca.
	Authority *authority.Authority
	// ByHost holds artifacts that are started at a host ("hs2") instead of the run's artifact.
	ByHost map[string]runtime.Artifact
	// Clients is the image of real clients; nil if the run has none.
	Clients *runtime.Artifact
	// Complement holds the settings of Complement's environment variables; its BaseImages must be in ByHost.
	Complement complement.Options
	// Warn, if not nil, is called with a line for each thing that works, but not well, on this machine.
	Warn func(string)
	// alwaysPublish publishes ports even if the servers can be reached at their own addresses, for tests.
	alwaysPublish bool
}

// Runtime implements runtime.Runtime. If an error of Start, or of a server's Start, is not a *runtime.StartError, the engine
// has failed, not the server.
type Runtime struct {
	artifacts runtime.Artifacts
	options   Options
	engine    *client.Client
	authority string // the volume with the authority's files
	prober    *readiness.Prober
	networks  networks
	peers     *peers
	names     *nameServer // nil if it cannot listen
	holder    string      // the image of the container that holds the networks, or ""

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	starting sync.WaitGroup
	clients  atomic.Int64 // real clients that were started

	mutex  sync.Mutex
	closed bool
	images map[string]image.InspectResponse // by reference
}

var (
	_ runtime.Runtime   = (*Runtime)(nil)
	_ runtime.Separated = (*Runtime)(nil)
	_ runtime.Engined   = (*Runtime)(nil)
)

// New connects to the engine and creates the run's networks. On failure it leaves nothing behind.
func New(ctx context.Context, artifact runtime.Artifact, options Options) (*Runtime, error) {
	if options.Session == nil || options.Authority == nil {
		return nil, errors.New("the docker runtime needs a session and a certificate authority")
	}
	r, err := open(ctx, options)
	if err != nil {
		return nil, err
	}
	r.artifacts = runtime.Artifacts{Main: artifact, ByHost: options.ByHost}
	r.prober = readiness.NewProber(options.Authority.Pool())
	if err := r.prepare(ctx); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

// open connects to the engine.
func open(ctx context.Context, options Options) (*Runtime, error) {
	if options.Warn == nil {
		options.Warn = func(string) {}
	}
	cli, err := engine.Connect(ctx)
	if err != nil {
		return nil, err
	}
	r := &Runtime{options: options, engine: cli, images: map[string]image.InspectResponse{}}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return r, nil
}

func (r *Runtime) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if err := r.options.Session.UseEngine(); err != nil {
		return err
	}
	if err := r.inspectArtifact(ctx, r.artifacts.Main); err != nil {
		return err
	}
	for host, artifact := range r.artifacts.ByHost {
		if err := r.inspectArtifact(ctx, artifact); err != nil {
			if variable := r.options.Complement.ServerVariable(host, artifact.Image); variable != "" {
				err = fmt.Errorf("%s=%q: %w", variable, artifact.Image, err)
			}
			return err
		}
	}
	filled := make(chan error, 1)
	go func() { filled <- r.makeAuthority(ctx) }() // in parallel with the networks, which take as long
	err := r.connect(ctx)
	return errors.Join(err, <-filled)
}

// connect creates the networks, and the peers and name server in them.
func (r *Runtime) connect(ctx context.Context) error {
	var err error
	if r.networks, err = r.makeNetworks(ctx); err != nil {
		return err
	}
	if r.peers, err = r.makePeers(); err != nil {
		return err
	}
	r.serveNames()
	return nil
}

// EngineVersion implements runtime.Engined.
func (r *Runtime) EngineVersion(ctx context.Context) (version, apiVersion string, err error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	answer, err := r.engine.ServerVersion(ctx)
	if err != nil {
		return "", "", fmt.Errorf("ask the engine for its version: %w", err)
	}
	return answer.Version, r.engine.ClientVersion(), nil
}

// Name is "docker".
func (r *Runtime) Name() string { return "docker" }

// hostLabel matches a legal part of a host name.
var hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$`)

// Start creates a container, starts it and returns when its server is ready.
func (r *Runtime) Start(ctx context.Context, options runtime.ServerOptions) (runtime.Server, error) {
	if !hostLabel.MatchString(options.Deployment) || !hostLabel.MatchString(options.Host) {
		return nil, fmt.Errorf("start the server %q of the deployment %q: both names must be legal parts of a host name",
			options.Host, options.Deployment)
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer r.starting.Done()
	ctx, cancel := r.within(ctx)
	defer cancel()

	s, err := r.newServer(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("create a container for %s: %w", options.Host, err)
	}
	if err := s.launch(ctx); err != nil {
		if removeErr := s.Remove(context.WithoutCancel(ctx)); removeErr != nil {
			err = errors.Join(err, removeErr)
		}
		return nil, err
	}
	return s, nil
}

// NewPeer returns the next peer's name, and where its listener must be.
func (r *Runtime) NewPeer() (runtime.PeerAddress, error) { return r.peers.next() }

// Close removes everything that the run has in the engine, and cancels starts in progress. It takes at most a minute, and
// works even if ctx has ended.
func (r *Runtime) Close(ctx context.Context) error {
	r.mutex.Lock()
	r.closed = true
	r.mutex.Unlock()
	r.cancel()
	r.starting.Wait()
	if r.names != nil {
		r.names.close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, err := engine.Remove(ctx, r.engine, session.LabelRun+"="+r.options.Session.ID)
	return errors.Join(err, r.removeHolder(ctx), r.engine.Close())
}

// begin registers a start in r.starting. It returns an error after Close.
func (r *Runtime) begin() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.closed {
		return errors.New("the runtime is closed: no more servers can be started")
	}
	r.starting.Add(1)
	return nil
}

// within returns a context that ends with ctx, or on Close.
func (r *Runtime) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// labels returns the run's labels and more, given as pairs of key and value.
func (r *Runtime) labels(more ...string) map[string]string {
	labels := maps.Clone(r.options.Session.Labels())
	for i := 0; i+1 < len(more); i += 2 {
		labels[more[i]] = more[i+1]
	}
	return labels
}

// inspectImage inspects an image, and caches the result.
func (r *Runtime) inspectImage(ctx context.Context, reference string) (image.InspectResponse, error) {
	r.mutex.Lock()
	known, found := r.images[reference]
	r.mutex.Unlock()
	if found {
		return known, nil
	}
	details, err := r.engine.ImageInspect(ctx, reference)
	if errdefs.IsNotFound(err) {
		return details, fmt.Errorf("the engine does not have the image %q; build it, or get it with `docker pull %s`", reference, reference)
	}
	if err != nil {
		return details, fmt.Errorf("inspect the image %q: %w", reference, err)
	}
	r.mutex.Lock()
	r.images[reference] = details
	r.mutex.Unlock()
	return details, nil
}

// inspectArtifact returns an error if the engine does not have an image, or cannot start it.
func (r *Runtime) inspectArtifact(ctx context.Context, artifact runtime.Artifact) error {
	details, err := r.inspectImage(ctx, artifact.Image)
	if err == nil && len(command(details)) == 0 {
		err = fmt.Errorf("the image %s has no program to start: its Dockerfile has neither ENTRYPOINT nor CMD; add an "+
			"ENTRYPOINT that runs the homeserver (docs/adding-a-candidate.md)", artifact.Image)
	}
	return err
}

// command returns the program that the image starts, with its arguments.
func command(details image.InspectResponse) []string {
	if details.Config == nil {
		return nil
	}
	return slices.Concat(details.Config.Entrypoint, details.Config.Cmd)
}
