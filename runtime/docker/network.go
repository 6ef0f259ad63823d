// The two networks of a run, the place of the test process in them, and the names of peers.

package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/network"

	"msc4014/runtime"
	"msc4014/runtime/docker/engine"
)

// domain ends the names of servers and peers. The top-level domain test is reserved (RFC 6761).
const domain = "msc4014.test"

// peerPool is how many peers a run can have. All of their names are in each container's hosts file.
const peerPool = 2048

// federationPort is the port for a server name without one.
const federationPort = 8448

// engineHost is the name by which containers reach the engine's machine if its network gateways are not on this machine.
const engineHost = "host.docker.internal"

// podmanHost is the same in Podman, which puts it into each container's hosts file.
const podmanHost = "host.containers.internal"

// networks are the networks of a run. Of a container's networks, the one whose name sorts first publishes its ports, so that
// must be the access network: a port must not change when the container is disconnected from the federation network.
type networks struct {
	access, federation string // IDs
	// servers are the addresses of servers in the federation network. It is nil if the engine chooses them.
	servers *serverAddresses
	// self is the address in the federation network at which containers reach the test process: the network's gateway,
	// or, if the test process is itself in a container, that container. It is invalid if there is none.
	self netip.Addr
	// selfAccess is the same in the access network, from which servers are never disconnected.
	selfAccess netip.Addr
	// inside says that the test process is in a container, connected to both networks.
	inside bool
	// direct says that the test process reaches servers at their own addresses: it is inside, or the networks are on this
	// machine. Otherwise, as with Docker Desktop, their ports are published on the loopback address.
	direct bool
	// podman says that the engine is Podman.
	podman bool
}

func (r *Runtime) makeNetworks(ctx context.Context) (networks, error) {
	var made networks
	var err error
	if made.access, err = r.makeNetwork(ctx, r.accessName(), nil); err != nil {
		return made, err
	}
	if made.federation, made.servers, err = r.makeFederation(ctx); err != nil {
		return made, err
	}
	if made.self, err = r.gateway(ctx, made.federation); err != nil {
		return made, err
	}
	if made.selfAccess, err = r.gateway(ctx, made.access); err != nil {
		return made, err
	}
	made.podman = r.isPodman(ctx)
	local := func() bool { return isLocal(made.self) && isLocal(made.selfAccess) }
	if !local() && made.podman && r.ownContainer(ctx) == "" {
		if err := r.holdNetworks(ctx, made); err != nil {
			return made, fmt.Errorf("start a container that holds the networks: %w", err)
		}
		if !local() {
			r.options.Warn(unsteady + "it is rootless, and its bridges are not this machine's; use Podman as root, or rootless Docker")
		} else if err := errors.Join(steady(ctx, made.self), steady(ctx, made.selfAccess)); err != nil {
			r.options.Warn(unsteady + "they could not be set (run the suite as root): " + err.Error())
		}
	}
	if local() {
		made.direct = !r.options.alwaysPublish
		return made, nil
	}
	made.self, made.selfAccess = netip.Addr{}, netip.Addr{}
	err = r.joinNetworks(ctx, &made)
	if made.direct = made.inside; err != nil || made.inside {
		return made, err
	}
	return made, r.refuseRemote()
}

// accessName and federationName are the names of the networks. Engines describe a container's networks by name; Podman has no ID there.
func (r *Runtime) accessName() string     { return "msc4014-" + r.options.Session.ID + "-access" }
func (r *Runtime) federationName() string { return "msc4014-" + r.options.Session.ID + "-federation" }

// makeNetwork creates a network with these addresses, or, if they are nil, with those that the engine chooses.
func (r *Runtime) makeNetwork(ctx context.Context, name string, addresses *network.IPAM) (string, error) {
	made, err := r.options.Session.Making(name)
	if err != nil {
		return "", err
	}
	defer made()
	var images []string
	for _, artifact := range r.artifacts.All() {
		images = append(images, artifact.Image)
	}
	if r.options.Clients != nil {
		images = append(images, r.options.Clients.Image)
	}
	answer, err := r.engine.NetworkCreate(ctx, name, network.CreateOptions{
		Driver: "bridge", Labels: r.labels(engine.LabelImages, strings.Join(images, " ")), IPAM: addresses,
	})
	if err == nil {
		return answer.ID, nil
	}
	if strings.Contains(err.Error(), "address pool") {
		err = fmt.Errorf("%w; the engine has no free subnets; remove unused networks (docker network prune)", err)
	}
	return "", fmt.Errorf("create the network %s: %w", name, err)
}

