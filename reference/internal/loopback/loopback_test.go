package loopback

import (
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAReservedAddressIsTheTestsAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can hold a port that nobody listens on")
	}
	address, err := net.ResolveTCPAddr("tcp4", Reserve(t))
	require.NoError(t, err)
	elsewhere, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, elsewhere.Close()) }()
	for range 3 {
		_, err = (&net.Dialer{LocalAddr: address}).Dial("tcp4", elsewhere.Addr().String())
		assert.ErrorIs(t, err, unix.EADDRINUSE, "somebody else connects from it")

		listener, err := net.ListenTCP("tcp4", address)
		require.NoError(t, err)
		connection, err := net.Dial("tcp4", address.String())
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		require.NoError(t, connection.Close())
		_, err = net.Dial("tcp4", address.String())
		assert.ErrorIs(t, err, unix.ECONNREFUSED)
	}
}
