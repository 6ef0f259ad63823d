package eventformat

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/verdict"
)

// formatWriter writes the events of an honest server, in the dialect of the text.
type formatWriter struct {
	t          *testing.T
	scene      scenes.Wire
	alice, bob pseudoid.KeyPair
}

// honestScene is what a server that follows the text would give.
func honestScene(t *testing.T) *formatWriter {
	writer := &formatWriter{t: t, alice: pseudoid.GenerateKeyPair(), bob: pseudoid.GenerateKeyPair()}
	writer.scene = scenes.Wire{
		Server: "hs1.test", RoomID: "!room:hs1.test", Format: pseudoid.FormatMSC4014,
		Alice: "@alice:hs1.test", Bob: "@bob:hs1.test", Carol: "@carol:hs1.test",
		Given: map[string]string{}, Refusals: map[string]error{},
		Keys: map[string]string{"@alice:hs1.test": string(writer.alice.Public), "@bob:hs1.test": string(writer.bob.Public)},
	}
	aliceKey := string(writer.alice.Public)
	mapping := map[string]any{"sender_key": aliceKey, "user_id": writer.scene.Alice, "signatures": map[string]any{}}
	writer.add("m.room.create", "", map[string]any{"room_version": pseudoid.RoomVersion})
	writer.add("m.room.member", aliceKey, map[string]any{"membership": "join", pseudoid.MappingField: mapping})
	writer.add("m.room.power_levels", "", map[string]any{"users": map[string]any{aliceKey: 100}})
	for _, eventType := range scenes.WidgetTypes {
		writer.add(eventType, "widget", map[string]any{"creatorUserId": writer.scene.Alice})
		writer.scene.Given[eventType] = writer.scene.Events[len(writer.scene.Events)-1].ID()
	}
	return writer
}

func (w *formatWriter) add(eventType, stateKey string, content map[string]any) {
	raw := []byte(`{"auth_events":[],"prev_events":[],"depth":1,"origin_server_ts":1}`)
	for path, value := range map[string]any{
		"type": eventType, "state_key": stateKey, "content": content, "room_id": w.scene.RoomID, "sender_key": string(w.alice.Public),
	} {
		var err error
		raw, err = sjson.SetBytes(raw, path, value)
		require.NoError(w.t, err)
	}
	w.scene.Events = append(w.scene.Events, w.sign(raw))
}

func (w *formatWriter) sign(raw []byte) federation.Event {
	signed, err := pseudoid.SignEvent(raw, w.scene.Format, string(w.alice.Public), pseudoid.SenderKeyID, w.alice.Private)
	require.NoError(w.t, err)
	return federation.NewEvent(signed, w.scene.Format)
}

// with is the honest scene with one field of the events of a type set, or deleted, and the events signed again.
func (w *formatWriter) with(eventType, path string, value any) scenes.Wire {
	return w.altered(eventType, path, value, w.sign)
}

// withUnsigned is with without signing again: hash and signature are those of the honest event.
func (w *formatWriter) withUnsigned(eventType, path string, value any) scenes.Wire {
	return w.altered(eventType, path, value, func(raw []byte) federation.Event { return federation.NewEvent(raw, w.scene.Format) })
}

func (w *formatWriter) altered(eventType, path string, value any, finish func([]byte) federation.Event) scenes.Wire {
	scene := w.scene
	scene.Events = nil
	for _, event := range w.scene.Events {
		if event.Type() == eventType {
			var raw []byte
			var err error
			if value == nil {
				raw, err = sjson.DeleteBytes(event.JSON(), path)
			} else {
				raw, err = sjson.SetBytes(event.JSON(), path, value)
			}
			require.NoError(w.t, err)
			event = finish(raw)
		}
		scene.Events = append(scene.Events, event)
	}
	return scene
}

