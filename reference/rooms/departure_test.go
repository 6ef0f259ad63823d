package rooms

// Deactivated accounts, and what is written about members that are shown by a placeholder.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// redaction/deactivation: the mapping stays away, whatever others do to the key, and is not served to later joiners.
func TestDeactivationIsForGood(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion)
	one.join(dave, room, "")
	r := one.Get(room)
	key := first(r.Sender(dave))
	join := r.State().Member(key)
	require.NoError(t, one.Deactivate(t.Context(), dave))
	placeholder := r.UserID(key)
	require.NotEqual(t, dave, placeholder)
	leave := r.State().Member(key)
	assert.Equal(t, "leave", leave.Membership())
	assert.False(t, leave.Content(pdu.MappingField).Exists(), "the leave does not repeat it")
	require.NoError(t, one.Ban(t.Context(), alice, placeholder, room, ""))
	assert.Equal(t, placeholder, r.UserID(key))
	require.NoError(t, one.Unban(t.Context(), alice, placeholder, room, ""))
	assert.Equal(t, placeholder, r.UserID(key))
	assert.False(t, r.forPeers(r.Event(join.ID())).Content(pdu.MappingField).Exists())
	assert.Equal(t, join.ID(), r.forPeers(r.Event(join.ID())).ID())
	two.join(bob, room, "one.test")
	assert.NotEqual(t, dave, two.Get(room).UserID(key))
	one.stop()
	one.start()
	assert.Equal(t, placeholder, one.Get(room).UserID(key))
}

// The last event of a deactivated user does not repeat the mapping, whichever events have one
// (mapping/in-leave-ban-knock), and whether the user was a member or invited.
func TestDeactivationRepeatsNoMapping(t *testing.T) {
	for _, reading := range []pseudonym.Reading{"own-only", "all"} {
		w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
		one, two := w.servers["one.test"], w.servers["two.test"]
		one.Pseudonym.Readings.InLeaveBanKnock, two.Pseudonym.Readings.InLeaveBanKnock = reading, reading
		room := one.create(alice, pdu.RoomVersion)
		require.NoError(t, one.Invite(t.Context(), alice, bob, room, "", false))
		one.join(dave, room, "")
		r := one.Get(room)
		invited, joined := first(r.Sender(bob)), first(r.Sender(dave))
		require.NoError(t, two.Deactivate(t.Context(), bob))
		require.NoError(t, one.Deactivate(t.Context(), dave))
		for _, key := range []string{invited, joined} {
			leave := r.State().Member(key)
			assert.Equal(t, "leave", leave.Membership())
			assert.False(t, leave.Content(pdu.MappingField).Exists())
		}
	}
}

// The mapping is removed although clients no longer see the user by its user ID (redaction/leave-and-mapping,
// "user-id-gone").
func TestDeactivationOfAUserThatHasLeft(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test")
	one := w.servers["one.test"]
	one.Pseudonym.Readings.LeftMapping = "user-id-gone"
	room := one.create(alice, pdu.RoomVersion)
	one.join(dave, room, "")
	key := first(one.Get(room).Sender(dave))
	require.NoError(t, one.Leave(t.Context(), dave, room, ""))
	require.NoError(t, one.Deactivate(t.Context(), dave))
	assert.True(t, one.Get(room).directory.Purged(identity.SenderKey(key)))
}

// A peer that may not see the content of a purged member event gets no mapping either, and under every reading of
// redaction/sender-key-kept a sender.
func TestPurgedMappingIsServedToNobody(t *testing.T) {
	for _, reading := range []pseudonym.Reading{"kept", "removed"} {
		w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
		one, two := w.servers["one.test"], w.servers["two.test"]
		for _, s := range w.servers {
			s.Pseudonym.Readings.RedactedSenderKey = reading
		}
		room := one.create(alice, pdu.RoomVersion, func(o *CreateOptions) {
			o.InitialState = []StateWrite{{historyVisibilityType, "", []byte(`{"history_visibility":"joined"}`)}}
		})
		one.join(dave, room, "")
		r := one.Get(room)
		join := r.Event(r.State().Member(first(r.Sender(dave))).ID())
		require.NoError(t, one.writeProfileOf(dave, room))
		require.NoError(t, one.Deactivate(t.Context(), dave))
		two.join(bob, room, "one.test")
		require.False(t, r.visibleTo("two.test", join))
		unseen, ok := r.visibleForm("two.test", join)
		require.True(t, ok)
		for _, form := range [][]byte{unseen, r.forPeers(join).JSON()} {
			served, err := pdu.Parse(form, r.format)
			require.NoError(t, err)
			assert.False(t, served.Content(pdu.MappingField).Exists())
			assert.Equal(t, join.Sender(), served.Sender())
			assert.Equal(t, join.ID(), served.ID())
		}
	}
}

// mapping/in-leave-ban-knock, "all": a placeholder is a user ID of this server, which signs nothing for it.
func TestKickOfUnverifiedMember(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	one.Pseudonym.Readings.InLeaveBanKnock = "all"
	room := one.create(alice, pdu.RoomVersion)
	w.hide("two.test", true)
	two.join(bob, room, "one.test")
	key := first(two.Get(room).Sender(bob))
	require.NoError(t, one.Kick(t.Context(), alice, "@_unverified_bob_two.test:one.test", room, ""))
	assert.False(t, one.Get(room).State().Member(key).Content(pdu.MappingField).Exists())
}
