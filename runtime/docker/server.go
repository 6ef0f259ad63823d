// One server: a container, from its first start to its removal.

package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"

	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

// stopGrace is how long a server may take to exit after SIGTERM.
const stopGrace = 10 // seconds

// operationTimeout bounds one operation of the engine, such as a change of a server's state.
const operationTimeout = time.Minute

// keptLog bounds what is kept of a removed server's log.
const keptLog = 256 << 10

// server implements runtime.Server.
type server struct {
	runtime       *Runtime
	name, host    string
	candidate     string
	container, id string   // the container's name and ID
	address       string   // in the federation network, or "" if the engine chooses it
	command       []string // what the image starts, with its arguments
	healthChecked bool     // the image has a HEALTHCHECK
	ephemeral     bool     // started only once
	presence      bool     // sent to other servers

	operation sync.Mutex // one change of the server's state at a time

	mutex     sync.Mutex // guards the fields below
	addresses addresses
	current   *life
	removed   bool
	lastLog   string
}

// addresses are the server's addresses since its last start.
type addresses struct{ client, federation string }

// life is one start of the server, from the beginning of its process to the end.
type life struct {
	exited   chan struct{} // closed if it has ended unexpectedly
	ended    chan struct{} // closed if it has ended for any reason
	stopping bool          // it was requested to end; guarded by server.mutex
	status   string        // how it ended; set before the channels are closed
}

var (
	_ runtime.Server     = (*server)(nil)
	_ runtime.Configured = (*server)(nil)
	_ runtime.Contained  = (*server)(nil)
)

func (s *server) Name() string { return s.name }

func (s *server) Host() string { return s.host }

// ContainerID returns the engine's ID of the server's container.
func (s *server) ContainerID() string { return s.id }

func (s *server) ClientURL() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return "http://" + s.addresses.client
}

func (s *server) FederationAddress() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.addresses.federation
}

func (s *server) Exited() <-chan struct{} {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.current.exited
}

// Start restarts the stopped or killed server.
func (s *server) Start(ctx context.Context) error {
	if err := s.runtime.begin(); err != nil {
		return err
	}
	defer s.runtime.starting.Done()
	ctx, cancel := s.runtime.within(ctx)
	defer cancel()
	s.operation.Lock()
	defer s.operation.Unlock()
	if !s.hasEnded() {
		return fmt.Errorf("start %s: it is already running", s.name)
	}
	if s.ephemeral {
		return fmt.Errorf("start %s again: %w", s.name, runtime.ErrEphemeral)
	}
	return s.launch(ctx)
}

// launch starts the container and waits until the server is ready. If it does not become ready, launch kills it.
func (s *server) launch(ctx context.Context) error {
	life := &life{exited: make(chan struct{}), ended: make(chan struct{})}
	s.mutex.Lock()
	s.current = life
	s.mutex.Unlock()
	began := time.Now()
	starting, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	if err := s.runtime.engine.ContainerStart(starting, s.id, container.StartOptions{}); err != nil {
		close(life.ended)
		killing, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
		defer cancel()
		_ = s.kill(killing) // an engine may start it although the request was interrupted
		if strings.Contains(err.Error(), "exec: ") || strings.Contains(err.Error(), "exec format error") {
			// The image is at fault, not the engine.
			return s.startError(ctx, began, fmt.Sprintf("could not be started: the command of its image, %q, does not exist, is not "+
				"executable, or is for another architecture: %v", s.command, err))
		}
		return fmt.Errorf("start the container of %s: %w", s.name, err)
	}
	go s.watch(life)
	err := s.awaitReady(ctx, life, time.Since(began))
	if err == nil {
		return nil
	}
	if endErr := s.end(context.WithoutCancel(ctx), s.kill); endErr != nil {
		err = errors.Join(err, endErr)
	}
	return err
}

