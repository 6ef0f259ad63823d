package monitor

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

var dialects = map[string]pseudoid.Format{
	"dendrite": pseudoid.FormatDendrite, "msc4014": pseudoid.FormatMSC4014, "letter": pseudoid.FormatMSC4014Letter,
}

// testRoom builds events of a room with increasing depths.
type testRoom struct {
	format pseudoid.Format
	id     string
	depth  int
}

func newTestRoom(format pseudoid.Format, id string) *testRoom {
	return &testRoom{format: format, id: id}
}

// event builds an event with a valid hash and signature.
func (r *testRoom) event(pair pseudoid.KeyPair, eventType string, stateKey *string, content string, change ...func(map[string]any)) []byte {
	r.depth++
	fields := map[string]any{
		"type": eventType, "room_id": r.id, r.format.SenderField(): pair.Public, "content": json.RawMessage(content), "depth": r.depth,
		"origin_server_ts": 1, "auth_events": []string{}, "prev_events": []string{},
	}
	if stateKey != nil {
		fields["state_key"] = *stateKey
	}
	for _, each := range change {
		each(fields)
	}
	raw, err := json.Marshal(fields)
	if err == nil {
		raw, err = pseudoid.SignEvent(raw, r.format, string(pair.Public), pseudoid.SenderKeyID, pair.Private)
	}
	if err != nil {
		panic(err)
	}
	return raw
}

func (r *testRoom) message(pair pseudoid.KeyPair) []byte {
	return r.event(pair, "m.room.message", nil, `{"body":"hello","msgtype":"m.text"}`)
}

func (r *testRoom) join(pair pseudoid.KeyPair, userID string) []byte {
	key := string(pair.Public)
	return r.event(pair, "m.room.member", &key, `{"membership":"join","displayname":"u","mxid_mapping":`+
		string(pseudoid.NewMapping(r.format.Dialect, pair.Public, userID))+`}`)
}

func (r *testRoom) create(pair pseudoid.KeyPair, creator string) []byte {
	return r.event(pair, "m.room.create", new(string), `{"creator":"`+creator+`","room_version":"org.matrix.msc4014"}`)
}

func (r *testRoom) powerLevels(pair pseudoid.KeyPair, users string) []byte {
	return r.event(pair, "m.room.power_levels", new(string), `{"users":`+users+`}`)
}

func set(t *testing.T, raw []byte, path string, value any) []byte {
	t.Helper()
	altered, err := sjson.SetBytes(raw, path, value)
	require.NoError(t, err)
	return altered
}

