package rooms

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// kinds are the kinds of room that everything must work in.
var kinds = []struct {
	name    string
	dialect pdu.Dialect
	version string
}{
	{"10", pdu.DialectMSC4014, "10"}, {"11", pdu.DialectMSC4014, "11"},
	{"msc4014", pdu.DialectMSC4014, pdu.RoomVersion}, {"dendrite", pdu.DialectDendrite, pdu.RoomVersion},
}

const alice, bob, carol, dave = "@alice:one.test", "@bob:two.test", "@carol:three.test", "@dave:one.test"

func inEachKind(t *testing.T, test func(t *testing.T, w *world, version string)) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			test(t, newWorld(t, kind.dialect, "one.test", "two.test", "three.test"), kind.version)
		})
	}
}

func TestServersTalkInARoom(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two, three := w.servers["one.test"], w.servers["two.test"], w.servers["three.test"]
		room := one.create(alice, version)
		one.say(alice, room, "before")
		two.join(bob, room, "one.test")
		one.say(alice, room, "hello")
		two.say(bob, room, "hi")
		three.join(carol, room, "two.test")
		three.say(carol, room, "late")
		assert.Equal(t, []string{alice + ": before", alice + ": hello", bob + ": hi", carol + ": late"}, one.texts(alice, room))
		assert.Equal(t, []string{alice + ": hello", bob + ": hi", carol + ": late"}, two.texts(bob, room))
		for _, s := range w.servers {
			assert.Equal(t, []string{alice, bob, carol}, s.Get(room).MemberUserIDs("join"), "on %s", s.name)
		}
		require.True(t, two.Get(room).Backfill(t.Context()))
		assert.Equal(t, []string{alice + ": before", alice + ": hello", bob + ": hi", carol + ": late"}, two.texts(bob, room))
	})
}

func TestRoomsAreTheSameAfterAStart(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version)
		two.join(bob, room, "one.test")
		one.say(alice, room, "hello")
		before, last := one.Get(room), one.Clock.Now()
		state, heads := before.State(), before.Heads()
		key, _ := before.Sender(alice)
		one.stop()
		one.start()
		after := one.Get(room)
		assert.Equal(t, heads, after.Heads())
		assert.Equal(t, stateIDs(state), stateIDs(after.State()))
		assert.Equal(t, last, one.Clock.Now())
		again, _ := after.Sender(alice)
		assert.Equal(t, key, again)
		one.say(alice, room, "still here")
		assert.Contains(t, two.texts(bob, room), alice+": still here")
	})
}

func TestInvites(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two, three := w.servers["one.test"], w.servers["two.test"], w.servers["three.test"]
		room := one.create(alice, version, func(o *CreateOptions) { o.Preset = "private_chat"; o.Name = "a room" })
		assert.Error(t, two.Join(t.Context(), bob, room, []string{"one.test"}, ""), "nobody invited bob")
		for _, invited := range []string{bob, carol, dave} {
			require.NoError(t, one.Invite(t.Context(), alice, invited, room, "", false))
			w.deliver()
			assert.Equal(t, "invite", one.Get(room).Membership(invited))
		}
		outside, ok := two.OutsideOf(bob, room)
		require.True(t, ok)
		assert.Equal(t, "invite", outside.Membership)
		member := outside.State[len(outside.State)-1]
		assert.Equal(t, bob, gjson.GetBytes(member, "state_key").String())
		assert.Equal(t, alice, gjson.GetBytes(member, "sender").String())

		invitedKey, _ := one.Get(room).Sender(bob)
		two.join(bob, room, "one.test")
		joinedKey, _ := one.Get(room).Sender(bob)
		assert.Equal(t, invitedKey, joinedKey)
		_, still := two.OutsideOf(bob, room)
		assert.False(t, still)

		require.NoError(t, three.Leave(t.Context(), carol, room, "no"))
		w.deliver()
		assert.Equal(t, "leave", one.Get(room).Membership(carol))
		require.NoError(t, one.Join(t.Context(), dave, room, nil, ""))
		w.deliver()
		assert.Equal(t, []string{alice, bob, dave}, two.Get(room).MemberUserIDs("join"))
	})
}

