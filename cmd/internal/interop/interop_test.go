// Package interop tests the reference with independent homeservers: Dendrite and Synapse, in one deployment, with users who
// act in each other's rooms. It also tests that the reference keeps what it has acknowledged (kill_test.go).
//
// Dendrite runs as a plain process, with every `go test` that has the time to build it. Synapse needs a container engine and, the first time, minutes:
//
//	MSC4014_TEST_INTEROP=1 go test -v -timeout 30m ./cmd/internal/interop
//
// runs the same stories in containers, with Synapse.
package interop

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const enableVariable = "MSC4014_TEST_INTEROP"

// ordinaryVersions are the room versions without pseudonymous identities that the reference has.
var ordinaryVersions = []string{"10", "11"}

// TestReferenceAmongDendrites tests ordinary rooms, in both directions, in plain processes.
func TestReferenceAmongDendrites(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Dendrite")
	}
	meet(t, "process", "dendrite@0.13.8", "dendrite@0.15.2")
}

// TestReferenceAmongContainers tests the same with Synapse, in containers.
func TestReferenceAmongContainers(t *testing.T) {
	if os.Getenv(enableVariable) == "" {
		t.Skipf("takes minutes if Synapse's image does not exist; set %s=1 to run it", enableVariable)
	}
	needEngine(t) // Synapse runs in a container
	meet(t, "docker", "synapse", "dendrite@0.13.8", "dendrite@0.15.2")
}

// meet has the users of a reference meet those of others, in rooms of each side.
func meet(t *testing.T, runtimeName string, others ...string) {
	world := deploy(t, runtimeName, append([]string{"reference"}, others...)...)
	for _, other := range others {
		for _, version := range ordinaryVersions {
			for _, pair := range [][2]string{{"reference", other}, {other, "reference"}} {
				for _, story := range slices.Concat(meetings, invitations) {
					t.Run(strings.Join([]string{pair[1] + " at " + pair[0], "version " + version, story.name}, "/"), func(t *testing.T) {
						t.Parallel()
						world.tell(t, story, pair[0], pair[1], version)
					})
				}
			}
		}
	}
}
