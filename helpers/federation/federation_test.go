package federation

// Two and three peers that federate with each other over loopback, in every format.

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
)

// usePeerFormat sets the default format of peers.
func usePeerFormat(format pseudoid.Format, peers ...*Peer) {
	for _, peer := range peers {
		if format.Pseudonymous {
			peer.SetFormat(format)
		}
	}
}

func TestPeersJoinTalkAndLeave(t *testing.T) {
	for name, format := range allFormats {
		t.Run(name, func(t *testing.T) {
			ctx, sw := deadline(t), newSwitchboard(t)
			resident, _ := newTestPeer(t, sw)
			joiner, _ := newTestPeer(t, sw)
			usePeerFormat(format, resident, joiner)
			alice, bob := resident.User("alice"), joiner.User("bob")
			room, err := resident.CreateRoom(format, RoomOptions{Creator: alice, Name: "talk", AliasName: "talk"})
			require.NoError(t, err)
			require.Len(t, room.State(), 7)

			theirs, err := joiner.Join(ctx, resident.Name(), room.ID(), bob)
			require.NoError(t, err)
			assert.Equal(t, format, theirs.Format())
			assert.Equal(t, []string{resident.Name(), joiner.Name()}, room.joinedServers())
			assert.Equal(t, room.joinedServers(), theirs.joinedServers())
			assert.Equal(t, room.Extremities(), theirs.Extremities())
			assert.Equal(t, idsOf(room.State()), idsOf(theirs.State()))
			assert.Equal(t, bob.ID(), room.UserIDOf(bob.SenderIn(room)))
			assert.Equal(t, bob.SenderIn(room), room.SenderOf(bob.ID()))
			require.Len(t, resident.Received(), 1)
			assert.Empty(t, resident.Received()[0].Problems)

			first, err := room.SendMessage(ctx, alice, "hello <bob> & all")
			require.NoError(t, err)
			arrived, err := joiner.WaitForEventID(ctx, first.ID())
			require.NoError(t, err)
			assert.Equal(t, "hello <bob> & all", arrived.Get("content.body").String())
			second, err := theirs.SendMessage(ctx, bob, "hello alice")
			require.NoError(t, err)
			assert.Equal(t, []string{first.ID()}, second.PrevEvents())
			_, err = resident.WaitForEventID(ctx, second.ID())
			require.NoError(t, err)
			assert.Equal(t, []string{second.ID()}, room.Extremities())

			leave, err := theirs.Leave(ctx, bob)
			require.NoError(t, err)
			_, err = resident.WaitForEventID(ctx, leave.ID())
			require.NoError(t, err)
			assert.Equal(t, "leave", room.Membership(bob.SenderIn(room)))
			assert.Equal(t, []string{resident.Name()}, room.joinedServers())
			require.NoError(t, joiner.LeaveVia(ctx, resident.Name(), room.ID(), bob))

			for _, peer := range []*Peer{resident, joiner} {
				assert.Empty(t, peer.Unexpected())
				for _, arrival := range peer.Received() {
					assert.Empty(t, arrival.Problems, arrival.Event.String())
				}
			}
		})
	}
}

func TestResidentForwardsJoinsToTheOthers(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	first, _ := newTestPeer(t, sw)
	second, _ := newTestPeer(t, sw)
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: resident.User("alice")})
	require.NoError(t, err)
	_, err = first.Join(ctx, resident.Name(), room.ID(), first.User("bob"))
	require.NoError(t, err)
	_, err = second.Join(ctx, resident.Name(), room.ID(), second.User("carol"))
	require.NoError(t, err)
	join, err := first.WaitForEvent(ctx, func(e Event) bool { return e.MappedUserID() == second.User("carol").ID() })
	require.NoError(t, err)
	assert.Equal(t, "join", join.Membership())
	assert.Len(t, first.Room(room.ID()).joinedServers(), 3)
}