// An invite to a room that the server has left: it still knows whom it verified there, such as who made the room.
func TestInviteBack(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version)
		one.join(dave, room, "")
		two.join(bob, room, "one.test")
		require.NoError(t, two.Leave(t.Context(), bob, room, ""))
		w.deliver()
		require.NoError(t, one.Invite(t.Context(), dave, bob, room, "", false))
		outside, ok := two.OutsideOf(bob, room)
		require.True(t, ok)
		senders := map[string]string{}
		for _, event := range outside.State {
			senders[gjson.GetBytes(event, "type").String()] = gjson.GetBytes(event, "sender").String()
		}
		assert.Equal(t, alice, senders["m.room.create"])
		assert.Equal(t, dave, senders[memberType]) // the invite is the last member event
	})
}

func TestInviteTakenBack(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version, func(o *CreateOptions) { o.Preset = "private_chat" })
		require.NoError(t, one.Invite(t.Context(), alice, bob, room, "", false))
		require.NoError(t, one.Kick(t.Context(), alice, bob, room, ""))
		w.deliver()
		outside, _ := two.OutsideOf(bob, room)
		assert.Equal(t, "leave", outside.Membership)
	})
}

func TestKickBanAndComingBack(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version)
		two.join(bob, room, "one.test")
		key, _ := one.Get(room).Sender(bob)
		require.NoError(t, one.Kick(t.Context(), alice, bob, room, ""))
		w.deliver()
		assert.Equal(t, "leave", two.Get(room).Membership(bob))
		one.say(alice, room, "unheard")
		two.join(bob, room, "one.test")
		again, _ := one.Get(room).Sender(bob)
		assert.Equal(t, key, again)
		assert.NotContains(t, two.texts(bob, room), alice+": unheard", "history that was not fetched")
		require.NoError(t, one.Ban(t.Context(), alice, bob, room, ""))
		w.deliver()
		assert.Error(t, two.Join(t.Context(), bob, room, []string{"one.test"}, ""))
		require.NoError(t, one.Unban(t.Context(), alice, bob, room, ""))
		w.deliver()
		two.join(bob, room, "one.test")
	})
}

func TestKnockAndRestrictedJoin(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two, three := w.servers["one.test"], w.servers["two.test"], w.servers["three.test"]
		room := one.create(alice, version, func(o *CreateOptions) {
			o.InitialState = []StateWrite{{"m.room.join_rules", "", []byte(`{"join_rule":"knock"}`)}}
		})
		require.NoError(t, two.Knock(t.Context(), bob, room, []string{"one.test"}, "please"))
		w.deliver()
		knockKey, _ := one.Get(room).Sender(bob)
		assert.Equal(t, "knock", one.Get(room).Membership(bob))
		require.NoError(t, one.Invite(t.Context(), alice, bob, room, "", false))
		w.deliver()
		two.join(bob, room, "one.test")
		key, _ := one.Get(room).Sender(bob)
		assert.Equal(t, knockKey, key)

		club := one.create(alice, version, func(o *CreateOptions) {
			o.InitialState = []StateWrite{{"m.room.join_rules", "", raw(map[string]any{"join_rule": "restricted", "allow": []any{
				map[string]string{"type": "m.room_membership", "room_id": room},
			}})}}
		})
		assert.Error(t, three.Join(t.Context(), carol, club, []string{"one.test"}, ""), "carol is not in the room")
		two.join(bob, club, "one.test")
		assert.Equal(t, "join", one.Get(club).Membership(bob))
		assert.Equal(t, "join", two.Get(club).Membership(bob))
		require.NoError(t, one.Invite(t.Context(), alice, dave, room, "", false))
		require.NoError(t, one.Join(t.Context(), dave, room, nil, ""))
		require.NoError(t, one.Join(t.Context(), dave, club, nil, ""))
		w.deliver()
		assert.Equal(t, "join", two.Get(club).Membership(dave))
	})
}

