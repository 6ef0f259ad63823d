// Checking whether containers of a run can connect to the test process. A firewall on the machine, or an engine whose
// networks are elsewhere, may prevent it, and then no candidate can federate with peers. A small program in a container
// distinguishes this from a candidate that fails to connect.

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/pkg/stdcopy"

	"msc4014/runtime"
	"msc4014/runtime/candidate"
	"msc4014/runtime/complement"
	"msc4014/runtime/session"
)

//go:embed probe/main.go
var probeSource []byte

// reachTimeout bounds building and running the probe.
const reachTimeout = 3 * time.Minute

// TryPeers checks whether a container can connect to this process, with networks, a peer's name and a listener like those of
// a run with these settings. opened is the session for it. It returns the address to which the container connects, and the error of TryPeer.
func TryPeers(ctx context.Context, opened *session.Session, settings complement.Options) (address string, err error) {
	r, err := open(ctx, Options{Session: opened, Complement: settings, Warn: func(string) {}})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close(ctx)) }()
	if err := errors.Join(opened.UseEngine(), r.connect(ctx)); err != nil {
		return "", err
	}
	peer, err := r.NewPeer()
	if err != nil {
		return "", err
	}
	listener := peer.Socket
	if listener == nil {
		listener, err = net.Listen("tcp", peer.Listen)
	}
	if err != nil {
		return "", fmt.Errorf("peers cannot listen on %s: %w; if a program of this machine listens on port %d of all addresses, stop it "+
			"(ss -ltnp shows it), or let it listen on one address", peer.Listen, err, federationPort)
	}
	defer func() { _ = listener.Close() }()
	return r.dialled(peer.Name), r.TryPeer(ctx, peer.Name)
}

// TryPeer runs a program of the suite, in a container like a server's, that connects to a peer. It returns a
// *runtime.UnreachableError if the program cannot connect, and another error if the program could not be run.
func (r *Runtime) TryPeer(ctx context.Context, name string) error {
	if err := r.begin(); err != nil {
		return err
	}
	defer r.starting.Done()
	ctx, cancel := r.within(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, reachTimeout)
	defer stop()

	address := name
	if _, _, err := net.SplitHostPort(name); err != nil {
		address = net.JoinHostPort(name, strconv.Itoa(federationPort))
	}
	status, said, err := r.runProbe(ctx, address)
	switch {
	case err != nil:
		return fmt.Errorf("cannot check whether a container can connect to the peer %s: %w", name, err)
	case status == 0:
		return nil
	case status != 1:
		return fmt.Errorf("cannot check whether a container can connect to the peer %s: the probe exited with status %d: %s", name, status, said)
	}
	return r.unreachable(ctx, name, said)
}

// runProbe runs the probe in a container, and returns its exit status and output.
func (r *Runtime) runProbe(ctx context.Context, address string) (status int64, said string, err error) {
	imageID, err := r.importProbe(ctx)
	if err != nil {
		return 0, "", err
	}
	defer func() { // if this fails, clean removes the image, as it has no name
		removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
		defer cancel()
		_, _ = r.engine.ImageRemove(removing, imageID, image.RemoveOptions{Force: true, PruneChildren: true})
	}()
	name := "msc4014-" + r.options.Session.ID + "-probe"
	made, err := r.options.Session.Making(name)
	if err != nil {
		return 0, "", err
	}
	defer made()
	id, err := r.createProbe(ctx, imageID, name, r.networks, address)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, r.removeContainer(ctx, id, name)) }()
	if err := r.engine.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return 0, "", err
	}
	answers, failures := r.engine.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case answer := <-answers:
		status = answer.StatusCode
	case err := <-failures:
		return 0, "", err
	}
	stream, err := r.engine.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = stream.Close() }()
	var log bytes.Buffer
	_, err = stdcopy.StdCopy(&log, &log, stream)
	return status, strings.TrimSpace(log.String()), err
}

// createProbe creates a container of the probe's image in both networks.
func (r *Runtime) createProbe(ctx context.Context, imageID, name string, in networks, argument string) (id string, err error) {
	host := &container.HostConfig{LogConfig: logging()}
	if r.peers != nil {
		host.ExtraHosts, host.DNS = r.peers.hosts(), r.dns()
	}
	created, err := r.engine.ContainerCreate(ctx,
		&container.Config{Image: imageID, Cmd: []string{argument}, Labels: r.labels()}, host,
		&network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{in.access: {}}}, nil, name)
	if err != nil {
		return "", err
	}
	if err := r.engine.NetworkConnect(ctx, in.federation, created.ID, nil); err != nil {
		return "", errors.Join(err, r.removeContainer(ctx, created.ID, name))
	}
	return created.ID, nil
}

