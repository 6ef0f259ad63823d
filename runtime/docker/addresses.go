// The addresses of servers in the federation network. A server keeps its address while it is cut off and when it is started again. An
// engine would give it any free one: another server could get the old one meanwhile, and open connections would hang.

package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/docker/docker/api/types/network"
)

// serverAddresses gives out the upper half of an IPv4 subnet: first each address once, then those of servers that were removed, the longest
// ago first. The engine gives out the lower half.
type serverAddresses struct {
	gateway netip.Addr // never given out

	mutex      sync.Mutex
	next, last netip.Addr
	returned   []string
}

// take returns an address, or "" if all are in use or, as a is nil, the engine chooses them.
func (a *serverAddresses) take() string {
	if a == nil {
		return ""
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.next == a.gateway {
		a.next = a.next.Next()
	}
	if taken := a.next; taken.Less(a.last) { // the last one is for broadcasts
		a.next = taken.Next()
		return taken.String()
	}
	if len(a.returned) == 0 {
		return ""
	}
	taken := a.returned[0]
	a.returned = a.returned[1:]
	return taken
}

// giveBack returns an address whose server was removed.
func (a *serverAddresses) giveBack(address string) {
	if a == nil || address == "" {
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.returned = append(a.returned, address)
}

// halve returns the lower half of an IPv4 subnet, and the addresses of the upper half.
func halve(text string) (lower netip.Prefix, upper *serverAddresses, err error) {
	subnet, err := netip.ParsePrefix(text)
	if err != nil || !subnet.Addr().Is4() || subnet.Bits() > 28 {
		return lower, nil, fmt.Errorf("%s is not an IPv4 subnet of 16 addresses or more", text)
	}
	first := subnet.Masked().Addr().As4()
	half := uint32(1) << (31 - subnet.Bits())
	at := func(offset uint32) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(first[:])+offset)))
	}
	return netip.PrefixFrom(at(0), subnet.Bits()+1), &serverAddresses{next: at(half), last: at(2*half - 1)}, nil
}

// makeFederation creates the federation network. It creates it twice: a container can be given an address only in a network whose subnet was
// requested, and which subnets are free only the engine knows. If it cannot, as when another run was given the subnet meanwhile, it warns,
// and servers have the addresses that the engine gives them.
func (r *Runtime) makeFederation(ctx context.Context) (id string, servers *serverAddresses, err error) {
	name := r.federationName()
	if id, err = r.makeNetwork(ctx, name, nil); err != nil {
		return "", nil, err
	}
	subnet := r.subnet(ctx, id)
	lower, servers, unfit := halve(subnet)
	gateway, none := r.gateway(ctx, id)
	if err := errors.Join(unfit, none); err != nil {
		r.options.Warn(changingAddresses + err.Error())
		return id, nil, nil
	}
	if err := r.engine.NetworkRemove(ctx, id); err != nil {
		return "", nil, fmt.Errorf("remove the network %s: %w", name, err)
	}
	id, err = r.makeNetwork(ctx, name, &network.IPAM{
		Config: []network.IPAMConfig{{Subnet: subnet, IPRange: lower.String(), Gateway: gateway.String()}},
	})
	if err == nil {
		servers.gateway = gateway
		return id, servers, nil
	}
	if ctx.Err() != nil {
		return "", nil, err
	}
	r.options.Warn(changingAddresses + err.Error())
	id, err = r.makeNetwork(ctx, name, nil)
	return id, nil, err
}

// changingAddresses is what a run warns of if servers cannot keep their addresses.
const changingAddresses = "a server that is cut off may have another address afterwards, so that others reach it later, and a check may be " +
	"inconclusive: "