// In the state that a user sees who knocks on a room of its own server, the knock occurs once, and so does the create event.
func TestStateOfAKnock(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one := w.servers["one.test"]
		room := one.create(alice, version, func(o *CreateOptions) {
			o.InitialState = []StateWrite{{joinRulesType, "", []byte(`{"join_rule":"knock"}`)}}
		})
		require.NoError(t, one.Knock(t.Context(), dave, room, nil, ""))
		var members, creates []string
		for _, event := range one.Get(room).InviteState(dave) {
			switch gjson.GetBytes(event, "type").String() {
			case memberType:
				members = append(members, gjson.GetBytes(event, "state_key").String())
			case createType:
				creates = append(creates, gjson.GetBytes(event, "sender").String())
			}
		}
		assert.Equal(t, []string{alice, dave}, members)
		assert.Equal(t, []string{alice}, creates)
	})
}

func TestPartitionHeals(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version)
		two.join(bob, room, "one.test")
		_, err := one.Send(t.Context(), room, alice, Write{Type: powerLevelsType, StateKey: new(string), Content: raw(map[string]any{
			"users": map[string]int{alice: 100, bob: 50},
		})})
		require.NoError(t, err)
		w.deliver()
		w.separate("one.test", "two.test", true)
		topic := func(s *server, user, text string) {
			_, err := s.Send(t.Context(), room, user, Write{Type: "m.room.topic", StateKey: new(string), Content: raw(map[string]string{"topic": text})})
			require.NoError(t, err)
		}
		topic(one, alice, "by alice")
		topic(two, bob, "by bob")
		require.NoError(t, one.Kick(t.Context(), alice, bob, room, ""))
		two.say(bob, room, "unheard")
		w.deliver()
		w.separate("one.test", "two.test", false)
		one.say(alice, room, "anybody there?")
		assert.Equal(t, "leave", two.Get(room).Membership(bob))
		require.NoError(t, one.Invite(t.Context(), alice, bob, room, "", false))
		w.deliver()
		two.join(bob, room, "one.test")
		one.say(alice, room, "again")
		two.say(bob, room, "yes")
		assert.Equal(t, stateIDs(one.Get(room).State()), stateIDs(two.Get(room).State()))
		assert.Contains(t, one.texts(alice, room), bob+": yes")
	})
}

func TestRedaction(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		room := one.create(alice, version)
		two.join(bob, room, "one.test")
		said := two.say(bob, room, "shame")
		_, err := two.Send(t.Context(), room, bob, Write{Type: redactionType, Content: raw(struct{}{}), Redacts: said})
		require.NoError(t, err)
		w.deliver()
		member := one.Get(room).State().Member(first(one.Get(room).Sender(bob)))
		_, err = one.Send(t.Context(), room, alice, Write{Type: redactionType, Content: raw(struct{}{}), Redacts: member.ID()})
		require.NoError(t, err)
		w.deliver()
		for _, s := range []*server{one, two} {
			r := s.Get(room)
			view := r.View(r.Event(said), Viewer{}, nil)
			assert.False(t, gjson.GetBytes(view, "content.body").Exists())
			assert.Equal(t, said, gjson.GetBytes(view, "event_id").String())
			assert.True(t, gjson.GetBytes(view, "unsigned.redacted_because").Exists())
			view = r.View(r.Event(member.ID()), Viewer{}, nil)
			assert.Equal(t, bob, gjson.GetBytes(view, "state_key").String())
			assert.False(t, gjson.GetBytes(view, "content.displayname").Exists())
			assert.Equal(t, []string{"one.test", "two.test"}, r.Servers())
		}
	})
}

func first[A, B any](a A, _ B) A { return a }

