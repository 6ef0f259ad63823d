package docker

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServersAreGivenTheUpperHalfOfASubnet(t *testing.T) {
	lower, servers, err := halve("172.19.4.0/28")
	require.NoError(t, err)
	assert.Equal(t, "172.19.4.0/29", lower.String())
	var taken []string
	for address := servers.take(); address != ""; address = servers.take() {
		taken = append(taken, address)
	}
	assert.Equal(t, []string{"172.19.4.8", "172.19.4.9", "172.19.4.10", "172.19.4.11", "172.19.4.12", "172.19.4.13", "172.19.4.14"}, taken)
	assert.Empty(t, servers.take(), "the last address is for broadcasts")
	servers.giveBack("172.19.4.13")
	servers.giveBack("172.19.4.9")
	servers.giveBack("") // that of a server whose address the engine chose
	assert.Equal(t, "172.19.4.13", servers.take())
	assert.Equal(t, "172.19.4.9", servers.take())
	assert.Empty(t, servers.take())

	lower, servers, err = halve("172.19.0.1/16")
	require.NoError(t, err)
	assert.Equal(t, "172.19.0.0/17", lower.String())
	assert.Equal(t, "172.19.128.0", servers.take())
	servers.gateway = servers.next
	assert.Equal(t, "172.19.128.2", servers.take(), "the gateway has an address already")

	for _, unfit := range []string{"172.19.4.0/29", "fd00::/64", "SUBNET"} {
		_, _, err := halve(unfit)
		assert.ErrorContains(t, err, unfit)
	}
	engines := (*serverAddresses)(nil)
	assert.Empty(t, engines.take())
	engines.giveBack("172.19.4.8")
}
