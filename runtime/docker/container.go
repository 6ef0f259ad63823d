// How the container of a server is made.

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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

// loopback is where ports are published; nobody else's requests shall reach a server under test.
const loopback = "127.0.0.1"

// newServer makes the container, on both networks, and does not start it. On failure nothing of it is left.
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
		candidate: artifact.Candidate,
	}
	if check := details.Config.Healthcheck; check != nil && len(check.Test) > 0 && check.Test[0] != "NONE" {
		s.healthChecked = true
	}
	labels := r.labels("msc4014.server", s.name)
	host := r.hostConfig()
	for path := range details.Config.Volumes {
		// Instead of the engine's own anonymous volume, one that carries the run's labels.
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
		Env:          r.environment(s.name, artifact),
		Labels:       labels,
		ExposedPorts: nat.PortSet{clientPort: {}, federationInner: {}},
	}, host, &network.NetworkingConfig{
		EndpointsConfig: map[string]*network.EndpointSettings{r.networks.access: {}},
	}, nil, s.container)
	if err != nil {
		return nil, fmt.Errorf("create the container %s: %w", s.container, err)
	}
	s.id = created.ID
	err = s.joinFederation(ctx)
	if err == nil && len(r.authority) > 0 {
		// Copied, not mounted: an engine need not see this machine's files (Docker Desktop, a test process in a container).
		err = r.engine.CopyToContainer(ctx, s.id, "/", bytes.NewReader(r.authority), container.CopyToContainerOptions{})
	}
	if err != nil {
		object := engine.Object{Kind: "container", ID: s.id, Name: s.container}
		removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
		defer cancel()
		return nil, errors.Join(err, engine.RemoveObject(removing, r.engine, object))
	}
	return s, nil
}

func (r *Runtime) hostConfig() *container.HostConfig {
	settings := r.options.Complement
	host := &container.HostConfig{
		ExtraHosts: r.peers.hosts(),
		// Readable through the API whatever the engine's default is, and bounded.
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "16m", "max-file": "2"}},
		Resources: container.Resources{NanoCPUs: int64(settings.CPUs * 1e9), Memory: settings.Memory},
	}
	if !r.networks.direct { // each published port is a process of the engine, through which all requests would go
		binding := []nat.PortBinding{{HostIP: loopback}}
		host.PortBindings = nat.PortMap{clientPort: binding, federationInner: binding}
	}
	if r.names != nil {
		host.DNS = []string{r.names.address.String()}
	}
	for _, folder := range settings.HostMounts {
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeBind, Source: folder.HostPath, Target: folder.ContainerPath, ReadOnly: folder.ReadOnly,
		})
	}
	return host
}

// environment is what the container's server is told: the shared variables, the artifact's, which override those, and its
// name, which nothing overrides. Each variable stands there once: which of two counts is the image's program's affair.
func (r *Runtime) environment(name string, artifact runtime.Artifact) []string {
	values := map[string]string{}
	for _, variable := range slices.Concat(r.options.Complement.Environment, artifact.Environment, []string{"SERVER_NAME=" + name}) {
		variableName, value, _ := strings.Cut(variable, "=")
		values[variableName] = value
	}
	var environment []string
	for _, variableName := range slices.Sorted(maps.Keys(values)) {
		environment = append(environment, variableName+"="+values[variableName])
	}
	return environment
}

// packAuthority makes the archive of the authority's two files. Everybody may read them, as an image's server may run as
// any user; the authority is made for one run and trusted by nobody else.
func packAuthority(dir string) ([]byte, error) {
	if dir == "" {
		return nil, nil
	}
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, folder := range []string{"complement/", "complement/ca/"} {
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755}); err != nil {
			return nil, fmt.Errorf("pack the certificate authority: %w", err)
		}
	}
	for _, name := range []string{"ca.crt", "ca.key"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "complement/ca/" + name, Mode: 0o644, Size: int64(len(data))}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack the certificate authority: %w", err)
		}
		if _, err := archive.Write(data); err != nil {
			return nil, fmt.Errorf("pack the certificate authority: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("pack the certificate authority: %w", err)
	}
	return buffer.Bytes(), nil
}
