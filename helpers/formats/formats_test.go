package formats

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// author writes events in a format.
type author struct {
	t      *testing.T
	format pseudoid.Format
	alice  pseudoid.KeyPair
}

func (a author) signed(eventType, content string, auth ...string) []byte {
	named := "[]"
	if len(auth) > 0 {
		named = fmt.Sprintf("[%q]", auth[0])
	}
	raw := []byte(fmt.Sprintf(`{"type":%q,"room_id":"!r:hs1",%q:%q,"state_key":"","content":%s,"auth_events":%s,"prev_events":[],"depth":1,"origin_server_ts":1}`,
		eventType, a.format.SenderField(), a.alice.Public, content, named))
	entity := string(a.alice.Public)
	if a.format.Signature.ByServer {
		entity = "hs1"
	}
	var err error
	if keyID := a.format.Signature.KeyID; keyID == "" {
		raw, err = pseudoid.SignEventBare(raw, a.format, entity, a.alice.Private)
	} else {
		raw, err = pseudoid.SignEvent(raw, a.format, entity, keyID, a.alice.Private)
	}
	require.NoError(a.t, err)
	return raw
}

// room is a create event, and a name that refers to it.
func (a author) room() (create, name []byte) {
	create = a.signed("m.room.create", `{"room_version":"org.matrix.msc4014"}`)
	id, err := pseudoid.EventID(create, a.format)
	require.NoError(a.t, err)
	return create, a.signed("m.room.name", `{"name":"x"}`, id)
}

func author4014(t *testing.T, change func(*pseudoid.Format)) author {
	format := pseudoid.FormatMSC4014
	change(&format)
	return author{t, format, pseudoid.GenerateKeyPair()}
}

// TestEachPartIsLearntByItself: any combination of the parts, from two events and an invite.
func TestEachPartIsLearntByItself(t *testing.T) {
	for _, dialect := range []pseudoid.Format{pseudoid.FormatMSC4014, pseudoid.FormatDendrite} {
		for _, redaction := range dialect.Redactions() {
			for _, place := range []pseudoid.SignaturePlace{
				{KeyID: "ed25519:1"}, {KeyID: "ed25519:other"}, {KeyID: ""}, {KeyID: "ed25519:1", ByServer: true},
			} {
				for _, byEventID := range []bool{false, true} {
					format := redaction
					format.Signature, format.InviteByEventID = place, byEventID
					evidence := Evidence{Server: "hs1"}
					create, name := author{t, format, pseudoid.GenerateKeyPair()}.room()
					evidence.Event(create, "create")
					evidence.Event(name, "name")
					evidence.InvitePath(byEventID, "invite")
					learnt := evidence.Learn(pseudoid.RoomVersion)
					assert.Equal(t, format, learnt.Format, "%s", learnt)
					assert.Empty(t, learnt.Unseen)
					assert.Empty(t, learnt.Wrong)
				}
			}
		}
	}
}

func TestTemplatesByKey(t *testing.T) {
	var evidence Evidence
	evidence.AsksFor("@alice:hs1")
	assert.False(t, evidence.Learn(pseudoid.RoomVersion).Format.TemplatesByKey)
	evidence.AsksFor(string(pseudoid.GenerateKeyPair().Public))
	for _, guess := range evidence.Learn(pseudoid.RoomVersion).Guesses() {
		assert.True(t, guess.TemplatesByKey, guess)
	}
}

// TestASingleJoin, such as a candidate sends into a peer's room, shows everything but the base version.
func TestASingleJoin(t *testing.T) {
	a := author4014(t, func(format *pseudoid.Format) { format.RedactionKeepsSenderKey, format.Signature.KeyID = false, "" })
	var evidence Evidence
	evidence.Event(a.signed("m.room.member", `{"membership":"join"}`), "join")
	learnt := evidence.Learn("another version")
	assert.Equal(t, []Part{Base, Invites}, slices.Sorted(maps.Keys(learnt.Unseen)))
	a.format.RoomVersion = "another version"
	assert.Equal(t, a.format, learnt.Format)
}

func TestWhatIsNotSeenIsSaid(t *testing.T) {
	learnt := (&Evidence{}).Learn(pseudoid.RoomVersion)
	assert.Equal(t, []Part{Base, Dialect, Invites, Signature}, slices.Sorted(maps.Keys(learnt.Unseen)), "and what redaction keeps is open in one dialect only")
	assert.Equal(t, pseudoid.FormatDendrite, learnt.Format, "the default")
	assert.Len(t, learnt.Guesses(), 6, "two dialects, one of them with two redactions, and two places of signatures")
	assert.Contains(t, learnt.String(), "dialect: not seen (no event of the server")
}

// TestWhatFitsNoKnownForm is not the same as what was not seen: checks fail by it.
func TestWhatFitsNoKnownForm(t *testing.T) {
	a := author4014(t, func(*pseudoid.Format) {})
	create, _ := a.room()
	forged, err := sjson.SetBytes(create, "depth", 7)
	require.NoError(t, err)
	evidence := Evidence{Server: "hs1"}
	evidence.Event(forged, "create")
	learnt := evidence.Learn(pseudoid.RoomVersion)
	assert.Equal(t, []Part{Base, Signature, Redaction}, slices.Sorted(maps.Keys(learnt.Wrong)))
	assert.Equal(t, pseudoid.FormatMSC4014, learnt.Format)

	ofServer, err := pseudoid.SignEvent([]byte(`{"type":"m.room.create","sender":"@a:hs1","content":{}}`), pseudoid.FormatV10, "hs1", "ed25519:a", a.alice.Private)
	require.NoError(t, err)
	evidence = Evidence{Server: "hs1"}
	evidence.Event(ofServer, "create")
	assert.Contains(t, evidence.Learn(pseudoid.RoomVersion).Wrong[Dialect], `none of 1 events has a sender key`)

	elsewhere, err := pseudoid.SignEvent([]byte(fmt.Sprintf(`{"type":"m.room.name","sender_key":%q,"content":{}}`, a.alice.Public)),
		a.format, "someone", "ed25519:1", a.alice.Private)
	require.NoError(t, err)
	evidence = Evidence{Server: "hs1"}
	evidence.Event(elsewhere, "name")
	assert.Contains(t, evidence.Learn(pseudoid.RoomVersion).Wrong[Signature], "under \"someone\"")
}

// TestClientEvents: what a server changed for clients is not evidence.
func TestClientEvents(t *testing.T) {
	a := author4014(t, func(*pseudoid.Format) {})
	_, name := a.room()
	shown, err := sjson.SetBytes(name, "event_id", "$x")
	require.NoError(t, err)
	shown, err = sjson.SetBytes(shown, "unsigned", map[string]int{"age": 1})
	require.NoError(t, err)
	var evidence Evidence
	evidence.ClientEvent(shown, "sync")
	assert.Equal(t, "sync", evidence.Learn(pseudoid.RoomVersion).From[Dialect])

	translated, err := sjson.SetBytes(shown, "sender", "@alice:hs1")
	require.NoError(t, err)
	evidence = Evidence{}
	evidence.ClientEvent(translated, "sync")
	assert.NotEmpty(t, evidence.Learn(pseudoid.RoomVersion).Unseen[Dialect])
}