func TestFederationRules(t *testing.T) {
	const noUser, byKey = noUserID, "event-format/power-levels-by-key"
	rules := []struct {
		name   string
		events func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte
		broken []string
	}{
		{"valid events", func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte {
			return [][]byte{
				r.create(alice, string(alice.Public)), r.join(alice, "@a:hs1"), r.powerLevels(alice, `{"`+string(alice.Public)+`":100}`),
				r.join(bob, "@b:hs1"), r.message(bob), r.message(alice),
			}
		}, nil},
		{"user ID as sender", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.event(alice, "m.room.message", nil, `{"body":"x"}`, func(f map[string]any) { f[r.format.SenderField()] = "@a:hs1" })}
		}, []string{noUser}},
		{"no sender", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.event(alice, "m.room.message", nil, `{"body":"x"}`, func(f map[string]any) { delete(f, r.format.SenderField()) })}
		}, []string{"event-format/sender-key-field"}},
		{"padded sender", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.event(alice, "m.room.message", nil, `{}`, func(f map[string]any) { f[r.format.SenderField()] = alice.Public + "=" })}
		}, []string{"event-format/key-encoding"}},
		{"user ID as state key", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			key := "@a:hs1"
			return [][]byte{r.event(alice, "m.room.member", &key, `{"membership":"join"}`)}
		}, []string{"event-format/member-state-key", noUser}},
		{"a redeemed third-party invite of a user ID", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			key := "@a:hs1"
			return [][]byte{r.event(alice, "m.room.member", &key, `{"membership":"invite","third_party_invite":{}}`)}
		}, nil},
		{"user ID as creator", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.create(alice, "@a:hs1")}
		}, []string{"event-format/create-names-no-mxid", noUser}},
		{"the sender's user ID in power levels", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.powerLevels(alice, `{"@a:hs1":100}`), r.join(alice, "@a:hs1")}
		}, []string{byKey, noUser}},
		{"an earlier member's user ID in power levels", func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte {
			return [][]byte{r.join(alice, "@a:hs1"), r.join(bob, "@b:hs1"), r.powerLevels(alice, `{"@b:hs1":50}`)}
		}, []string{byKey, noUser}},
		{"power given before the join is open", func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte {
			return [][]byte{r.join(alice, "@a:hs1"), r.powerLevels(alice, `{"@b:hs1":50}`), r.join(bob, "@b:hs1")}
		}, nil},
		{"power of another server's user, which may be met later", func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte {
			return [][]byte{r.join(bob, "@b:hs2"), r.join(alice, "@a:hs1"), r.powerLevels(alice, `{"@b:hs2":50}`)}
		}, nil},
		{"signature of another key", func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte {
			return [][]byte{r.event(bob, "m.room.message", nil, `{}`, func(f map[string]any) { f[r.format.SenderField()] = alice.Public })}
		}, []string{"signing/every-event-type"}},
		{"no signature", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{set(t, r.message(alice), "signatures", map[string]any{})}
		}, []string{"signing/every-event-type"}},
		{"content that the hash is not of", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{set(t, r.message(alice), "content.body", "another")}
		}, []string{"event-format/content-hash"}},
		{"a member event whose hash is not its own", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{set(t, r.join(alice, "@a:hs1"), "content.displayname", "another")}
		}, []string{"event-format/content-hash"}},
		{"no event ID", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{set(t, r.message(alice), "depth", 1.5)}
		}, []string{"event-format/event-id"}},
		{"one key in two rooms", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.message(alice), newTestRoom(r.format, "!two:hs1").message(alice)}
		}, []string{"sender-key/differs-between-rooms"}},
		{"a create event without room ID is in no other room", func(r *testRoom, alice, _ pseudoid.KeyPair) [][]byte {
			return [][]byte{r.message(alice), r.event(alice, "m.room.create", new(string), `{}`, func(f map[string]any) { delete(f, "room_id") })}
		}, nil},
		{"redacted events", func(r *testRoom, alice, bob pseudoid.KeyPair) [][]byte {
			redacted := func(raw []byte) []byte {
				short, err := pseudoid.Redact(raw, r.format)
				require.NoError(t, err)
				return short
			}
			stays, err := sjson.DeleteBytes(r.join(bob, "@b:hs1"), "content.displayname") // the mapping stays
			require.NoError(t, err)
			return [][]byte{redacted(r.message(alice)), redacted(r.join(alice, "@a:hs1")), stays}
		}, nil},
	}
	for dialect, format := range dialects {
		for _, rule := range rules {
			t.Run(dialect+", "+rule.name, func(t *testing.T) {
				alice, bob := pseudoid.GenerateKeyPair(), pseudoid.GenerateKeyPair()
				w := newWatch(format)
				events := rule.events(newTestRoom(format, "!one:hs1"), alice, bob)
				for range 2 { // each finding once
					for _, event := range events {
						w.PseudonymousEvent("check", event)
					}
				}
				assert.ElementsMatch(t, rule.broken, w.broken(), "%v", w.found)

				w = newWatch(format)
				for _, event := range events {
					id, err := pseudoid.EventID(event, format)
					if err != nil {
						id = idOfBytes(event)
					}
					w.events = append(w.events, id)
				}
				for _, event := range events {
					w.PseudonymousEvent("check", event)
				}
				assert.Empty(t, w.found, "events that a peer made")
			})
		}
	}
}

