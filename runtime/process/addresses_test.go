package process

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"msc4014/runtime"
)

func TestNamesAreNeverUsedAgain(t *testing.T) {
	r := playing(t, "ready")
	seen := map[string]bool{}
	for range 300 {
		peer, err := r.NewPeer()
		require.NoError(t, err)
		assert.Equal(t, peer.Name+":8448", peer.Listen)
		assert.Equal(t, peer.Listen, peer.Socket.Addr().String())
		require.NoError(t, peer.Socket.Close())
		assert.Equal(t, fmt.Sprintf("127.%d", r.lease.octet), peer.Name[:strings.Index(peer.Name[4:], ".")+4])
		assert.True(t, net.ParseIP(peer.Name).IsLoopback(), peer.Name)
		assert.False(t, seen[peer.Name], peer.Name)
		seen[peer.Name] = true
	}
	start(t, r, "hs1")
	_, err := r.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	assert.ErrorContains(t, err, "already had a server with that name")
}

func TestRunsHaveDifferentAddresses(t *testing.T) {
	octets := map[int]bool{}
	for range 5 {
		r := playing(t, "ready")
		assert.False(t, octets[r.lease.octet])
		octets[r.lease.octet] = true
	}
}

func TestAddressesInUseAreSkipped(t *testing.T) {
	r := playing(t, "ready")
	taken := fmt.Sprintf("127.%d.0.1", r.lease.octet)
	socket, err := net.Listen("tcp4", join(taken, federationPort))
	require.NoError(t, err)
	defer func() { _ = socket.Close() }()
	assert.NotEqual(t, taken, start(t, r, "hs1").Name())
}

// A child has copies of all sockets until it executes its program.
func TestAddressesAreFreeWhileChildrenStart(t *testing.T) {
	r := playing(t, "ready")
	var long []string // environment that takes a while to copy
	for i := range 20 {
		long = append(long, fmt.Sprintf("LONG%d=%s", i, strings.Repeat("x", 100_000)))
	}
	const enough = 60
	var begun atomic.Int64
	var starting sync.WaitGroup
	for range 2 {
		starting.Go(func() {
			for begun.Add(1) <= enough {
				child := exec.Command("true")
				child.Env = long
				assert.NoError(t, child.Run())
			}
		})
	}
	defer starting.Wait()
	for begun.Load() <= enough && r.lease.given < 40_000 {
		address, err := r.lease.forServer()
		require.NoError(t, err)
		for _, port := range []int{clientPort, federationPort} {
			socket, err := net.Listen("tcp4", join(address, port))
			require.NoError(t, err)
			require.NoError(t, socket.Close())
		}
		peer, err := r.NewPeer()
		require.NoError(t, err)
		require.NoError(t, peer.Socket.Close())
	}
}

// A child of a server may listen on one of the run's addresses.
func TestAddressesStayLeasedWhileAChildOfAServerLives(t *testing.T) {
	r := playing(t, "stray")
	s := start(t, r, "hs1")
	var child int
	_, err := fmt.Sscanf(s.Log(1), "child %d", &child)
	require.NoError(t, err, s.Log(0))
	defer func() { _ = unix.Kill(child, unix.SIGKILL) }()
	require.NoError(t, r.Close(t.Context()))
	require.True(t, alive(child))
	lease := func() error {
		socket, err := net.Listen("tcp4", join(fmt.Sprintf("127.%d.255.254", r.lease.octet), federationPort))
		if err != nil {
			return err
		}
		return socket.Close()
	}
	assert.ErrorIs(t, lease(), unix.EADDRINUSE)
	require.NoError(t, unix.Kill(child, unix.SIGKILL))
	assert.Eventually(t, func() bool { return lease() == nil }, 10*time.Second, time.Millisecond)
}
