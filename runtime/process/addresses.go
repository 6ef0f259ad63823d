// The loopback addresses of a run.

package process

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Ports of Complement's image contract.
const (
	clientPort     = 8008
	federationPort = 8448
)

// The range of second octets for runs, away from 127.0.x.y, which other programs use.
const (
	firstOctet = 64
	lastOctet  = 254
)

// lease is the exclusive use of the addresses 127.octet.0.1 to 127.octet.254.254. A process holds it by listening on
// 127.octet.255.254. Unlike a lock file, this works across users, and the kernel closes the socket when its holders die,
// even by SIGKILL. The servers of the run inherit the socket, so that no other run gets the addresses while a process of this
// run may listen on them.
type lease struct {
	octet  int
	socket net.Listener
	shared *os.File // the same socket, for servers

	mutex sync.Mutex
	given int
}

// leaseAddresses takes the addresses of an octet that no live run uses, beginning with a random one.
func leaseAddresses() (*lease, error) {
	const count = lastOctet - firstOctet + 1
	start := rand.IntN(count)
	var err error
	for i := range count {
		octet := firstOctet + (start+i)%count
		var socket net.Listener
		if socket, err = net.Listen("tcp4", join(fmt.Sprintf("127.%d.255.254", octet), federationPort)); err == nil {
			shared, err := socket.(*net.TCPListener).File()
			if err != nil {
				return nil, errors.Join(fmt.Errorf("cannot share the loopback addresses of 127.%d.0.0 with servers: %w", octet, err), socket.Close())
			}
			return &lease{octet: octet, socket: socket, shared: shared}, nil
		}
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("no loopback addresses are free: port %d is in use from 127.%d.0.0 to 127.%d.0.0; if a program "+
			"listens on 0.0.0.0:%d, stop it, or use --runtime docker: %w", federationPort, firstOctet, lastOctet, federationPort, err)
	}
	return nil, fmt.Errorf("no loopback addresses are free: %w", err)
}

// forServer returns an address whose ports nothing listens on.
func (l *lease) forServer() (string, error) {
	return l.next(func(address string) error {
		return errors.Join(canListen(join(address, clientPort)), canListen(join(address, federationPort)))
	})
}

// forPeer returns an address, and listens on its federation port.
func (l *lease) forPeer() (address string, socket net.Listener, err error) {
	address, err = l.next(func(address string) (err error) {
		socket, err = net.Listen("tcp4", join(address, federationPort))
		return err
	})
	return address, socket, err
}

// next returns an address that was not returned before and for which use returns nil.
func (l *lease) next(use func(address string) error) (string, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	var problem error
	for range 100 { // give up after so many addresses in a row
		if l.given >= 255*254 {
			return "", errors.New("all loopback addresses of this run have been used")
		}
		address := fmt.Sprintf("127.%d.%d.%d", l.octet, l.given/254, l.given%254+1)
		l.given++
		if problem = use(address); problem == nil {
			return address, nil
		}
	}
	return "", fmt.Errorf("%w; if a program listens on that port of 0.0.0.0, stop it, or use --runtime docker", problem)
}

// canListen listens briefly, and returns an error if that is impossible. No child may be forked meanwhile: it would have a
// copy of the socket until it executes its program, and the address might still be in use when the server needs it.
func canListen(address string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	socket, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	return socket.Close()
}

// release releases the addresses. The caller must have ended all servers.
func (l *lease) release() error {
	var problems []error
	for _, each := range []io.Closer{l.socket, l.shared} {
		if err := each.Close(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func join(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
