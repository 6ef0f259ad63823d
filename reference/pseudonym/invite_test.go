package pseudonym

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

// partial returns alice's partial invite, as one.test sends it.
func (w *world) partial() []byte {
	partial, err := w.r.PartialInvite(w.draft("", nil, []byte(`{"displayname":"Bob","mxid_mapping":"forged"}`)), w.key(aliceID).Public)
	require.NoError(w.t, err)
	return partial
}

func (w *world) complete(partial []byte) (*pdu.Event, error) {
	return w.r.CompleteInvite(partial, testRoom, bobID, w.key(bobID), w.signer("two.test"), testTime+5)
}

// invite/partial-event-sent, completed-by-invited-server, signed-by-inviter, mapping/in-invite.
func TestInvite(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		partial := w.partial()
		for _, field := range []string{"state_key", "signatures", "hashes"} {
			assert.NotContains(t, w.read(partial), field)
		}
		assert.NotContains(t, string(partial), "mxid_mapping")
		assert.Equal(t, "invite", w.read(partial).child("content").text("membership"))

		completed, err := w.complete(partial)
		require.NoError(t, err)
		assert.Equal(t, string(w.key(bobID).Public), first(completed.StateKey()))
		assert.Equal(t, Verified, w.r.Judge(completed, w).Verdict)
		assert.Error(t, w.r.CheckInvite(completed), "the inviter has not signed yet")
		j, err := w.r.CheckCompleted(partial, completed, bobID, w)
		require.NoError(t, err)
		assert.Equal(t, bobID, j.Mapping.UserID)

		invite, err := w.r.SignAsInviter(completed, w.key(aliceID))
		require.NoError(t, err)
		assert.NoError(t, w.r.CheckInvite(invite))
		assert.NoError(t, invite.CheckContentHash())
		assert.Error(t, w.r.CheckInvite(w.changed(invite, "state_key", w.key("@eve:two.test").Public)))

		_, err = w.r.SignAsInviter(completed, w.key(bobID))
		assert.ErrorContains(t, err, "its sender is")

		noTime, err := w.complete(w.altered(partial, "origin_server_ts", nil))
		require.NoError(t, err)
		assert.Equal(t, testTime+5, noTime.OriginServerTS())
	})
}

// The invited server completes invites alone, for its own users, of the room that was asked for.
func TestCompleteInviteRefuses(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	partial := w.partial()
	for name, lie := range map[string][]byte{
		"another type":       w.altered(partial, "type", "m.room.name"),
		"another membership": w.altered(partial, "content", map[string]string{"membership": "join"}),
		"another room":       w.altered(partial, "room_id", "!other:one.test"),
		"a state key":        w.altered(partial, "state_key", "x"),
		"a user ID":          w.altered(partial, "sender_key", aliceID),
		"the invited itself": w.altered(partial, "sender_key", w.key(bobID).Public),
		"no JSON":            []byte("x"),
	} {
		_, err := w.complete(lie)
		assert.Error(t, err, name)
	}
	_, err := w.r.CompleteInvite(partial, testRoom, aliceID, w.key(bobID), w.signer("two.test"), 0)
	assert.ErrorContains(t, err, "for which two.test cannot sign")
}