// importProbe creates an image of the probe, without a name.
func (r *Runtime) importProbe(ctx context.Context) (imageID string, err error) {
	version, err := r.engine.ServerVersion(ctx)
	if err != nil {
		return "", err
	}
	data, err := r.probe(ctx, version.Arch)
	if err != nil {
		return "", err
	}
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	err = archive.WriteHeader(&tar.Header{Name: "probe", Mode: 0o755, Size: int64(len(data))})
	if err == nil {
		_, err = archive.Write(data)
	}
	if err := errors.Join(err, archive.Close()); err != nil {
		return "", err
	}
	answer, err := r.engine.ImageImport(ctx, image.ImportSource{Source: &packed, SourceName: "-"}, "",
		image.ImportOptions{Changes: []string{
			`ENTRYPOINT ["/probe"]`, "LABEL " + candidate.Label + "=probe", "LABEL " + session.LabelRun + "=" + r.options.Session.ID,
		}})
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Close() }()
	decoder := json.NewDecoder(answer)
	for {
		var message struct {
			Status string `json:"status"` // the last one is the ID of the image
			Error  string `json:"error"`
		}
		switch err := decoder.Decode(&message); {
		case errors.Is(err, io.EOF) && imageID != "":
			return imageID, nil
		case err != nil:
			return "", fmt.Errorf("import the probe's image: %w", err)
		case message.Error != "":
			return "", fmt.Errorf("import the probe's image: %s", message.Error)
		}
		imageID = message.Status
	}
}

// probe returns the program of the probe for an architecture: built now, or found in an image of the suite, which has no Go.
func (r *Runtime) probe(ctx context.Context, architecture string) ([]byte, error) {
	if program, err := os.Executable(); err == nil && architecture == goruntime.GOARCH {
		folder := filepath.Dir(program)
		if _, err := os.Stat(filepath.Join(folder, "prebuilt")); err == nil {
			return os.ReadFile(filepath.Join(folder, "probe"))
		}
	}
	folder, err := os.MkdirTemp(r.options.Session.Dir, "probe-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.WriteFile(filepath.Join(folder, "main.go"), probeSource, 0o600); err != nil {
		return nil, err
	}
	program := filepath.Join(folder, "probe")
	if err := candidate.BuildStatic(ctx, folder, "main.go", program, architecture); err != nil {
		return nil, err
	}
	return os.ReadFile(program)
}

// unreachable returns an error that says what was tried, and what to do.
func (r *Runtime) unreachable(ctx context.Context, name, said string) error {
	subnet := r.subnet(ctx, r.networks.federation)
	unreachable := &runtime.UnreachableError{
		Tried: fmt.Sprintf("a test container in the federation network (%s) could not connect to %s, where this process listens",
			subnet, r.dialled(name)),
		Problem: said,
	}
	if r.peers.self.IsValid() {
		unreachable.ToDo = append(unreachable.ToDo, fmt.Sprintf("if a firewall on this machine drops packets from containers, allow them: "+
			"iptables -I INPUT -s %s -p tcp --dport %d -j ACCEPT (the next run may get another subnet; "+
			"-i br-+ in place of -s %s matches all bridges of Docker)", subnet, federationPort, subnet))
	} else {
		unreachable.ToDo = append(unreachable.ToDo, fmt.Sprintf("if a firewall on this machine drops packets from containers, allow TCP "+
			"from %s (the next run may get another subnet and port)", subnet))
	}
	unreachable.ToDo = append(unreachable.ToDo,
		"if the engine is rootless, or in a virtual machine, set COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT to a name or address of this machine "+
			"that its containers can reach: host.containers.internal for Podman, else the address of a network interface of this "+
			"machine (ip address), not of its loopback; docs/engines.md says what works",
		"or run servers without containers: --runtime process")
	return unreachable
}

// dialled returns where containers connect to for a peer, with the address of its name if that is known here.
func (r *Runtime) dialled(name string) string {
	if !r.peers.self.IsValid() {
		return name
	}
	return fmt.Sprintf("%s:%d (%s)", name, federationPort, net.JoinHostPort(r.peers.self.String(), strconv.Itoa(federationPort)))
}

// subnet returns the IPv4 subnet of a network for a message, or the placeholder SUBNET if it is unknown.
func (r *Runtime) subnet(ctx context.Context, id string) string {
	details, err := r.engine.NetworkInspect(ctx, id, network.InspectOptions{})
	if err == nil {
		for _, each := range details.IPAM.Config {
			if strings.Contains(each.Subnet, ".") {
				return each.Subnet
			}
		}
	}
	return "SUBNET"
}
