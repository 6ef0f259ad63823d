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

	lower, servers, err = halve("172.19.0.1/16")
	require.NoError(t, err)
	assert.Equal(t, "172.19.0.0/17", lower.String())
	assert.Equal(t, "172.19.128.0", servers.take())

	for _, unfit := range []string{"172.19.4.0/29", "fd00::/64", "SUBNET"} {
		_, _, err := halve(unfit)
		assert.ErrorContains(t, err, unfit)
	}
	assert.Empty(t, (*serverAddresses)(nil).take())
}
