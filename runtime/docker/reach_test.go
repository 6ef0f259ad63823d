package docker

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/complement"
	"msc4014/runtime/session"
)

// dropFrom makes this machine drop packets from a subnet to the federation port of an address, until the test ends.
func dropFrom(t *testing.T, subnet, address string) {
	t.Helper()
	path, err := exec.LookPath("iptables")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/iptables"); err != nil {
			t.Skip("this part needs iptables")
		}
	}
	rule := []string{"INPUT", "-s", subnet, "-d", address, "-p", "tcp", "--dport", "8448", "-j", "DROP"}
	if output, err := exec.CommandContext(t.Context(), path, append([]string{"-w", "-I"}, rule...)...).CombinedOutput(); err != nil {
		t.Skipf("this part needs the right to change the firewall: %v: %s", err, output)
	}
	t.Cleanup(func() {
		output, err := exec.Command(path, append([]string{"-w", "-D"}, rule...)...).CombinedOutput()
		assert.NoError(t, err, "%s", output)
	})
}

func TestTryPeerDetectsAFirewall(t *testing.T) {
	run := newRuntime(t, Options{})
	peer, err := run.NewPeer()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", peer.Listen)
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	require.NoError(t, run.TryPeer(t.Context(), peer.Name))

	if !run.networks.self.IsValid() {
		t.Skip("peers do not listen at the gateway of a network here")
	}
	subnet := run.subnet(t.Context(), run.networks.federation)
	dropFrom(t, subnet, run.networks.self.String())
	err = run.TryPeer(t.Context(), peer.Name)
	var unreachable *runtime.UnreachableError
	require.ErrorAs(t, err, &unreachable)
	assert.Contains(t, unreachable.Tried, peer.Name+":8448 ("+peer.Listen+")")
	assert.Contains(t, unreachable.Tried, subnet)
	assert.Contains(t, unreachable.Problem, "i/o timeout")
	toDo := strings.Join(unreachable.ToDo, "\n")
	assert.Contains(t, toDo, "iptables -I INPUT -s "+subnet+" -p tcp --dport 8448 -j ACCEPT")
	assert.Contains(t, toDo, "COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT")

	left, err := run.engine.ImageList(t.Context(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", session.LabelRun+"="+run.options.Session.ID))})
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestTryPeerWithoutAListener(t *testing.T) {
	run := newRuntime(t, Options{})
	peer, err := run.NewPeer()
	require.NoError(t, err)
	var unreachable *runtime.UnreachableError
	require.ErrorAs(t, run.TryPeer(t.Context(), peer.Name), &unreachable)
	assert.Contains(t, unreachable.Problem, "connection refused")
}

func TestTryPeersForDoctor(t *testing.T) {
	connect(t)
	opened := newSession(t)
	address, err := TryPeers(t.Context(), opened, complement.Options{})
	require.NoError(t, err)
	assert.NotEmpty(t, address)
	folders, err := os.ReadDir(opened.Dir)
	require.NoError(t, err)
	for _, each := range folders {
		assert.NotContains(t, each.Name(), "probe-")
	}
}