// invite/tampered-completion-refused.
func TestCheckCompletedRefuses(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		partial := w.partial()
		tampered := func(field string, value any) *pdu.Event { // and completed, with everything else right
			completed, err := w.complete(w.altered(partial, field, value))
			require.NoError(t, err, field)
			return completed
		}
		resigned := func(field string, value any) *pdu.Event {
			completed, err := w.complete(partial)
			require.NoError(t, err)
			bare := w.altered(w.altered(completed.JSON(), "hashes", nil), "signatures", nil)
			signed, err := w.r.Sign(w.altered(bare, field, value), w.key(bobID))
			require.NoError(t, err)
			return w.parse(signed)
		}
		carol, err := w.r.CompleteInvite(partial, testRoom, "@carol:two.test", w.key("@carol:two.test"), w.signer("two.test"), 0)
		require.NoError(t, err)
		completed, err := w.complete(partial)
		require.NoError(t, err)
		for name, lie := range map[string]*pdu.Event{
			"type":               resigned("type", "m.room.name"),
			"room":               resigned("room_id", "!other:one.test"),
			"sender":             tampered(w.r.Dialect.SenderField(), w.key("@eve:one.test").Public),
			"graph":              tampered("prev_events", []string{"$q"}),
			"depth":              tampered("depth", 9),
			"a new field":        tampered("redacts", "$x"),
			"an old field":       tampered("prev_state", []string{"$x"}),
			"content":            tampered("content", map[string]any{"membership": "invite", "displayname": "Eve"}),
			"more content":       tampered("content", map[string]any{"membership": "invite", "displayname": "Bob", "reason": "x"}),
			"membership":         resigned("content", map[string]any{"membership": "join", "displayname": "Bob"}),
			"another user":       carol,
			"another key":        resigned("state_key", w.key("@eve:two.test").Public),
			"the inviter":        resigned("state_key", w.key(aliceID).Public),
			"unsigned":           w.changed(completed, "signatures", object{}),
			"hash":               w.changed(completed, "hashes", map[string]string{"sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
			"wrong hash, signed": resigned("hashes", map[string]string{"sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
			"no hash":            w.changed(completed, "hashes", object{}),
		} {
			_, err := w.r.CheckCompleted(partial, lie, bobID, w)
			assert.Error(t, err, name)
		}
		_, err = w.r.CheckCompleted(partial, resigned("origin", "two.test"), bobID, w)
		assert.Equal(t, w.r.Dialect == pdu.DialectMSC4014, err != nil, "only deployed servers add an origin: %v", err)
	})
}

// invite/origin-checked, invite/inviter-join-included.
func TestCheckInviteOrigin(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		alice := w.key(aliceID).Public
		name := w.event(w.key(aliceID), "m.room.name", "", []byte(`{"name":"x"}`))
		state := func(events ...*pdu.Event) (stripped []*pdu.Stripped) {
			for _, event := range append(events, name) {
				one, err := pdu.ParseStripped(event.Strip(), w.r.Format())
				require.NoError(t, err)
				stripped = append(stripped, one)
			}
			return stripped
		}
		require.NoError(t, w.r.CheckInviteOrigin(alice, state(w.join(aliceID)), "one.test", w))

		err := w.r.CheckInviteOrigin(alice, state(w.join(aliceID)), "three.test", w)
		assert.ErrorContains(t, err, "is of one.test, the invite came from three.test")
		err = w.r.CheckInviteOrigin(alice, state(w.join(bobID)), "two.test", w)
		assert.ErrorIs(t, err, ErrInviterUnknown)
		err = w.r.CheckInviteOrigin(alice, nil, "one.test", w)
		assert.ErrorIs(t, err, ErrInviterUnknown)
		forged := w.member(aliceID, "join", w.altered(w.mapping(aliceID), "user_id", "@alice:three.test"))
		err = w.r.CheckInviteOrigin(alice, state(forged), "three.test", w)
		assert.ErrorContains(t, err, "is not verified")
	})
}

// invite/endpoint.
func TestInvitePath(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	path, err := w.r.InvitePath(testRoom, w.partial(), bobID)
	require.NoError(t, err)
	assert.Equal(t, "/_matrix/federation/v3/invite/"+url.PathEscape(testRoom)+"/"+url.PathEscape(bobID), path)
	w.set("invite/endpoint", "v3-event-user")
	path, err = w.r.InvitePath(testRoom, w.partial(), bobID)
	require.NoError(t, err)
	assert.Contains(t, path, "/v3/invite/$")
}

// invite/shown-by-user-id: the invited server knows both by what came along.
func TestInviteIsShownByUserID(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		completed, err := w.complete(w.partial())
		require.NoError(t, err)
		d := NewDirectory(w.r)
		w.learn(d, w.join(aliceID), 0, true)
		w.learn(d, completed, 1, true)
		raw := w.r.StrippedState(&completed.Stripped, d)
		w.noKeyElsewhere(raw)
		assert.Equal(t, aliceID, w.read(raw).text("sender"))
		assert.Equal(t, bobID, w.read(raw).text("state_key"))
	})
}

// mapping/in-invite: a completed invite has a mapping; in the deployed dialect none is asked for, since none is made.
func TestCompletedWithoutMapping(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		partial := w.partial()
		bare := w.altered(partial, "state_key", w.key(bobID).Public)
		if w.r.Dialect == pdu.DialectDendrite {
			bare = w.altered(bare, "prev_state", []string{}) // as deployed servers complete them
		}
		signed, err := w.r.Sign(bare, w.key(bobID))
		require.NoError(t, err)
		completed := w.parse(signed)
		j, err := w.r.CheckCompleted(partial, completed, bobID, w)
		handling := w.r.Handle("invite", w.r.Judge(completed, w))
		if w.r.Dialect == pdu.DialectMSC4014 {
			assert.ErrorContains(t, err, "its mapping is not verified (missing)")
			assert.Equal(t, Refuse, handling)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, Accept, handling)
		d := NewDirectory(w.r)
		d.Learn(Seen{Key: w.key(bobID).Public, EventID: "$invite", Membership: "invite", Current: true, Judgement: j})
		assert.Equal(t, bobID, d.UserID(w.key(bobID).Public))
	})
}

func first[A, B any](a A, _ B) A { return a }
