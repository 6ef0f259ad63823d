// Package loopback gives tests an address that stays theirs.
package loopback

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Reserve returns 127.0.0.1 with a port on which the test can listen, and listen again after it has closed its listener.
// Nothing else gets the port before the test ends: a socket that does not listen is bound to it. Only Linux lets another
// socket listen beside that; elsewhere nothing holds the port while the test does not listen.
func Reserve(t testing.TB) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		return listener.Addr().String()
	}
	address, err := reserve(t)
	if err != nil {
		t.Fatal("cannot reserve a loopback port: ", err)
	}
	return address
}

func reserve(t testing.TB) (string, error) {
	syscall.ForkLock.RLock()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	localhost := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(socket, localhost)); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(socket)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	port := bound.(*unix.SockaddrInet4).Port
	return netip.AddrPortFrom(netip.AddrFrom4(localhost.Addr), uint16(port)).String(), nil
}
