package rooms

// Power levels that a client gave to users without a key (client-view/power-levels-before-join).

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

func (s *server) givePower(room string, users map[string]int) {
	_, err := s.Send(s.world.t.Context(), room, alice, Write{Type: powerLevelsType, StateKey: new(string), Content: raw(map[string]any{"users": users})})
	require.NoError(s.world.t, err)
	s.world.deliver()
}

func (s *server) powerOf(room, key string) int64 { return s.Get(room).State().PowerLevels().Of(key) }

func TestDeferredPowerOfAJoinInATransaction(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test", "three.test")
	one, two, three := w.servers["one.test"], w.servers["two.test"], w.servers["three.test"]
	room := one.create(alice, pdu.RoomVersion)
	three.join(carol, room, "one.test")
	one.givePower(room, map[string]int{alice: 100, bob: 50})
	two.join(bob, room, "three.test")
	assert.Equal(t, int64(50), one.powerOf(room, first(one.Get(room).Sender(bob))))
}

func TestDeferredPowerOfAMemberVerifiedLater(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion)
	one.givePower(room, map[string]int{alice: 100, bob: 50})
	w.hide("two.test", true)
	two.join(bob, room, "one.test")
	key := first(two.Get(room).Sender(bob))
	assert.Equal(t, int64(0), one.powerOf(room, key))
	w.hide("two.test", false)
	_, ok := one.VerifyNow(t.Context(), "@_unverified_bob_two.test:one.test")
	require.True(t, ok)
	assert.Eventually(t, func() bool { return one.powerOf(room, key) == 50 }, 5*time.Second, 10*time.Millisecond)
}

func TestDeferredPowerIsWithdrawn(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion)
	one.givePower(room, map[string]int{alice: 100, bob: 50})
	one.givePower(room, map[string]int{alice: 100})
	two.join(bob, room, "one.test")
	assert.Equal(t, int64(0), one.powerOf(room, first(one.Get(room).Sender(bob))))
}