// Each judge finds nothing in an honest scene, and finds what breaks its demand.
func TestFormatJudges(t *testing.T) {
	writer := honestScene(t)
	const userID, member, create, power = "@alice:hs1.test", "m.room.member", "m.room.create", "m.room.power_levels"
	bobKey := string(writer.bob.Public)
	lost := writer.scene
	lost.Lost = map[string]string{"auth_events of m.room.member": "$nothing"}
	cases := []struct {
		name   string
		judge  func(scenes.Wire) scenes.Breaches
		broken map[string]scenes.Wire
	}{
		{"sender-key-field", withoutSenderKeyField, map[string]scenes.Wire{"no sender_key": writer.withUnsigned(create, "sender_key", nil)}},
		{"no-sender-field", withSenderField, map[string]scenes.Wire{"a sender": writer.with(create, "sender", userID)}},
		{"key-encoding", badKeys, map[string]scenes.Wire{
			"padded":                writer.with(create, "sender_key", string(writer.alice.Public)+"="),
			"with a sigil":          writer.with(create, "sender_key", "^"+string(writer.alice.Public)),
			"too short":             writer.with(create, "sender_key", "AAAA"),
			"a user ID":             writer.with(create, "sender_key", userID),
			"no string":             writer.with(create, "sender_key", 1),
			"absent":                writer.withUnsigned(create, "sender_key", nil),
			"padded in the mapping": writer.with(member, "content.mxid_mapping.sender_key", string(writer.alice.Public)+"="),
			"no point of the curve": writer.with(create, "sender_key", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		}},
		{"member-state-key", badMemberStateKeys, map[string]scenes.Wire{
			"a user ID":                     writer.with(member, "state_key", userID),
			"another key":                   writer.with(member, "state_key", bobKey),
			"another than the mapping's":    writer.with(member, "content.mxid_mapping.sender_key", bobKey),
			"another than an invited one's": writer.with(member, "content", map[string]any{"membership": "invite", "mxid_mapping": map[string]any{"sender_key": bobKey}}),
		}},
		{"power-levels-by-key", badPowerLevels, map[string]scenes.Wire{"a user ID": writer.with(power, "content.users", map[string]any{userID: 100})}},
		{"create-names-no-mxid", badCreators, map[string]scenes.Wire{
			"a user ID":   writer.with(create, "content.creator", userID),
			"another key": writer.with(create, "content.creator", bobKey),
		}},
		{"no-mxid-outside-mapping", strayUserIDs, map[string]scenes.Wire{
			"in content":        writer.with(create, "content.creator", userID),
			"beside a mapping":  writer.with(member, "content.by", "invited by "+userID),
			"as a key":          writer.with(power, "content.users", map[string]any{userID: 100}),
			"as a state key":    writer.with("m.widget", "state_key", userID),
			"in unsigned":       writer.with(create, "unsigned", map[string]any{"of": []any{userID}}),
			"the invited one's": writer.with(create, "content.of", writer.scene.Carol),
		}},
		{"no-user-mapping", withUserMapping, map[string]scenes.Wire{"in content": writer.with(member, "content.user_mapping", map[string]any{})}},
		{"content-hash", badContentHashes, map[string]scenes.Wire{
			"altered afterwards": writer.withUnsigned(create, "content.more", true),
			"no hash":            writer.withUnsigned(create, "hashes", nil),
		}},
		{"event-id", badEventIDs, map[string]scenes.Wire{
			"a reference to nothing": lost,
			"no canonical JSON":      writer.withUnsigned(create, "content.float", 0.5),
		}},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			assert.Empty(t, test.judge(writer.scene), "an honest scene")
			for name, scene := range test.broken {
				assert.NotEmpty(t, test.judge(scene), name)
			}
		})
	}
}

// Each open requirement's readings can be told apart.
func TestFormatReadings(t *testing.T) {
	writer := honestScene(t)
	all := func(path string, value any) scenes.Wire {
		scene := writer.scene
		for _, eventType := range []string{"m.room.create", "m.room.member", "m.room.power_levels", "m.widget", "im.vector.modular.widgets"} {
			scene = (&formatWriter{t: t, scene: scene, alice: writer.alice}).with(eventType, path, value)
		}
		return scene
	}
	inRoom := func(roomID string) scenes.Wire {
		scene := writer.scene
		scene.RoomID = roomID
		return scene
	}
	refused := writer.scene
	refused.Given, refused.Events = map[string]string{}, writer.scene.Events[:3]
	key := string(writer.alice.Public)
	bare := writer.scene
	bare.Events = nil
	for _, event := range writer.scene.Events {
		signature := event.Get("signatures").Map()[key].Map()[pseudoid.SenderKeyID].String()
		raw, err := sjson.SetBytes(event.JSON(), "signatures", map[string]any{key: signature})
		require.NoError(t, err)
		bare.Events = append(bare.Events, federation.NewEvent(raw, writer.scene.Format))
	}
	cases := []struct {
		observe func(scenes.Wire) (string, string)
		scenes  map[string]scenes.Wire
	}{
		{readOrigin, map[string]scenes.Wire{
			"absent": writer.scene, "server-name": all("origin", "hs1.test"), "sender-key": all("origin", key),
			"some-events": writer.with("m.room.create", "origin", "hs1.test"), "other": all("origin", "elsewhere.test"),
		}},
		{readRoomID, map[string]scenes.Wire{
			"names-server": writer.scene, "opaque": inRoom("!opaque"), "create-hash": inRoom("!" + writer.scene.Events[0].ID()[1:]),
			"other": inRoom("!room:elsewhere.test"),
		}},
		{readWidgetCreator, map[string]scenes.Wire{
			"user-id-kept": writer.scene, "replaced-by-key": all("content.creatorUserId", key), "removed": all("content.creatorUserId", nil),
			"refused": refused, "other": all("content.creatorUserId", "@mallory:elsewhere.test"),
		}},
		{readSignatureEntity, map[string]scenes.Wire{
			"entity-is-key-id-ed25519-1": writer.scene, "bare-string": bare,
			verdict.NoneSeen: writer.signedAs(map[string]any{}),
		}},
	}
	for _, test := range cases {
		for expected, scene := range test.scenes {
			reading, detail := test.observe(scene)
			assert.Equal(t, expected, reading, detail)
		}
	}
}

// signedAs is the honest scene with other signatures on every event.
func (w *formatWriter) signedAs(signatures map[string]any) scenes.Wire {
	scene := w.scene
	scene.Events = nil
	for _, event := range w.scene.Events {
		raw, err := sjson.SetBytes(event.JSON(), "signatures", maps.Clone(signatures))
		require.NoError(w.t, err)
		scene.Events = append(scene.Events, federation.NewEvent(raw, w.scene.Format))
	}
	return scene
}
