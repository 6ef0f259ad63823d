// Real client software, in a container beside the servers.

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"

	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

// Bounds of a client: a server may make it grow.
const (
	clientMemory    = 512 << 20
	clientProcesses = 128
)

// realClient implements runtime.Client.
type realClient struct {
	runtime  *Runtime
	id, name string
	streams  types.HijackedResponse
	io.Reader
	log *tail
}

var (
	_ runtime.Hosting = (*Runtime)(nil)
	_ runtime.Client  = (*realClient)(nil)
)

// HasClients implements runtime.Hosting.
func (r *Runtime) HasClients() bool { return r.options.Clients != nil }

// StartClient implements runtime.Hosting. The program runs as the image's user, in the access network only: it is a client, and does
// not take part in the federation.
func (r *Runtime) StartClient(ctx context.Context, of runtime.Server, program ...string) (runtime.Client, error) {
	if !r.HasClients() {
		return nil, fmt.Errorf("%w: the run has no image of real clients", runtime.ErrNotPossible)
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer r.starting.Done()
	ctx, cancel := r.within(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, operationTimeout)
	defer stop()
	c, err := r.newClient(ctx, of.(*server), program)
	if err != nil {
		return nil, fmt.Errorf("create a container for %s: %w", program[0], err)
	}
	if err := c.launch(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program[0], err), c.Close(ctx))
	}
	return c, nil
}

// newClient creates the container, but does not start it.
func (r *Runtime) newClient(ctx context.Context, of *server, program []string) (*realClient, error) {
	name := fmt.Sprintf("%s-client%d", of.container, r.clients.Add(1))
	made, err := r.options.Session.Making(name)
	if err != nil {
		return nil, err
	}
	defer made()
	// Unlike its address, the name of the server's container stays when the server is restarted.
	address := "http://" + of.container + ":" + clientPort.Port()
	processes := int64(clientProcesses)
	created, err := r.engine.ContainerCreate(ctx, &container.Config{
		Image: r.options.Clients.Image, Cmd: program, Env: []string{runtime.HomeserverVariable + "=" + address}, Labels: r.labels(),
		OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true, AttachStderr: true,
	}, &container.HostConfig{
		LogConfig:   logging(),
		SecurityOpt: []string{"no-new-privileges"}, CapDrop: []string{"ALL"},
		Resources: container.Resources{Memory: clientMemory, PidsLimit: &processes},
	}, &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{r.networks.access: {}},
	}, nil, name)
	if err != nil {
		return nil, err
	}
	return &realClient{runtime: r, id: created.ID, name: name, log: &tail{}}, nil
}

// launch attaches to the container's standard streams, and starts it.
func (c *realClient) launch(ctx context.Context) error {
	// The streams outlive ctx.
	streams, err := c.runtime.engine.ContainerAttach(c.runtime.ctx, c.id, container.AttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return err
	}
	c.streams = streams
	reader, writer := io.Pipe()
	c.Reader = reader
	go func() {
		_, err := stdcopy.StdCopy(writer, c.log, streams.Reader)
		_ = writer.CloseWithError(err) // nil is the end of the output
	}()
	return c.runtime.engine.ContainerStart(ctx, c.id, container.StartOptions{})
}

// Write implements runtime.Client.
func (c *realClient) Write(data []byte) (int, error) { return c.streams.Conn.Write(data) }

// Log implements runtime.Client.
func (c *realClient) Log() string { return c.log.String() }

// Close implements runtime.Client. It works even if ctx has ended.
func (c *realClient) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
	defer cancel()
	err := engine.RemoveObject(ctx, c.runtime.engine, engine.Object{Kind: "container", ID: c.id, Name: c.name})
	if c.streams.Conn != nil {
		c.streams.Close()
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	mutex sync.Mutex
	text  []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.text = append(t.text, data...)
	if over := len(t.text) - keptLog; over > 0 {
		t.text = append([]byte(nil), t.text[over:]...)
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return strings.ToValidUTF8(string(t.text), "?")
}
