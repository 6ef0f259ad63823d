package rooms

// Power levels that a client gave to users without a key (client-view/power-levels-before-join).

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
	"msc4014/reference/store"
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
	assert.Eventually(t, func() bool { return one.powerOf(room, key) == 50 }, time.Minute, 10*time.Millisecond)
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

// Power levels that change while a deferred one is applied: the later event is the last word on all users.
func TestDeferredPowerUndoesNoOtherChange(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test", "three.test")
	one, two, three := w.servers["one.test"], w.servers["two.test"], w.servers["three.test"]
	room := one.create(alice, pdu.RoomVersion)
	two.join(bob, room, "one.test")
	three.join(carol, room, "one.test")
	r := one.Get(room)
	held, release := make(chan struct{}), make(chan struct{})
	var working sync.WaitGroup
	defer working.Wait()
	func() {
		defer close(release)
		require.NoError(t, one.store.Update(func(tx *store.Tx) error {
			one.tables.deferred.Put(tx, store.Key(room, bob), deferredPower{[]byte("50"), alice})
			return nil
		}))
		working.Go(func() {
			assert.NoError(t, one.store.Update(func(*store.Tx) error {
				close(held)
				<-release
				return nil
			}))
		})
		<-held
		working.Go(r.applyAllDeferred)
		awaitCall(t, "(*Store).Update", "(*Room).applyAllDeferred")
		working.Go(func() { one.givePower(room, map[string]int{alice: 100, carol: 40}) })
		awaitCall(t, "(*server).givePower", "(*Mutex).lockSlow")
	}()
	working.Wait()
	assert.Equal(t, int64(40), one.powerOf(room, first(r.Sender(carol))))
	assert.Equal(t, int64(0), one.powerOf(room, first(r.Sender(bob))))
}

// A deferred power level stands and falls with the event that gives it, and with the one that applies it.
func TestDeferredPowerIsStoredWithItsEvent(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion)
	place := store.Key(room, bob)
	_, err := one.Send(t.Context(), room, alice, Write{
		Type: powerLevelsType, StateKey: new(string), Content: raw(map[string]any{"users": map[string]int{alice: 100, bob: 50}}),
		Also: func(*store.Tx, string) { assert.Contains(t, maps.Collect(one.tables.deferred.All()), place) },
	})
	require.NoError(t, err)
	two.join(bob, room, "one.test")
	assert.NotContains(t, maps.Collect(one.tables.deferred.All()), place)
}

// A deferred power level that the user who gave it may give no more is dropped.
func TestDeferredPowerOfAUserWithoutPower(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion)
	one.givePower(room, map[string]int{alice: 100, bob: 50})
	one.join(dave, room, "")
	require.NoError(t, one.Leave(t.Context(), alice, room, ""))
	two.join(bob, room, "one.test")
	assert.Equal(t, int64(0), one.powerOf(room, first(one.Get(room).Sender(bob))))
	assert.Zero(t, one.tables.deferred.Len())
}

// "user-id-and-power" names the user ID on the wire. The key takes its place, but nobody may remove an equal (rule 9.8).
func TestDeferredPowerOfAUserIDOnTheWire(t *testing.T) {
	for level, stays := range map[int]bool{50: false, 100: true} {
		w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
		one, two := w.servers["one.test"], w.servers["two.test"]
		for _, s := range []*server{one, two} {
			s.Pseudonym.Readings.PowerBeforeJoin = "user-id-and-power"
		}
		room := one.create(alice, pdu.RoomVersion)
		one.givePower(room, map[string]int{alice: 100, bob: level})
		two.join(bob, room, "one.test")
		assert.Equal(t, int64(level), one.powerOf(room, first(one.Get(room).Sender(bob))))
		assert.Equal(t, stays, one.powerOf(room, bob) != 0, "the user ID has power %d", level)
	}
}