func (r *Runtime) gateway(ctx context.Context, id string) (netip.Addr, error) {
	details, err := r.engine.NetworkInspect(ctx, id, network.InspectOptions{})
	if err != nil {
		return netip.Addr{}, fmt.Errorf("inspect the network %s: %w", id, err)
	}
	for _, subnet := range details.IPAM.Config {
		if gateway, err := netip.ParseAddr(subnet.Gateway); err == nil && gateway.Is4() {
			return gateway, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the network %s has no IPv4 gateway", details.Name)
}

// isLocal reports whether the test process can listen on the address.
func isLocal(address netip.Addr) bool {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(address, 0).String())
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// joinNetworks connects the container that the test process runs in, if any, to both networks.
func (r *Runtime) joinNetworks(ctx context.Context, made *networks) error {
	name := r.ownContainer(ctx)
	if name == "" {
		return nil
	}
	for _, id := range []string{made.access, made.federation} {
		if err := r.engine.NetworkConnect(ctx, id, name, nil); err != nil {
			return fmt.Errorf("connect this container (%s) to the run's networks: %w", name, err)
		}
	}
	details, err := r.engine.ContainerInspect(ctx, name)
	if err != nil {
		return fmt.Errorf("inspect this container (%s): %w", name, err)
	}
	for name, address := range map[string]*netip.Addr{r.federationName(): &made.self, r.accessName(): &made.selfAccess} {
		if endpoint := details.NetworkSettings.Networks[name]; endpoint != nil {
			*address, _ = netip.ParseAddr(endpoint.IPAddress)
		}
	}
	if made.inside = made.self.IsValid() && made.selfAccess.IsValid(); !made.inside {
		return fmt.Errorf("this container (%s) has no address in the run's networks", name)
	}
	return nil
}

// ownContainer returns an ID or name of the container that the test process runs in, if the engine knows it, else "". A container's
// host name is by default the beginning of its ID, but CI services may set another.
func (r *Runtime) ownContainer(ctx context.Context) string {
	var host string
	if _, err := os.Stat("/.dockerenv"); err == nil {
		host, _ = os.Hostname()
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, each := range containerNames(host, containerOf(string(mounts)), r.options.Complement.Hostname) {
		if _, err := r.engine.ContainerInspect(ctx, each); err == nil {
			return each
		}
	}
	return ""
}

// containerNames returns what the container of the test process may be called: its host name if it is one of Docker's, the ID by its mounts,
// and, if either says that there is a container, the name that the caller was given. Each is "" if unknown.
func containerNames(host, mounted, given string) []string {
	var names []string
	for _, each := range []string{host, mounted, given} {
		if each != "" {
			names = append(names, each)
		}
	}
	if host == "" && mounted == "" {
		return nil
	}
	return names
}

// ofContainer matches the source of a file that an engine mounts into each of its containers: Docker's
// /var/lib/docker/containers/ID/hostname, Podman's .../overlay-containers/ID/userdata/hostname.
var ofContainer = regexp.MustCompile(`(?m)^\S+ \S+ \S+ \S*/(?:overlay-)?containers/([0-9a-f]{64})/\S* /etc/(?:hostname|hosts|resolv\.conf) `)

// containerOf returns the ID of the container whose mounts are given as /proc/self/mountinfo, or "" if it is none.
func containerOf(mounts string) string {
	if found := ofContainer.FindStringSubmatch(mounts); found != nil {
		return found[1]
	}
	return ""
}

// refuseRemote returns an error if the engine is on another machine, where published ports would be on that machine's
// loopback address.
func (r *Runtime) refuseRemote() error {
	address, err := url.Parse(r.engine.DaemonHost())
	if err != nil || address.Scheme == "unix" || address.Scheme == "npipe" {
		return nil
	}
	if ip, err := netip.ParseAddr(address.Hostname()); address.Hostname() == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("the engine at %s is on another machine, where the ports of its containers cannot be reached; "+
		"use one on this machine", r.engine.DaemonHost())
}

// peers gives out the names of peers, each once.
type peers struct {
	self     netip.Addr // where the names of the pool point to, if valid
	hostname string     // else the name of the test process, to which each peer adds a port

	mutex sync.Mutex
	given int
}

func (r *Runtime) makePeers() (*peers, error) {
	hostname := r.options.Complement.Hostname
	switch {
	case r.networks.self.IsValid() && (r.networks.inside || hostname == "" || hostname == engineHost):
		return &peers{self: r.networks.self}, nil
	case hostname == "" && r.networks.podman:
		hostname = podmanHost
	case hostname == "":
		hostname = engineHost
	}
	if _, err := url.Parse("https://" + hostname + ":8448"); err != nil || strings.ContainsAny(hostname, "/:@?# ") {
		return nil, fmt.Errorf("COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT=%q is not a host name", hostname)
	}
	r.options.Warn("peers have names with a port, " + hostname + ":PORT: the networks' gateways cannot be used here")
	return &peers{hostname: hostname}, nil
}

func (p *peers) next() (runtime.PeerAddress, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.self.IsValid() {
		return p.nextPort()
	}
	if p.given == peerPool {
		return runtime.PeerAddress{}, fmt.Errorf("all %d names for peers of this run have been used", peerPool)
	}
	p.given++
	return runtime.PeerAddress{
		Name:   peerName(p.given),
		Listen: netip.AddrPortFrom(p.self, federationPort).String(),
	}, nil
}

// nextPort listens on a new port for a peer.
func (p *peers) nextPort() (runtime.PeerAddress, error) {
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		return runtime.PeerAddress{}, fmt.Errorf("find a port for a peer: %w", err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	return runtime.PeerAddress{
		Name: net.JoinHostPort(p.hostname, port), Listen: net.JoinHostPort("0.0.0.0", port), Socket: listener,
	}, nil
}

// hosts returns the entries of each container's hosts file, "name:address".
func (p *peers) hosts() []string {
	if !p.self.IsValid() {
		if p.hostname == engineHost {
			return []string{engineHost + ":host-gateway"}
		}
		return nil
	}
	lines := make([]string, peerPool)
	for i := range lines {
		lines[i] = peerName(i+1) + ":" + p.self.String()
	}
	return lines
}

func peerName(number int) string { return fmt.Sprintf("peer%d.%s", number, domain) }

func serverName(options runtime.ServerOptions) string {
	return options.Host + "." + options.Deployment + "." + domain
}
