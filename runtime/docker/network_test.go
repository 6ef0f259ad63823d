package docker

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestContainerOfMounts(t *testing.T) {
	const id = "3f4cd2c6c8f1d0a1b7f2c9e0d5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6"
	for name, mounts := range map[string]string{
		"Docker":                  "512 488 254:0 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw\n",
		"Docker, another folder":  "512 488 254:0 /data/containers/" + id + "/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw\n",
		"Podman":                  "512 488 0:23 /containers/overlay-containers/" + id + "/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n",
		"after those of a folder": "1 0 254:0 / / rw - ext4 /dev/vda rw\n512 488 254:0 /var/lib/docker/containers/" + id + "/hosts /etc/hosts rw - ext4 /dev/vda rw\n",
	} {
		assert.Equal(t, id, containerOf(mounts), name)
	}
	for name, mounts := range map[string]string{
		"no container":          "1 0 254:0 / / rw,relatime - ext4 /dev/vda rw\n",
		"a folder of another":   "512 488 254:0 /var/lib/docker/containers/" + id + "/hostname /mnt/hostname rw - ext4 /dev/vda rw\n",
		"an ID that is shorter": "512 488 254:0 /var/lib/docker/containers/3f4c/hostname /etc/hostname rw - ext4 /dev/vda rw\n",
		"nothing":               "",
	} {
		assert.Empty(t, containerOf(mounts), name)
	}
}

// TestEnginesThatCannotPause: their words become not-run; what may pass by itself does not.
func TestEnginesThatCannotPause(t *testing.T) {
	for text, cannot := range map[string]bool{
		"Cannot pause container 39c6: OCI runtime pause failed: cannot toggle freezer: cgroups not configured for container: unknown": true,
		"can not pause containers on rootless containers with cgroup V1: this container does not have a cgroup":                       true,
		"Cannot pause container 39c6: OCI runtime pause failed: unable to freeze: unknown":                                            false,
		"Cannot pause container 39c6: container is not running":                                                                       false,
	} {
		assert.Equal(t, cannot, cannotFreeze(errors.New(text)), text)
	}
}

func TestGatewayThatIsNotHere(t *testing.T) {
	err := steady(t.Context(), netip.MustParseAddr("203.0.113.7"))
	assert.EqualError(t, err, "no interface of this machine has the address 203.0.113.7")
}

// TestNamesOfTheContainer: the name that COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT gives is one of a container only inside one.
func TestNamesOfTheContainer(t *testing.T) {
	assert.Empty(t, containerNames("", "", "given"))
	assert.Equal(t, []string{"host", "given"}, containerNames("host", "", "given"))
	assert.Equal(t, []string{"id", "given"}, containerNames("", "id", "given"))
	assert.Equal(t, []string{"host", "id"}, containerNames("host", "id", ""))
}