func TestRestrictedJoinIsAuthorisedByKey(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	alice := resident.User("alice")
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: alice, JoinRule: "restricted", JoinRuleAllow: []any{}})
	require.NoError(t, err)
	_, err = joiner.Join(ctx, resident.Name(), room.ID(), joiner.User("bob"))
	require.NoError(t, err)
	join, _ := room.StateEvent("m.room.member", joiner.User("bob").SenderIn(room))
	key := alice.KeyIn(room.ID())
	assert.Equal(t, string(key.Public), join.Get("content.join_authorised_via_users_server").String())
	public, err := pseudoid.ParseSenderKey(string(key.Public))
	require.NoError(t, err)
	assert.NoError(t, pseudoid.VerifyEventSignature(join.JSON(), room.Format(), string(key.Public), pseudoid.SenderKeyID, public))
}

func TestMakeJoinRefusesOtherVersions(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: resident.User("alice")})
	require.NoError(t, err)
	answer, err := joiner.MakeJoin(ctx, resident.Name(), room.ID(), joiner.User("bob").ID(), "10", "11")
	require.NoError(t, err)
	assert.Equal(t, "M_INCOMPATIBLE_ROOM_VERSION", answer.ErrCode())
	assert.Equal(t, pseudoid.RoomVersion, answer.Get("room_version").String())

	_, err = joiner.JoinTemplate(ctx, resident.Name(), "!nowhere:peer1.test", joiner.User("bob"))
	assert.ErrorContains(t, err, "peer1.test gave peer2.test no make_join template for @bob:peer2.test in !nowhere:peer1.test: 404")
	assert.Len(t, resident.Unexpected(), 1)
}

// TestTemplatesByKey: a peer asks by its user's key as the candidate does, and in an ordinary room by the user ID after a refusal.
func TestTemplatesByKey(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	format := pseudoid.FormatMSC4014
	format.TemplatesByKey = true
	joiner.SetFormat(format)
	bob := joiner.User("bob")
	for _, format := range []pseudoid.Format{format, pseudoid.FormatV10} {
		room, err := resident.CreateRoom(format, RoomOptions{Creator: resident.User("alice")})
		require.NoError(t, err)
		answer, err := joiner.MakeJoin(ctx, resident.Name(), room.ID(), bob.ID())
		require.NoError(t, err)
		for _, field := range []string{format.SenderField(), "state_key"} {
			assert.Equal(t, bob.SenderIn(room), answer.Get("event."+field).String(), "%s of version %s", field, format.RoomVersion)
		}
		theirs, err := joiner.Join(ctx, resident.Name(), room.ID(), bob)
		require.NoError(t, err)
		assert.Equal(t, "join", theirs.Membership(bob.SenderIn(room)))
	}
	assert.Empty(t, resident.Unexpected())

	other, _ := newTestPeer(t, sw)
	other.SetFormat(format)
	room, err := resident.CreateRoom(format, RoomOptions{Creator: resident.User("alice")})
	require.NoError(t, err)
	_, err = joiner.Join(ctx, resident.Name(), room.ID(), bob)
	require.NoError(t, err)
	answer, err := other.makeNamed(ctx, MakeJoin, resident.Name(), room.ID(), bob.SenderIn(room), other.roomVersions())
	require.NoError(t, err)
	assert.Equal(t, "M_FORBIDDEN", answer.ErrCode(), "the key of another server's user")
}

