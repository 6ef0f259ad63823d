package check

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

// meeting returns checks that all run before one of them ends, and a function that counts the checks by their server.
func meeting(count int) (checks []*Check, usersOf func() map[*fakeServer]int) {
	var (
		mu  sync.Mutex
		met sync.WaitGroup
	)
	users := map[*fakeServer]int{}
	met.Add(count)
	for i := range count {
		checks = append(checks, named(fmt.Sprintf("meets %d", i), func(c *C, server *fakeServer) {
			if again := c.Deploy("one server", false); again != Deployment(server) {
				c.Errorf("it uses two copies")
			}
			mu.Lock()
			users[server]++
			mu.Unlock()
			met.Done()
			met.Wait()
		}))
	}
	return checks, func() map[*fakeServer]int { return users }
}

func TestChecksAreSpreadOverCopies(t *testing.T) {
	checks, usersOf := meeting(3 * crowded)
	final, servers := outcomeOnCopies(t, 3, 3*crowded, append(checks, stayingUp())...)
	for name, result := range final {
		assert.Equal(t, verdict.Pass, result.Verdict, name)
	}
	assert.Len(t, servers.made, 3)
	for server, checks := range usersOf() {
		assert.Equal(t, crowded, checks, server.id)
	}
}

func TestThereAreNoMoreCopiesThanAreAllowedOrNeeded(t *testing.T) {
	checks, _ := meeting(3 * crowded)
	_, servers := outcomeOnCopies(t, 2, 3*crowded, checks...)
	assert.Len(t, servers.made, 2)

	checks, _ = meeting(crowded)
	_, servers = outcomeOnCopies(t, 3, crowded, checks...)
	assert.Len(t, servers.made, 1)

	checks = nil
	for i := range 3 * crowded {
		checks = append(checks, harmless(fmt.Sprint(i), false))
	}
	_, servers = outcomeOnCopies(t, 3, 1, checks...)
	assert.Len(t, servers.made, 1, "checks that have ended do not count")
}

// TestACopyThatDiesIsReplaced: the checks that used the others are not suspects.
func TestACopyThatDiesIsReplaced(t *testing.T) {
	var checks []*Check
	for i := range 2*crowded - 1 {
		checks = append(checks, harmless(fmt.Sprint(i), false))
	}
	culprit := named("culprit", func(c *C, server *fakeServer) {
		server.die(Death{Cause: "exited with status 2"})
		<-c.Context().Done()
	})
	checks = append(checks, culprit, harmless("late", false), stayingUp())
	final, servers := outcomeOnCopies(t, 2, 2*crowded, checks...)
	for name, result := range final {
		switch name {
		case "culprit", "stays up":
			assert.Equal(t, verdict.Fail, result.Verdict, name)
		default:
			assert.Equal(t, verdict.Pass, result.Verdict, name)
		}
	}
	assert.Greater(t, len(servers.made), 2)
}
