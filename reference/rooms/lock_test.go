package rooms

// What requests wait for, and what they hold meanwhile.

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// awaitCall returns once a goroutine is in all of the functions. The test holds what they wait for.
func awaitCall(t *testing.T, functions ...string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	require.Eventually(t, func() bool {
	goroutines:
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			for _, function := range functions {
				if !strings.Contains(stack, "."+function+"(") {
					continue goroutines
				}
			}
			return true
		}
		return false
	}, 30*time.Second, time.Millisecond, "nothing is in %q", functions)
}

// Two rooms may each let in the members of the other.
func TestJoinDoesNotLockTheRoomWhileItLooksIntoAnother(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one := w.servers["one.test"]
		lobby := one.create(alice, version)
		club := one.create(alice, version, func(o *CreateOptions) {
			o.InitialState = []StateWrite{{joinRulesType, "", raw(map[string]any{"join_rule": "restricted", "allow": []any{
				map[string]string{"type": "m.room_membership", "room_id": lobby},
			}})}}
		})
		one.join(dave, lobby, "")
		w.servers["two.test"].join(bob, lobby, "one.test")
		for _, join := range []func() error{
			func() error { return one.Join(t.Context(), dave, club, nil, "") },
			func() error {
				_, err := one.MakeMember(t.Context(), "two.test", "join", club, bob, Versions())
				return err
			},
		} {
			one.Get(lobby).mu.Lock()
			joined := make(chan error, 1)
			go func() { joined <- join() }()
			awaitCall(t, "(*Room).checkAllowed")
			free := one.Get(club).mu.TryLock()
			if free {
				one.Get(club).mu.Unlock()
			}
			one.Get(lobby).mu.Unlock()
			assert.True(t, free, "the room is locked")
			require.NoError(t, <-joined)
		}
	})
}