func TestFetchingEventsAndState(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	alice := resident.User("alice")
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: alice})
	require.NoError(t, err)
	before, err := room.SendMessage(ctx, alice, "before the join")
	require.NoError(t, err)
	theirs, err := joiner.Join(ctx, resident.Name(), room.ID(), joiner.User("bob"))
	require.NoError(t, err)
	topic, err := room.Build(Proto{Type: "m.room.topic", StateKey: StateKey(""), Sender: alice, Content: map[string]any{"topic": "x"}})
	require.NoError(t, err)
	require.NoError(t, room.SendTo(ctx, topic))
	last, err := room.SendMessage(ctx, alice, "after the topic")
	require.NoError(t, err)

	served, err := joiner.Serves(ctx, resident.Name(), theirs, before.ID())
	require.NoError(t, err)
	assert.True(t, served)
	served, err = joiner.Serves(ctx, resident.Name(), theirs, "$nothing")
	require.NoError(t, err)
	assert.False(t, served)

	state, chain, _, err := joiner.FetchState(ctx, resident.Name(), theirs, topic.ID())
	require.NoError(t, err)
	assert.NotContains(t, idsOf(state), topic.ID())
	assert.Len(t, state, 6) // create, two members, power levels, join rules, history visibility
	assert.NotEmpty(t, chain)
	ids, chainIDs, _, err := joiner.FetchStateIDs(ctx, resident.Name(), theirs, last.ID())
	require.NoError(t, err)
	assert.Contains(t, ids, topic.ID())
	assert.NotEmpty(t, chainIDs)

	missing, _, err := joiner.FetchMissingEvents(ctx, resident.Name(), theirs, 10, theirs.Extremities()[:0], []string{last.ID()})
	require.NoError(t, err)
	require.NotEmpty(t, missing)
	assert.Equal(t, topic.ID(), missing[len(missing)-1].ID())
	history, _, err := joiner.Backfill(ctx, resident.Name(), theirs, 3, last.ID())
	require.NoError(t, err)
	require.Len(t, history, 3)
	assert.Equal(t, []string{last.ID(), topic.ID()}, idsOf(history[:2]))
	auth, _, err := joiner.FetchEventAuth(ctx, resident.Name(), theirs, last.ID())
	require.NoError(t, err)
	assert.Len(t, auth, 3) // create, power levels, alice

	outsider, _ := newTestPeer(t, sw)
	served, err = outsider.Serves(ctx, resident.Name(), theirs, before.ID())
	require.NoError(t, err)
	assert.False(t, served)
}

func TestWaitErrorsListWhatArrivedInstead(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: resident.User("alice")})
	require.NoError(t, err)
	_, err = joiner.Join(ctx, resident.Name(), room.ID(), joiner.User("bob"))
	require.NoError(t, err)
	message, err := room.SendMessage(ctx, resident.User("alice"), "hello")
	require.NoError(t, err)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = joiner.WaitForEventID(short, "$another")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "waiting for $another: peer2.test did not receive the event within")
	assert.ErrorContains(t, err, "1 events arrived: m.room.message "+message.ID())
	short, cancel = context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = joiner.WaitForEDU(short, func(EDU) bool { return true })
	assert.ErrorContains(t, err, "did not receive the EDU")
}

func TestOnReceivedEventSkipsOurOwnServers(t *testing.T) {
	called := make(chan string, 10)
	ctx := deadline(t)
	sw := newSwitchboard(t, func(o *Options) {
		o.OnReceivedEvent = func(_ *Peer, _ *Room, origin string, _ Event) { called <- origin }
	})
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: resident.User("alice")})
	require.NoError(t, err)
	_, err = joiner.Join(ctx, resident.Name(), room.ID(), joiner.User("bob"))
	require.NoError(t, err)
	assert.Empty(t, called)
	for _, event := range room.Events() {
		assert.True(t, sw.IsOurs(event.ID()))
	}
	assert.True(t, sw.IsOurKey(joiner.User("bob").SenderIn(room)))
	assert.True(t, sw.isPeer(joiner.Name()))
	assert.False(t, sw.isPeer("hs1"))
	assert.False(t, sw.IsOurs("$other"))
}

func TestRejoiningReplacesTheModel(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	resident, _ := newTestPeer(t, sw)
	joiner, _ := newTestPeer(t, sw)
	alice, bob := resident.User("alice"), joiner.User("bob")
	room, err := resident.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: alice})
	require.NoError(t, err)
	theirs, err := joiner.Join(ctx, resident.Name(), room.ID(), bob)
	require.NoError(t, err)
	_, err = theirs.Leave(ctx, bob)
	require.NoError(t, err)
	topic, err := room.Build(Proto{Type: "m.room.topic", StateKey: StateKey(""), Sender: alice, Content: map[string]any{"topic": "while away"}})
	require.NoError(t, err)
	require.NoError(t, room.Send(ctx, topic))
	assert.False(t, joiner.HasReceived(topic.ID()))
	again, err := joiner.Join(ctx, resident.Name(), room.ID(), bob)
	require.NoError(t, err)
	assert.Same(t, theirs, again)
	current, ok := again.StateEvent("m.room.topic", "")
	require.True(t, ok)
	assert.Equal(t, topic.ID(), current.ID())
	assert.Equal(t, room.Extremities(), again.Extremities())
	assert.Equal(t, "join", again.Membership(bob.SenderIn(again)))
}
