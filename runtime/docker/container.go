// Creating the container of a server.

package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

// Ports of the image contract.
const (
	clientPort      = nat.Port("8008/tcp")
	federationInner = nat.Port("8448/tcp")
)

// loopback is where ports are published, so that requests from other machines cannot reach a server under test.
const loopback = "127.0.0.1"

// newServer creates the container, in both networks, but does not start it. On failure it leaves nothing behind.
func (r *Runtime) newServer(ctx context.Context, options runtime.ServerOptions) (*server, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	artifact := r.artifacts.For(options.Host)
	details, err := r.inspectImage(ctx, artifact.Image)
	if err != nil {
		return nil, err
	}
	s := &server{
		runtime: r, name: serverName(options), host: options.Host,
		container: fmt.Sprintf("msc4014-%s-%s-%s", r.options.Session.ID, options.Deployment, options.Host),
		candidate: artifact.Candidate, ephemeral: options.Ephemeral, presence: !options.NoPresence,
		command: command(details), address: r.networks.servers.take(),
	}
	if check := details.Config.Healthcheck; check != nil && len(check.Test) > 0 && check.Test[0] != "NONE" {
		s.healthChecked = true
	}
	labels := r.labels("msc4014.server", s.name)
	host := r.hostConfig()
	for path := range details.Config.Volumes {
		if path == authorityFolder {
			continue
		}
		// Use a volume that carries the run's labels instead of the engine's anonymous volume.
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeVolume, Target: path, VolumeOptions: &mount.VolumeOptions{Labels: labels},
		})
	}
	made, err := r.options.Session.Making(s.container)
	if err != nil {
		return nil, err
	}
	defer made()
	created, err := r.engine.ContainerCreate(ctx, &container.Config{
		Image:        artifact.Image,
		Env:          r.environment(s, artifact),
		Labels:       labels,
		ExposedPorts: nat.PortSet{clientPort: {}, federationInner: {}},
	}, host, &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{r.networks.access: {}},
	}, nil, s.container)
	if err != nil {
		if shaping := r.options.Complement.Shaping(); len(shaping) > 0 {
			return nil, fmt.Errorf("create the container %s (with %s set): %w", s.container, strings.Join(shaping, ", "), err)
		}
		return nil, fmt.Errorf("create the container %s: %w", s.container, err)
	}
	s.id = created.ID
	if err := errors.Join(r.register(ctx, s, options.Registrations), s.joinFederation(ctx)); err != nil {
		return nil, errors.Join(err, r.removeContainer(ctx, s.id, s.container))
	}
	return s, nil
}

// register puts the registrations of application services where the image contract has them.
func (r *Runtime) register(ctx context.Context, s *server, registrations map[string][]byte) error {
	if len(registrations) == 0 {
		return nil
	}
	var files []packed
	for _, name := range slices.Sorted(maps.Keys(registrations)) {
		files = append(files, packed{name, registrations[name]})
	}
	archive, err := pack(runtime.RegistrationsDir, files)
	if err == nil {
		err = r.engine.CopyToContainer(ctx, s.id, "/", bytes.NewReader(archive), container.CopyToContainerOptions{})
	}
	if err != nil {
		return fmt.Errorf("put the registrations of application services into the container of %s: %w", s.name, err)
	}
	return nil
}

// removeContainer removes a container, even if ctx has ended.
func (r *Runtime) removeContainer(ctx context.Context, id, name string) error {
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
	defer cancel()
	return engine.RemoveObject(removing, r.engine, engine.Object{Kind: "container", ID: id, Name: name})
}

func (r *Runtime) hostConfig() *container.HostConfig {
	settings := r.options.Complement
	host := &container.HostConfig{
		ExtraHosts: r.peers.hosts(),
		DNS:        r.dns(),
		LogConfig:  logging(),
		Resources:  container.Resources{NanoCPUs: int64(settings.CPUs * 1e9), Memory: settings.Memory},
	}
	if !r.networks.direct { // each published port is a proxy process of the engine
		binding := []nat.PortBinding{{HostIP: loopback}}
		host.PortBindings = nat.PortMap{clientPort: binding, federationInner: binding}
	}
	host.Mounts = append(host.Mounts, authorityMount(r.authority, true))
	for _, folder := range settings.HostMounts {
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeBind, Source: folder.HostPath, Target: folder.ContainerPath, ReadOnly: folder.ReadOnly,
		})
	}
	return host
}

// logging makes logs bounded, and readable through the API even if the engine's default is not.
func logging() container.LogConfig {
	return container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "16m", "max-file": "2"}}
}

// dns returns the name servers for containers, or nil for the engine's own.
func (r *Runtime) dns() []string {
	if r.names == nil {
		return nil
	}
	return []string{r.names.address.String()}
}

// environment returns the container's environment: the shared variables, the artifact's, which override those, and the
// server's name, EphemeralVariable and PresenceVariable, which nothing overrides. It has each variable only once, since which of two values
// takes effect depends on the program.
func (r *Runtime) environment(s *server, artifact runtime.Artifact) []string {
	own := []string{"SERVER_NAME=" + s.name, fmt.Sprintf("%s=%t", runtime.EphemeralVariable, s.ephemeral), fmt.Sprintf("%s=%t", runtime.PresenceVariable, s.presence)}
	values := map[string]string{}
	for _, variable := range slices.Concat(r.options.Complement.Environment, artifact.Environment, own) {
		variableName, value, _ := strings.Cut(variable, "=")
		values[variableName] = value
	}
	var environment []string
	for _, variableName := range slices.Sorted(maps.Keys(values)) {
		environment = append(environment, variableName+"="+values[variableName])
	}
	return environment
}