func TestUpgradeBetweenKinds(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	old := one.create(alice, "10", func(o *CreateOptions) { o.Name = "a room" })
	two.join(bob, old, "one.test")
	for _, version := range []string{pdu.RoomVersion, "11"} {
		next, err := one.Upgrade(t.Context(), alice, old, version)
		require.NoError(t, err)
		w.deliver()
		tombstone, err := two.Get(old).StateEvent(bob, "m.room.tombstone", "")
		require.NoError(t, err)
		assert.Equal(t, next, tombstone.Content("replacement_room").String())
		two.join(bob, next, "one.test")
		create := one.Get(next).State().Create()
		assert.Equal(t, old, create.Content("predecessor").Get("room_id").String())
		assert.Equal(t, version, create.Content("room_version").String())
		assert.Equal(t, int64(100), one.Get(next).State().PowerLevels().Of(first(one.Get(next).Sender(alice))))
		old = next
	}
}

func TestUnverifiedMemberIsShownByPlaceholderUntilVerified(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test", "three.test")
	one, two, three := w.servers["one.test"], w.servers["two.test"], w.servers["three.test"]
	room := one.create(alice, pdu.RoomVersion)
	two.join(bob, room, "one.test")
	w.hide("two.test", true)
	three.join(carol, room, "one.test")
	two.say(bob, room, "who am I?")
	placeholder := "@_unverified_bob_two.test:three.test"
	assert.Equal(t, []string{placeholder + ": who am I?"}, three.texts(carol, room))
	assert.Contains(t, three.Get(room).MemberUserIDs("join"), placeholder)
	before := three.Clock.Now()
	w.hide("two.test", false)
	userID, ok := three.VerifyNow(t.Context(), placeholder)
	assert.True(t, ok)
	assert.Equal(t, bob, userID)
	assert.Len(t, three.Get(room).Resent(before, three.Clock.Now()), 1)
	two.say(bob, room, "that's me")
	assert.Contains(t, three.texts(carol, room), bob+": that's me")
}

func TestLieAboutAnotherUserIsNotTaken(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion)
	two.join(bob, room, "one.test")
	// two.test signs that a key of its own is alice.
	r := two.Get(room)
	key := identity.GenerateKeyPair()
	lie := pdu.UnsignedMapping(pdu.DialectMSC4014, key.Public, alice)
	lie, err := pdu.SignJSON(lie, "two.test", "ed25519:1", two.key)
	require.NoError(t, err)
	d, err := r.memberDraft("join", bob, string(key.Public), Profile{}, "", true)
	require.NoError(t, err)
	d.Content = raw(map[string]any{"membership": "join", "mxid_mapping": rawJSON(lie)})
	r.mu.Lock()
	r.place(&d, string(key.Public), r.current.state)
	event, err := r.build(d, key, string(key.Public))
	r.mu.Unlock()
	require.NoError(t, err)
	_, err = one.Receive(t.Context(), "two.test", event.JSON())
	assert.ErrorContains(t, err, "foreign signature")
	assert.Nil(t, one.Get(room).State().Member(string(key.Public)))
	assert.NotNil(t, one.Get(room).Event(event.ID()), "what stands on it must find it")
	assert.Empty(t, one.Get(room).served([]*Event{one.Get(room).Event(event.ID())}))
	// Events that stand on the refused one are taken.
	said := two.say(bob, room, "and yet")
	assert.NotNil(t, one.Get(room).Event(said))
}

func rawJSON(b []byte) any { return rawMessage(b) }

type rawMessage []byte

func (r rawMessage) MarshalJSON() ([]byte, error) { return r, nil }

func TestPowerGivenBeforeJoining(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014, "one.test", "two.test")
	one, two := w.servers["one.test"], w.servers["two.test"]
	room := one.create(alice, pdu.RoomVersion, func(o *CreateOptions) { o.Preset = "trusted_private_chat"; o.Invite = []string{bob} })
	two.join(bob, room, "one.test")
	key, _ := two.Get(room).Sender(bob)
	assert.Equal(t, int64(100), two.Get(room).State().PowerLevels().Of(key))
	assert.Equal(t, int64(100), gjson.GetBytes(two.Get(room).Content(two.Get(room).Event(two.Get(room).State().Get(powerLevelsType, "").ID())), "users."+gjson.Escape(bob)).Int())
}
