package federation

// Templates: a forgery differs from its control only in the altered field, and has the requested signatures.

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
)

// templateIn returns a join template in a room of the format, at a fixed time.
func templateIn(t *testing.T, format pseudoid.Format) (*Peer, *Room, Template) {
	t.Helper()
	sw := newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	room, err := peer.CreateRoom(format, RoomOptions{Creator: peer.User("alice")})
	require.NoError(t, err)
	template := room.MemberTemplate(peer.User("mallory"), "join")
	template.timestamp = 1
	return peer, room, template
}

func built(t *testing.T, template Template) Event {
	t.Helper()
	event, err := template.Build()
	require.NoError(t, err)
	return event
}

// differences returns the names of the top-level fields that differ, without hashes and signatures.
func differences(t *testing.T, a, b Event) []string {
	t.Helper()
	var left, right map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(a.JSON(), &left))
	require.NoError(t, json.Unmarshal(b.JSON(), &right))
	var paths []string
	for name := range left {
		if name != "hashes" && name != "signatures" && string(left[name]) != string(right[name]) {
			paths = append(paths, name)
		}
	}
	for name := range right {
		if _, both := left[name]; !both {
			paths = append(paths, name)
		}
	}
	return paths
}

func keysOf(peers ...*Peer) func(string, string) (ed25519.PublicKey, error) {
	return func(server, _ string) (ed25519.PublicKey, error) {
		for _, peer := range peers {
			if peer.Name() == server {
				return peer.PublicKey(), nil
			}
		}
		return nil, assert.AnError
	}
}

func TestHonestTemplateHolds(t *testing.T) {
	for name, format := range allFormats {
		t.Run(name, func(t *testing.T) {
			peer, _, template := templateIn(t, format)
			event := built(t, template)
			require.NoError(t, pseudoid.CheckContentHash(event.JSON()))
			if !format.Pseudonymous {
				assert.Equal(t, "@mallory:peer1.test", event.Sender())
				require.NoError(t, pseudoid.VerifyEventSignature(event.JSON(), format, peer.Name(), ServerKeyID, peer.PublicKey()))
				assert.False(t, event.Get("content.mxid_mapping").Exists())
				return
			}
			where, err := pseudoid.VerifySenderSignature(event.JSON(), format)
			require.NoError(t, err)
			assert.Equal(t, pseudoid.SignatureLocation{Entity: event.Sender(), KeyID: format.Signature.KeyID}, where)
			raw, ok := pseudoid.MappingOf(event.JSON())
			require.True(t, ok)
			parsed, err := pseudoid.ParseMapping(raw)
			require.NoError(t, err)
			assert.Equal(t, format.Dialect, parsed.Dialect)
			assert.Equal(t, "@mallory:peer1.test", parsed.UserID)
			assert.NoError(t, pseudoid.VerifyMapping(parsed, keysOf(peer)))
		})
	}
}

