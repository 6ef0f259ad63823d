package rooms

// What the directory learns of several member events at once.

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// Which of the keys of one user is the newest does not depend on chance, even if their joins are of one depth and time.
func TestMemberEventsAreLearntInOrder(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test")
	one := w.servers["one.test"]
	r := one.Get(one.create(alice, pdu.RoomVersion))
	past, state := r.current, maps.Clone(r.current.state)
	for range 8 {
		key := identity.GenerateKeyPair()
		member := string(key.Public)
		mapping, err := one.Pseudonym.NewMapping(key.Public, dave, one.Server)
		require.NoError(t, err)
		join, err := r.build(pseudonym.Draft{
			Type: memberType, RoomID: r.id, StateKey: &member, Depth: 9, OriginServerTS: 1,
			Content: raw(map[string]any{"membership": "join", pdu.MappingField: rawJSON(mapping)}),
		}, key, member)
		require.NoError(t, err)
		r.events[join.ID()] = &Event{Event: join, Verdict: pseudonym.Verified}
		state[pdu.StateKey{Type: memberType, Key: member}] = join
	}
	r.current = one.pool.of(state)
	require.NoError(t, one.advance(func(tx *store.Tx, _ int64) error {
		r.learn(tx, r.events[state.Create().ID()], taking{}, past)
		return nil
	}))
	learnt := map[int]string{}
	for _, entry := range r.directory.Entries() {
		learnt[entry.Order] = entry.MemberEvent
	}
	delete(learnt, 0) // alice
	inOrder := slices.Collect(maps.Values(learnt))
	slices.Sort(inOrder)
	for i, eventID := range inOrder {
		assert.Equal(t, eventID, learnt[i+1])
	}
	assert.Len(t, inOrder, 8)
}
