package complement

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFromEnvironment(t *testing.T) {
	options, err := FromEnvironment([]string{
		"COMPLEMENT_BASE_IMAGE=complement-dendrite:latest",
		"COMPLEMENT_BASE_IMAGE_HS2=complement-synapse",
		"COMPLEMENT_BASE_IMAGE_hs1=another",
		"COMPLEMENT_BASE_IMAGE_HS9=of-no-server-here",
		"COMPLEMENT_SPAWN_HS_TIMEOUT_SECS=5",
		"COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT=host.containers.internal",
		"COMPLEMENT_SHARE_ENV_PREFIX=PASS_",
		"PASS_B=two=2", "PASS_A=1", "PASS_=nothing",
		"COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS=1",
		"COMPLEMENT_DEBUG=0",
		"COMPLEMENT_HOST_MOUNTS=/a:/b;/c:/d:ro",
		"COMPLEMENT_POST_TEST_SCRIPT=./after.sh",
		"COMPLEMENT_CONTAINER_CPU_CORES=0.5",
		"COMPLEMENT_CONTAINER_MEMORY=2 GiB",
	})
	require.NoError(t, err)
	assert.Equal(t, Options{
		BaseImage:       "complement-dendrite:latest",
		BaseImages:      map[string]string{"hs1": "another", "hs2": "complement-synapse"},
		SpawnTimeout:    5 * time.Second,
		Hostname:        "host.containers.internal",
		Environment:     []string{"A=1", "B=two=2"},
		AlwaysPrintLogs: true,
		HostMounts:      []HostMount{{"/a", "/b", false}, {"/c", "/d", true}},
		PostTestScript:  "./after.sh",
		CPUs:            0.5,
		Memory:          2 << 30,
	}, options)
}

func TestEmptyEnvironment(t *testing.T) {
	options, err := FromEnvironment(nil)
	require.NoError(t, err)
	assert.Equal(t, Options{BaseImages: map[string]string{}}, options)
}

func TestBadValuesAreNamed(t *testing.T) {
	for _, bad := range []string{
		"COMPLEMENT_SPAWN_HS_TIMEOUT_SECS=soon", "COMPLEMENT_SPAWN_HS_TIMEOUT_SECS=0", "COMPLEMENT_VERSION_CHECK_ITERATIONS=x",
		"COMPLEMENT_CONTAINER_CPU_CORES=NaN", "COMPLEMENT_CONTAINER_CPU_CORES=-1", "COMPLEMENT_CONTAINER_MEMORY=1.5GB",
		"COMPLEMENT_CONTAINER_MEMORY=9999999999PB", "COMPLEMENT_CONTAINER_MEMORY=-1", "COMPLEMENT_HOST_MOUNTS=/a",
		"COMPLEMENT_HOST_MOUNTS=a:/b",
	} {
		_, err := FromEnvironment([]string{bad})
		if assert.Error(t, err, bad) {
			name, value, _ := strings.Cut(bad, "=")
			assert.Contains(t, err.Error(), fmt.Sprintf("%s=%q: ", name, value))
		}
	}
	_, err := FromEnvironment([]string{"COMPLEMENT_HOST_MOUNTS=x", "COMPLEMENT_CONTAINER_CPU_CORES=y"})
	require.ErrorContains(t, err, `COMPLEMENT_HOST_MOUNTS="x"`)
	require.ErrorContains(t, err, `COMPLEMENT_CONTAINER_CPU_CORES="y"`)
}

// Names differ by case alone, so which of two images is judged would depend on the order of the environment.
func TestTwoImagesForOneServer(t *testing.T) {
	_, err := FromEnvironment([]string{"COMPLEMENT_BASE_IMAGE_HS2=one", "COMPLEMENT_BASE_IMAGE_hs2=other"})
	require.EqualError(t, err, `COMPLEMENT_BASE_IMAGE_HS2="one" and COMPLEMENT_BASE_IMAGE_hs2="other" set different images for the server hs2: unset one`)
	options, err := FromEnvironment([]string{"COMPLEMENT_BASE_IMAGE_HS2=one", "COMPLEMENT_BASE_IMAGE_hs2=one", "COMPLEMENT_BASE_IMAGE_Hs2="})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"hs2": "one"}, options.BaseImages)
}

// Values that Complement ignores are ignored here, too, so that its jobs run unchanged, but with a notice.
func TestValuesThatComplementIgnores(t *testing.T) {
	options, err := FromEnvironment([]string{
		"COMPLEMENT_DEBUG=true", "COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS=yes", "COMPLEMENT_HOST_MOUNTS=/a:/b:z;/c:/d:r0;/e:/f:readonly",
		"COMPLEMENT_SPAWN_HS_TIMEOUT_SECS=7", "COMPLEMENT_VERSION_CHECK_ITERATIONS=100",
	})
	require.NoError(t, err)
	assert.False(t, options.Debug)
	assert.False(t, options.AlwaysPrintLogs)
	assert.Equal(t, []HostMount{{"/a", "/b", false}, {"/c", "/d", false}, {"/e", "/f", true}}, options.HostMounts)
	assert.Equal(t, 5*time.Second, options.SpawnTimeout, "the deprecated variable takes precedence")
	assert.Equal(t, []string{
		`COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS="yes" is ignored, as in Complement: only 1 turns it on`,
		`COMPLEMENT_DEBUG="true" is ignored, as in Complement: only 1 turns it on`,
		"COMPLEMENT_VERSION_CHECK_ITERATIONS is deprecated, use COMPLEMENT_SPAWN_HS_TIMEOUT_SECS; while set, it takes " +
			"precedence: a server may take 5s to start",
		`COMPLEMENT_HOST_MOUNTS: the option "r0" of the mount "/c:/d:r0" is ignored, as in Complement: use ro or nothing`,
	}, options.Notices)
}

func TestMemoryUnits(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "0": 0, "1024": 1024, "1b": 1, "1kb": 1000, "1K": 1024, "512mb": 512e6, "512 MiB": 512 << 20, "1G": 1 << 30,
	} {
		got, err := parseBytes(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestContainersOnly(t *testing.T) {
	assert.Empty(t, Options{Debug: true, AlwaysPrintLogs: true}.ContainersOnly())
	options, err := FromEnvironment([]string{
		"COMPLEMENT_BASE_IMAGE_HS2=other", "COMPLEMENT_CONTAINER_CPU_CORES=1", "COMPLEMENT_POST_TEST_SCRIPT=save.sh",
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"COMPLEMENT_BASE_IMAGE_HS2", "COMPLEMENT_CONTAINER_CPU_CORES", "COMPLEMENT_POST_TEST_SCRIPT"},
		options.ContainersOnly())
	assert.Equal(t, []string{"COMPLEMENT_CONTAINER_CPU_CORES"}, options.Shaping())
}