// watch waits until the container's process has ended. It retries if the engine fails to answer.
func (s *server) watch(life *life) {
	for {
		answers, failures := s.runtime.engine.ContainerWait(s.runtime.ctx, s.id, container.WaitConditionNotRunning)
		select {
		case answer := <-answers:
			s.noteEnd(life, s.statusOf(answer.StatusCode))
			return
		case err := <-failures:
			if s.runtime.ctx.Err() != nil {
				s.noteEnd(life, "was ended with the run")
				return
			}
			if errdefs.IsNotFound(err) {
				s.noteEnd(life, removedStatus)
				return
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-s.runtime.ctx.Done():
		}
	}
}

func (s *server) noteEnd(life *life, status string) {
	s.mutex.Lock()
	stopping := life.stopping || s.runtime.ctx.Err() != nil
	s.mutex.Unlock()
	life.status = status
	close(life.ended)
	if !stopping {
		close(life.exited)
	}
}

func (s *server) hasEnded() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-s.current.ended:
		return true
	default:
		return s.removed
	}
}

// Stop sends SIGTERM, and SIGKILL if the server does not exit within 10 s.
func (s *server) Stop(ctx context.Context) error {
	s.operation.Lock()
	defer s.operation.Unlock()
	grace := stopGrace
	return s.end(ctx, func(ctx context.Context) error {
		return s.runtime.engine.ContainerStop(ctx, s.id, container.StopOptions{Timeout: &grace})
	})
}

func (s *server) Kill(ctx context.Context) error {
	s.operation.Lock()
	defer s.operation.Unlock()
	return s.end(ctx, s.kill)
}

func (s *server) kill(ctx context.Context) error {
	return s.runtime.engine.ContainerKill(ctx, s.id, "KILL")
}

// end ends the server's process by calling how, and returns when it has ended.
func (s *server) end(ctx context.Context, how func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.mutex.Lock()
	life := s.current
	life.stopping = true
	s.mutex.Unlock()
	// A frozen process cannot exit. If it is not frozen, the engine returns an error, which does not matter.
	_ = s.runtime.engine.ContainerUnpause(ctx, s.id)
	if err := how(ctx); err != nil && !errdefs.IsConflict(err) { // a conflict means that it has already ended
		return fmt.Errorf("end %s: %w", s.name, err)
	}
	select {
	case <-life.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end %s: it is still running: %w", s.name, ctx.Err())
	}
}

func (s *server) Pause(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.operation.Lock()
	defer s.operation.Unlock()
	for {
		err := s.runtime.engine.ContainerPause(ctx, s.id)
		switch {
		case err == nil:
			return nil
		case ctx.Err() == nil && strings.Contains(err.Error(), unableToFreeze):
			// The engine gave up after seconds because the processes were too busy to be frozen together. The container runs.
		case cannotFreeze(err):
			return fmt.Errorf("pause %s: %w: the engine has no control groups of its own, as rootless ones may: %w", s.name, runtime.ErrNotPossible, err)
		default:
			return fmt.Errorf("pause %s: %w", s.name, err)
		}
	}
}

// unableToFreeze is in the error of the engine's runtime if it could not freeze all processes of a container together, which
// version 1 of control groups cannot guarantee on a busy machine.
const unableToFreeze = "unable to freeze"

// cannotFreeze reports whether an engine that cannot freeze any container gave this error: its containers have no control group.
func cannotFreeze(err error) bool {
	for _, words := range []string{"cgroups not configured for container", "can not pause containers on rootless containers"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

func (s *server) Resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.operation.Lock()
	defer s.operation.Unlock()
	if err := s.runtime.engine.ContainerUnpause(ctx, s.id); err != nil {
		return fmt.Errorf("resume %s: %w", s.name, err)
	}
	return nil
}

// CutOff disconnects the server from the federation network. Clients still reach it through the access network.
func (s *server) CutOff(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.operation.Lock()
	defer s.operation.Unlock()
	if err := s.runtime.engine.NetworkDisconnect(ctx, s.runtime.networks.federation, s.id, true); err != nil {
		return fmt.Errorf("disconnect %s from the federation: %w", s.name, err)
	}
	return nil
}

func (s *server) Rejoin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.operation.Lock()
	defer s.operation.Unlock()
	if err := s.joinFederation(ctx); err != nil {
		return fmt.Errorf("reconnect %s to the federation: %w", s.name, err)
	}
	return nil
}