func TestLiesDifferInTheAlteredFieldAlone(t *testing.T) {
	peer, room, template := templateIn(t, pseudoid.FormatDendrite)
	control := built(t, template)

	forged := built(t, template.Claiming("@bob:hs1"))
	assert.Equal(t, []string{"content"}, differences(t, control, forged))
	assert.Equal(t, "@bob:hs1", forged.MappedUserID())
	require.NoError(t, pseudoid.CheckContentHash(forged.JSON()))
	raw, _ := pseudoid.MappingOf(forged.JSON())
	parsed, err := pseudoid.ParseMapping(raw)
	require.NoError(t, err)
	assert.NoError(t, pseudoid.VerifyJSON(parsed.Raw, peer.Name(), ServerKeyID, peer.PublicKey()))
	assert.Error(t, pseudoid.VerifyMapping(parsed, keysOf(peer)))

	assert.False(t, built(t, template.WithoutMapping()).Get("content.mxid_mapping").Exists())
	assert.Equal(t, `"nonsense"`, built(t, template.WithMapping([]byte(`"nonsense"`))).Get("content.mxid_mapping").Raw)
	assert.False(t, built(t, template.MappingSignedBy()).Get("content.mxid_mapping.signatures").Exists())
	other := pseudoid.GenerateKeyPair()
	assert.Equal(t, string(other.Public), built(t, template.NamingKey(other.Public)).Get("content.mxid_mapping.user_room_key").String())

	rekeyed := built(t, template.WithKey(other))
	assert.Equal(t, string(other.Public), rekeyed.Sender())
	assert.Equal(t, string(other.Public), rekeyed.Get("state_key").String())
	_, err = pseudoid.VerifySenderSignature(rekeyed.JSON(), room.Format())
	require.NoError(t, err)

	altered := built(t, template.Alter(SetField("depth", 77)))
	assert.Equal(t, []string{"depth"}, differences(t, control, altered))
	_, err = pseudoid.VerifySenderSignature(altered.JSON(), room.Format())
	require.NoError(t, err)
	afterwards := built(t, template.AlterAfterSigning(SetField("depth", 77)))
	_, err = pseudoid.VerifySenderSignature(afterwards.JSON(), room.Format())
	require.Error(t, err)

	unsigned := built(t, template.SignedBy())
	assert.NoError(t, pseudoid.CheckContentHash(unsigned.JSON()))
	assert.Equal(t, "{}", unsigned.Get("signatures").Raw)
	both := built(t, template.AlsoSignedBy(peer.Signer()))
	assert.Len(t, both.Get("signatures").Map(), 2)
	assert.Equal(t, control.ID(), both.ID())
	bad := built(t, template.AlterMappingAfterSigning(SetField("user_id", "@carol:peer1.test")))
	assert.NoError(t, pseudoid.CheckContentHash(bad.JSON()))
	assert.Equal(t, "@carol:peer1.test", bad.MappedUserID())

	_, err = template.Alter(func([]byte) ([]byte, error) { return []byte("not JSON"), nil }).Build()
	assert.ErrorContains(t, err, "cannot build the event (join of @mallory:peer1.test, room "+room.ID()+")")
	// Copies are independent: the template itself is unchanged.
	again := built(t, template)
	assert.Equal(t, control.ID(), again.ID())
}

func TestTemplateForAnotherUser(t *testing.T) {
	peer, _, template := templateIn(t, pseudoid.FormatMSC4014)
	event := built(t, template.For(peer.User("carol")))
	assert.Equal(t, "@carol:peer1.test", event.MappedUserID())
	stateKey, _ := event.StateKey()
	assert.Equal(t, event.Sender(), stateKey)
	assert.Equal(t, stateKey, event.Get("content.mxid_mapping.sender_key").String())
}

func TestRoomModelHandlesForksAndLateEvents(t *testing.T) {
	_, room, _ := templateIn(t, pseudoid.FormatDendrite)
	alice := room.Peer().User("alice")
	topic := func(text string) Event {
		event, err := room.Build(Proto{Type: "m.room.topic", StateKey: StateKey(""), Sender: alice, Content: map[string]any{"topic": text}})
		require.NoError(t, err)
		return event
	}
	first := topic("first")
	fork := topic("fork")
	room.Apply(first)
	room.Apply(fork)
	assert.ElementsMatch(t, []string{first.ID(), fork.ID()}, room.Extremities())
	current, _ := room.StateEvent("m.room.topic", "")
	assert.Equal(t, fork.ID(), current.ID())
	merged := topic("merged")
	assert.ElementsMatch(t, []string{first.ID(), fork.ID()}, merged.PrevEvents())
	assert.Equal(t, first.Depth()+1, merged.Depth())
	room.Apply(merged)
	assert.Equal(t, []string{merged.ID()}, room.Extremities())

	// The next one is known before its predecessor.
	between := topic("between")
	late := newRoom(room.Peer(), room.ID(), room.Format())
	late.adopt(room.State()[:0], room.Events(), merged)
	room.Apply(between)
	after := topic("after")
	late.Apply(after)
	late.Apply(between)
	current, _ = late.StateEvent("m.room.topic", "")
	assert.Equal(t, after.ID(), current.ID())
	assert.NotContains(t, late.Extremities(), between.ID())
}

func TestForgedMappingDoesNotRouteEvents(t *testing.T) {
	peer, room, template := templateIn(t, pseudoid.FormatDendrite)
	victim, _ := newTestPeer(t, peer.Switchboard())
	forged := built(t, template.Claiming(victim.User("bob").ID()))
	room.Apply(forged)
	assert.Equal(t, "join", room.Membership(forged.Sender()))
	assert.Empty(t, room.UserIDOf(forged.Sender()))
	assert.Equal(t, []string{peer.Name()}, room.joinedServers())
	valid := built(t, room.MemberTemplate(victim.User("bob"), "join"))
	room.Apply(valid)
	assert.Equal(t, []string{peer.Name(), victim.Name()}, room.joinedServers())
}
