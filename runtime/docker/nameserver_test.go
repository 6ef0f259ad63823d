package docker

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNameServer(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	server, err := newNameServer(loopback, 0, netip.MustParseAddr("10.1.2.3"))
	require.NoError(t, err)
	defer server.close()
	for protocol, address := range map[string]net.Addr{"udp": server.packets.LocalAddr(), "tcp": server.streams.Addr()} {
		t.Run(protocol, func(t *testing.T) {
			resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, protocol, address.String())
			}}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			addresses, err := resolver.LookupHost(ctx, "Peer2048.msc4014.test.")
			require.NoError(t, err)
			assert.Equal(t, []string{"10.1.2.3"}, addresses)
			_, err = resolver.LookupNetIP(ctx, "ip6", "peer1.msc4014.test.")
			require.ErrorContains(t, err, "no such host")
			for _, name := range []string{"peer2049.msc4014.test.", "matrix.org."} {
				_, err = resolver.LookupHost(ctx, name)
				var missing *net.DNSError
				require.ErrorAs(t, err, &missing)
				assert.True(t, missing.IsNotFound, name)
			}
			_, _, err = resolver.LookupSRV(ctx, "matrix-fed", "tcp", "peer1.msc4014.test.")
			require.ErrorContains(t, err, "no such host")
		})
	}
	for _, noise := range []string{"", "x", "\x00\x01\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00"} {
		_, answered := server.answer([]byte(noise))
		assert.False(t, answered)
	}
}

func FuzzNameServer(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x04test\x00\x00\x01\x00\x01"))
	f.Fuzz(func(_ *testing.T, query []byte) { (&nameServer{}).answer(query) })
}

func TestPeersOfAPool(t *testing.T) {
	pool := &peers{self: netip.MustParseAddr("10.1.2.3")}
	seen := map[string]bool{}
	for range peerPool {
		peer, err := pool.next()
		require.NoError(t, err)
		assert.Equal(t, "10.1.2.3:8448", peer.Listen)
		assert.Contains(t, pool.hosts(), peer.Name+":10.1.2.3")
		seen[peer.Name] = true
	}
	assert.Len(t, seen, peerPool)
	_, err := pool.next()
	require.ErrorContains(t, err, "all 2048 names")
}

func TestPeersWithPorts(t *testing.T) {
	for _, hostname := range []string{engineHost, "host.containers.internal"} {
		named := &peers{hostname: hostname}
		peer, err := named.next()
		require.NoError(t, err)
		require.NoError(t, peer.Socket.Close())
		host, port, err := net.SplitHostPort(peer.Name)
		require.NoError(t, err)
		assert.Equal(t, hostname, host)
		assert.Equal(t, "0.0.0.0:"+port, peer.Listen)
		assert.Equal(t, hostname == engineHost, len(named.hosts()) == 1)
	}
}

func TestMakePeersRefusesInvalidHostNames(t *testing.T) {
	run := &Runtime{options: Options{Warn: func(string) {}}}
	for _, bad := range []string{"http://host", "host:80", "a b", "a/b"} {
		run.options.Complement.Hostname = bad
		_, err := run.makePeers()
		require.ErrorContains(t, err, "is not a host name", bad)
	}
}
