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

// Second octets that runs take: well away from 127.0.x.y, which others use.
const (
	firstOctet = 64
	lastOctet  = 254
)

// lease is the right to the addresses 127.octet.0.1 to 127.octet.254.254. Whoever listens on 127.octet.255.254 has it;
// the kernel closes the socket when its holders die, even by SIGKILL, and knows no other user's permissions. The servers of
// the run inherit the socket: no other run gets the addresses while a process of this one may listen on them.
type lease struct {
	octet  int
	socket net.Listener
	shared *os.File // the same socket, for servers

	mutex sync.Mutex
	given int
}

// leaseAddresses takes the addresses of an octet that no live run has, beginning anywhere.
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
		return nil, fmt.Errorf("no loopback addresses are free: port %d is taken on all of 127.%d.0.0 to 127.%d.0.0; does a "+
			"program listen on 0.0.0.0:%d? End it, or use --runtime docker: %w", federationPort, firstOctet, lastOctet, federationPort, err)
	}
	return nil, fmt.Errorf("no loopback addresses are free: %w", err)
}

// forServer hands out an address whose ports nothing listens on.
func (l *lease) forServer() (string, error) {
	return l.next(func(address string) error {
		return errors.Join(canListen(join(address, clientPort)), canListen(join(address, federationPort)))
	})
}

// forPeer hands out an address and listens on its federation port.
func (l *lease) forPeer() (address string, socket net.Listener, err error) {
	address, err = l.next(func(address string) (err error) {
		socket, err = net.Listen("tcp4", join(address, federationPort))
		return err
	})
	return address, socket, err
}

// next hands out an address, each once, that can be used.
func (l *lease) next(use func(address string) error) (string, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	var problem error
	for range 100 { // addresses in a row that something else listens on
		if l.given >= 255*254 {
			return "", errors.New("all loopback addresses of this run have been used")
		}
		address := fmt.Sprintf("127.%d.%d.%d", l.octet, l.given/254, l.given%254+1)
		l.given++
		if problem = use(address); problem == nil {
			return address, nil
		}
	}
	return "", fmt.Errorf("does a program listen on that port on 0.0.0.0? End it, or use --runtime docker: %w", problem)
}

// canListen listens for a moment. No child may be forked meanwhile: it would have a copy of the socket until it executes its
// program, and the address would be in use still when the server wants it.
func canListen(address string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	socket, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	return socket.Close()
}

// release gives the addresses back, once no server is left.
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