func TestFindingsNameTheEvent(t *testing.T) {
	w, alice := newWatch(pseudoid.FormatMSC4014), pseudoid.GenerateKeyPair()
	event := newTestRoom(pseudoid.FormatMSC4014, "!one:hs1").create(alice, "@a:hs1")
	id, err := pseudoid.EventID(event, pseudoid.FormatMSC4014)
	require.NoError(t, err)
	w.PseudonymousEvent("the check", event)
	require.NotEmpty(t, w.found)
	assert.Equal(t, "m.room.create "+id+": creator @a:hs1", w.found[0].Detail)
	assert.Equal(t, "the check", w.found[0].Check)
}

func TestEventsOfTheProposalHaveNoSenderField(t *testing.T) {
	w, alice := newWatch(pseudoid.FormatMSC4014), pseudoid.GenerateKeyPair()
	w.PseudonymousEvent("check", newTestRoom(pseudoid.FormatMSC4014, "!one:hs1").event(alice, "m.room.message", nil, `{}`,
		func(f map[string]any) { f["sender"] = "@a:hs1" }))
	assert.ElementsMatch(t, []string{"event-format/no-sender-field", noUserID}, w.broken())
}

func TestEventsUnderKeysOfPeersAreIgnored(t *testing.T) {
	w, mallory := newWatch(pseudoid.FormatDendrite), pseudoid.GenerateKeyPair()
	w.keys = []string{string(mallory.Public)}
	room := newTestRoom(pseudoid.FormatDendrite, "!one:hs1")
	for _, forged := range [][]byte{
		room.create(mallory, "@a:hs1"), set(t, room.message(mallory), "content.body", "another"), newTestRoom(room.format, "!two:hs1").message(mallory),
		set(t, room.message(mallory), "depth", 1.5), room.powerLevels(mallory, `{"@a:hs1":1}`),
	} {
		w.PseudonymousEvent("check", forged)
	}
	assert.Empty(t, w.found)
}

func TestInvitesThatAPeerCompletedAreIgnored(t *testing.T) {
	w, alice, invited := newWatch(pseudoid.FormatDendrite), pseudoid.GenerateKeyPair(), pseudoid.GenerateKeyPair()
	w.keys = []string{string(invited.Public)}
	stateKey := string(invited.Public)
	invite := newTestRoom(pseudoid.FormatDendrite, "!one:hs1").event(alice, "m.room.member", &stateKey, `{"membership":"invite"}`)
	w.PseudonymousEvent("check", set(t, set(t, invite, "hashes.sha256", "x"), "signatures", map[string]any{}))
	assert.Empty(t, w.found)
}

func TestOrdinaryRooms(t *testing.T) {
	const requirement = "room-version/ordinary-rooms-untouched"
	_, server, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	member := `{"type":"m.room.member","room_id":"!o:hs1","sender":"@a:hs1","state_key":"@a:hs1","content":{"membership":"join"}}`
	for name, each := range map[string]struct {
		event  []byte
		broken []string
	}{
		"valid":                          {[]byte(member), []string{}},
		"a sender key":                   {set(t, []byte(member), "sender_key", newKey()), []string{requirement}},
		"a mapping":                      {set(t, []byte(member), "content.mxid_mapping", map[string]any{}), []string{requirement}},
		"a message whose client says it": {[]byte(`{"type":"m.room.message","sender":"@a:hs1","content":{"mxid_mapping":1,"sender_key":"x"}}`), []string{}},
	} {
		for _, format := range []pseudoid.Format{pseudoid.FormatV10, pseudoid.FormatV11} {
			signed, err := pseudoid.SignEvent(each.event, format, "hs1", "ed25519:a", server)
			require.NoError(t, err)
			w := newWatch(pseudoid.FormatDendrite)
			w.OrdinaryEvent("check", signed)
			assert.Equal(t, each.broken, w.broken(), name)

			id, err := pseudoid.EventID(signed, format)
			require.NoError(t, err)
			w = newWatch(pseudoid.FormatDendrite)
			w.events = []string{id}
			w.OrdinaryEvent("check", signed)
			assert.Empty(t, w.found, "%s, by a peer", name)
		}
	}
}
