// What Podman does otherwise than Docker. The bridge of a network exists only while a container runs in it: so the gateways of a run's
// networks, where peers listen, come to this machine with a container that holds them, and does nothing else. And the hardware address of
// the bridge changes with the containers in it, so that for seconds others cannot reach the gateway: so it is set.

package docker

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"

	"msc4014/runtime/docker/engine"
)

// holdNetworks starts a container in both networks, for as long as the run lasts.
func (r *Runtime) holdNetworks(ctx context.Context, made networks) error {
	var err error
	if r.holder, err = r.importProbe(ctx); err != nil {
		return err
	}
	name := "msc4014-" + r.options.Session.ID + "-holder"
	making, err := r.options.Session.Making(name)
	if err != nil {
		return err
	}
	defer making()
	id, err := r.createProbe(ctx, r.holder, name, made, "hold")
	if err != nil {
		return err
	}
	return r.engine.ContainerStart(ctx, id, container.StartOptions{})
}

// unsteady is what a run with Podman warns of if it cannot set the hardware addresses of its bridges.
const unsteady = "Podman changes the hardware address of a network's bridge when containers start and end, so that servers may not reach peers for " +
	"seconds, and checks may fail that the candidate passes: "

// steady keeps the hardware address of the bridge that has the gateway's address as it is now.
func steady(ctx context.Context, gateway netip.Addr) error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, each := range interfaces {
		addresses, err := each.Addrs()
		if err != nil {
			continue
		}
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err != nil || prefix.Addr() != gateway {
				continue
			}
			// An address that was set does not change, even if it is the one that the bridge had.
			output, err := exec.CommandContext(ctx, "ip", "link", "set", "dev", each.Name, "address", each.HardwareAddr.String()).CombinedOutput()
			if err != nil {
				return fmt.Errorf("ip link set dev %s address: %w %s", each.Name, err, bytes.TrimSpace(output))
			}
			return nil
		}
	}
	return fmt.Errorf("no interface of this machine has the address %s", gateway)
}

// removeHolder removes the image of the container that holds the networks, after that container.
func (r *Runtime) removeHolder(ctx context.Context) error {
	if r.holder == "" {
		return nil
	}
	if _, err := r.engine.ImageRemove(ctx, r.holder, image.RemoveOptions{Force: true, PruneChildren: true}); err != nil {
		return fmt.Errorf("remove the image of the container that held the networks: %w", err)
	}
	return nil
}

// isPodman reports whether the engine is Podman.
func (r *Runtime) isPodman(ctx context.Context) bool {
	version, err := r.engine.ServerVersion(ctx)
	return err == nil && engine.IsPodman(version)
}