// joinFederation connects the container to the federation network, where its server name is its host name.
func (s *server) joinFederation(ctx context.Context) error {
	settings := &network.EndpointSettings{Aliases: []string{s.name}}
	if s.address != "" {
		settings.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: s.address}
	}
	return s.runtime.engine.NetworkConnect(ctx, s.runtime.networks.federation, s.id, settings)
}

// Remove ends the server and removes its container and volumes. The end of its log stays available.
func (s *server) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s.operation.Lock()
	defer s.operation.Unlock()
	s.mutex.Lock()
	removed := s.removed
	s.current.stopping = true
	s.mutex.Unlock()
	if removed {
		return nil
	}
	log := s.readLog(ctx, 1000)
	if len(log) > keptLog {
		log = log[len(log)-keptLog:]
	}
	_ = s.runtime.engine.ContainerUnpause(ctx, s.id)
	object := engine.Object{Kind: "container", ID: s.id, Name: s.container}
	if err := engine.RemoveObject(ctx, s.runtime.engine, object); err != nil {
		return err
	}
	s.runtime.networks.servers.giveBack(s.address)
	s.mutex.Lock()
	s.removed, s.lastLog = true, log
	s.mutex.Unlock()
	return nil
}

// Log returns the log. The engine keeps the last 32 MB of it until the server is removed.
func (s *server) Log(lines int) string {
	s.mutex.Lock()
	removed, log := s.removed, s.lastLog
	s.mutex.Unlock()
	if !removed {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.runtime.ctx), 10*time.Second)
		defer cancel()
		return s.readLog(ctx, lines)
	}
	return runtime.LastLines(log, lines)
}

// readLog returns the last lines; lines <= 0 means all. If it cannot read the log, it returns the error in place of the rest.
func (s *server) readLog(ctx context.Context, lines int) string {
	tail := "all"
	if lines > 0 {
		tail = fmt.Sprint(lines)
	}
	stream, err := s.runtime.engine.ContainerLogs(ctx, s.id, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: tail,
	})
	if err != nil {
		return fmt.Sprintf("(the log of %s cannot be read: %v)\n", s.name, err)
	}
	defer func() { _ = stream.Close() }()
	var log bytes.Buffer
	if _, err := stdcopy.StdCopy(&log, &log, stream); err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintf(&log, "(the rest of the log of %s cannot be read: %v)\n", s.name, err)
	}
	return log.String()
}

// readAddresses gets the server's addresses, which may change with each start.
func (s *server) readAddresses(ctx context.Context) error {
	details, err := s.runtime.engine.ContainerInspect(ctx, s.id)
	if err != nil {
		return fmt.Errorf("inspect the container of %s: %w", s.name, err)
	}
	var found addresses
	if s.runtime.networks.direct {
		if endpoint := details.NetworkSettings.Networks[s.runtime.accessName()]; endpoint != nil && endpoint.IPAddress != "" {
			found.client = net.JoinHostPort(endpoint.IPAddress, clientPort.Port())
			found.federation = net.JoinHostPort(endpoint.IPAddress, federationInner.Port())
		}
	} else {
		for _, binding := range details.NetworkSettings.Ports[clientPort] {
			found.client = net.JoinHostPort(loopback, binding.HostPort)
		}
		for _, binding := range details.NetworkSettings.Ports[federationInner] {
			found.federation = net.JoinHostPort(loopback, binding.HostPort)
		}
	}
	if found.client == "" || found.federation == "" {
		return errNoAddress
	}
	s.mutex.Lock()
	s.addresses = found
	s.mutex.Unlock()
	return nil
}

// errNoAddress is returned for a container without an address: it has ended, or the engine is still starting it.
var errNoAddress = errors.New("the container has no address")
