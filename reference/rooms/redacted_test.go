package rooms

// Redacted state outside the timeline, and the form of events that a peer may not see.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

func TestRedactedStateIsNotHandedOut(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version, func(o *CreateOptions) { o.Name, o.Topic = "shameful", "shameful" })
		r := one.Get(room)
		for _, redacted := range []*pdu.Event{
			r.State().Get("m.room.name", ""), r.State().Get("m.room.topic", ""), r.State().Member(first(r.Sender(alice))),
		} {
			_, err := one.Send(t.Context(), room, alice, Write{Type: redactionType, Content: raw(struct{}{}), Redacts: redacted.ID()})
			require.NoError(t, err)
		}
		assert.Empty(t, r.Summary().Name)
		assert.Empty(t, r.Summary().Topic)
		for _, user := range []string{bob, dave} {
			require.NoError(t, one.Invite(t.Context(), alice, user, room, "", false))
		}
		w.deliver()
		outside, ok := two.OutsideOf(bob, room)
		require.True(t, ok)
		for _, shown := range [][]rawMessage{messages(r.InviteState(dave)), messages(outside.Wire), messages(outside.State)} {
			require.NotEmpty(t, shown)
			for _, event := range shown {
				assert.NotContains(t, string(event), "shameful")
				assert.NotContains(t, string(event), `"displayname":"alice:one.test"`)
			}
		}
	})
}

func messages[M ~[]byte](list []M) (all []rawMessage) {
	for _, one := range list {
		all = append(all, rawMessage(one))
	}
	return all
}

// A peer that may not see the content of a member event still gets its sender and mapping, as of any redacted event.
func TestFormOfEventsThatAPeerMayNotSee(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	for _, s := range w.servers {
		s.Pseudonym.Readings.RedactedSenderKey = "removed"
	}
	room := one.create(alice, pdu.RoomVersion, func(o *CreateOptions) {
		o.InitialState = []StateWrite{{historyVisibilityType, "", []byte(`{"history_visibility":"joined"}`)}}
	})
	require.NoError(t, one.writeProfileOf(alice, room))
	hidden := one.Get(room).Event(one.Get(room).State().Member(first(one.Get(room).Sender(alice))).ID())
	two.join(bob, room, "one.test")
	require.False(t, one.Get(room).visibleTo("two.test", hidden))
	form, ok := one.Get(room).visibleForm("two.test", hidden)
	require.True(t, ok)
	served, err := pdu.Parse(form, one.Get(room).format)
	require.NoError(t, err)
	assert.Equal(t, hidden.Sender(), served.Sender())
	assert.True(t, served.Content(pdu.MappingField).Exists())
	assert.False(t, served.Content("displayname").Exists())
}

func (s *server) writeProfileOf(user, roomID string) error {
	return s.Get(roomID).writeProfile(user, Profile{DisplayName: "a new name"})
}
